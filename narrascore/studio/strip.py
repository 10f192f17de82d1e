"""A film's keyframes as small pictures beside it, for the page."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from PIL import Image

from narrascore.errors import InputError
from narrascore.files import replace_folder
from narrascore.perception.reading import FilmReading
from narrascore.studio.films import StudioFilm

HEIGHT = 120
_writing = threading.Lock()


def keyframes_of(film: StudioFilm) -> list[tuple[float, str]]:
    """(film time in seconds, file name in `keyframes/`) in time order; written once, from what the eye saw."""
    folder = film.folder / "keyframes"
    with _writing:  # every tab asks
        if not folder.is_dir():
            _write(film, folder)
    return [(int(path.stem) / 1000, path.name) for path in sorted(folder.glob("*.jpg"))]


def _write(film: StudioFilm, folder: Path) -> None:
    try:
        reading = FilmReading.load(film.job / "reading")
    except InputError:
        return  # not seen yet
    partial = film.folder / ".keyframes.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for seconds, pixels in reading.keyframes:
        image = Image.fromarray(pixels)
        image.thumbnail((4 * HEIGHT, HEIGHT))
        image.save(partial / f"{round(seconds * 1000):09d}.jpg", quality=80)
    replace_folder(partial, folder)
