"""Where the labelled films lie; self-made ones are drawn on first use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from narrascore.cli.corpus import find_checkout
from narrascore.cli.progress import StageBars
from narrascore.data.films import LabelledFilm, read_films
from narrascore.data.made_films import make_films
from narrascore.errors import UsageError

MADE_FILMS = "made_films"


def find_films(data: Mapping[str, object], output: Path) -> list[LabelledFilm]:
    """The set that the settings name, all splits.

    Args:
        data: the settings' `data`: `root` is a prepared folder; without one, self-made films are drawn into a
            checkout's `build/made_films`, or into the output folder where there is no checkout.
        output: of the command.

    Raises:
        UsageError: if a set of other films has no root.
        InputError: if the root holds no set.
    """
    if data["root"] is not None:
        return read_films(Path(str(data["root"])).expanduser())
    if data["name"] != MADE_FILMS:
        raise UsageError(
            f"data={data['name']} needs the folder that preparing it wrote, with films.json: give data.root=FOLDER"
        )
    checkout = find_checkout()
    folder = (checkout / "build" if checkout else output) / MADE_FILMS
    count, seconds, seed = (_whole(data, key) for key in ("count", "seconds", "seed"))
    if count < 5 or seconds < 1:
        raise UsageError(
            f"data.count must be at least 5, so that every split has a film, and data.seconds 1: got {count}, {seconds}"
        )
    with StageBars(MADE_FILMS) as bars:
        return make_films(folder, count, seconds, seed, lambda done, total: bars.show("drawing", done, total))


def _whole(data: Mapping[str, object], key: str) -> int:
    value = data[key]
    if type(value) is not int:
        raise UsageError(f"data.{key} must be a whole number: got {value!r}")
    return value
