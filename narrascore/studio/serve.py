"""Running the studio: its folder, its server on this machine alone, and what is left when it ends."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrascore.errors import InputError
from narrascore.manifest import locked
from narrascore.studio.guard import Guard
from narrascore.studio.settings import StudioSettings
from narrascore.studio.studio import UPLOADS, Studio, clear_uploads

if TYPE_CHECKING:
    from narrascore.pipeline import Pipeline


def serve(settings: StudioSettings) -> None:
    """Answer the page until the user ends it (Ctrl+C).

    Raises:
        InputError: if the folder is in use or cannot be written, or the port is taken.
    """
    with running(settings) as url, contextlib.suppress(KeyboardInterrupt):
        print(f"The studio is at {url}\nFilms and results are kept in {settings.folder}\nCtrl+C ends it.", flush=True)
        threading.Event().wait()
    print("The studio has ended; what was not finished goes on when it is started again.", flush=True)


@contextlib.contextmanager
def running(settings: StudioSettings) -> Iterator[str]:
    """The studio, up while the block runs; gives the page's address. Raises what `serve` raises."""
    folder = settings.folder.expanduser().absolute()
    uploads = folder / UPLOADS
    with _alone(folder):
        clear_uploads(uploads)
        # Read by Gradio when it is imported and when it starts: no statistics, no questions about newer versions, and
        # uploads where they can be cleared away.
        os.environ.update(
            GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(uploads), GRADIO_EXAMPLES_CACHE=str(uploads),
            HF_HUB_DISABLE_TELEMETRY="1",
        )  # fmt: skip
        from narrascore.studio.page import build_page

        studio = Studio(folder, partial(_load, settings))
        page = build_page(studio, max_upload_mib=settings.max_upload_mib, keep_hours=settings.keep_hours)
        try:
            yield _launch(page, studio, settings)
        finally:
            studio.close()
            with contextlib.redirect_stdout(None):
                page.close()
            clear_uploads(uploads)


def _load(settings: StudioSettings) -> Pipeline:
    from narrascore.pipeline import Pipeline

    return Pipeline.from_settings(settings)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder))
        except InputError as error:
            raise InputError(
                f"{folder}: cannot be written, or another studio works in it; use that one, or give another --folder"
            ) from error
        yield


def _launch(page: Any, studio: Studio, settings: StudioSettings) -> str:
    from narrascore.studio.downloads import download_routes
    from narrascore.studio.layout import package_text, theme

    try:
        _, url, _ = page.launch(
            server_name=settings.host,
            server_port=settings.port,
            share=False,
            inbrowser=settings.open_browser,
            prevent_thread_lock=True,
            quiet=True,
            theme=theme(),
            css=package_text("studio.css"),
            allowed_paths=[str(studio.folder)],
            max_file_size=settings.max_upload_mib * 2**20,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            app_kwargs={
                "middleware": [_middleware((settings.host, "localhost", "127.0.0.1"))],
                "routes": download_routes(studio),
                "docs_url": None, "redoc_url": None, "openapi_url": None,
            },
        )  # fmt: skip
    except OSError as error:
        raise InputError(
            f"port {settings.port or '7860 and the next hundred'}: cannot be used ({error}); choose another by --port"
        ) from error
    return str(url)


def _middleware(hosts: tuple[str, ...]) -> Any:
    from starlette.middleware import Middleware

    return Middleware(Guard, hosts=hosts)
