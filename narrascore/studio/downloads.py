"""The addresses at which the files of a take are had, one by one or as one ZIP, under names that say whose they are."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from narrascore.errors import InputError, NarraScoreError
from narrascore.studio.studio import Studio
from narrascore.studio.views import names_in, saved_as
from narrascore.studio.zipping import zip_stream


def download_routes(studio: Studio) -> list[Route]:
    """`/studio/FILM/TAKE.zip` and `/studio/FILM/TAKE/NAME`, for the results of this studio's films and nothing else."""

    def answer(request: Request) -> Response:
        asked = request.path_params
        try:
            film, take = studio.take(asked["film"], asked["take"])
            files = names_in(film, take)
            if "name" not in asked:
                name = quote(f"{Path(film.name).stem}.take{take.number}.zip")
                header = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
                return StreamingResponse(zip_stream(files.items()), media_type="application/zip", headers=header)
            if asked["name"] not in files:
                raise InputError(f"{film.name}: take {take.number} has no {asked['name']!r}")
        except NarraScoreError as error:
            return PlainTextResponse(f"{error}\n", status_code=404)
        path = files[asked["name"]]
        return FileResponse(path, filename=saved_as(film, path))

    return [Route("/studio/{film}/{take:int}.zip", answer), Route("/studio/{film}/{take:int}/{name:path}", answer)]
