"""The address at which all files of a take are had as one ZIP."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from narrascore.errors import NarraScoreError
from narrascore.studio.studio import Studio
from narrascore.studio.views import zip_names
from narrascore.studio.zipping import zip_stream


def zip_route(studio: Studio) -> Route:
    """`/studio/FILM/TAKE.zip`, for the films of this studio."""

    def answer(request: Request) -> Response:
        try:
            film, take = studio.take(request.path_params["film"], request.path_params["take"])
        except NarraScoreError as error:
            return PlainTextResponse(f"{error}\n", status_code=404)
        name = quote(f"{Path(film.name).stem}.take{take.number}.zip")
        return StreamingResponse(
            zip_stream(zip_names(film, take)),
            media_type="application/zip",
            headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    return Route("/studio/{film}/{take:int}.zip", answer)
