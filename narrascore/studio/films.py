"""The films of a studio's folder, each in a folder of its own.

outputs/studio/3f2a90c1b7de/    one film, named by its content: the same film uploaded again is the same folder
  Holiday.mp4                   as it was uploaded
  Holiday.narrascore/           its job folder, as `narrascore score` makes it
  Holiday.scored.mp4            the scored film
  keyframes/                    pictures for the page
  cues.csv                      where there is to be music, if that was asked for
  studio.json                   what was asked last, and what went wrong
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrascore.affect import AffectCurve
from narrascore.cues import CSV_COLUMNS, Cue, read_cues
from narrascore.errors import InputError
from narrascore.files import move, write_text
from narrascore.job import ScoreOptions
from narrascore.manifest import CONTAINERS, FOLDER_SUFFIX, Manifest
from narrascore.media.film import Film
from narrascore.studio.wishes import Wish

STATE_FILE = "studio.json"
ID = re.compile(r"[0-9a-f]{12}")
SUFFIXES = frozenset(
    ".3g2 .3gp .apng .asf .avi .bmp .dv .flv .gif .ivf .jpeg .jpg .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .nut "
    ".ogv .png .tif .tiff .ts .webm .webp .wmv".split()
)
"""What a browser may be told that a file is; a film under any other name is kept as `.film`, never as a web page."""
MAX_STEM = 80
RESULTS = (
    "music.wav", "music.mid", "curve.csv", "anchor.json", "cues.csv", "report.html", "figure.png", "manifest.json"
)  # fmt: skip


@dataclass(frozen=True)
class Take:
    """Music that a film has, or had.

    Attributes:
        number: counted from 1, in the order in which they were made.
        folder: where its results lie: the job folder, or a version in it.
        film: the scored film, if it is there.
        told: what sets it apart, in a few words.
    """

    number: int
    folder: Path
    film: Path | None
    told: str

    @property
    def music(self) -> Path:
        return self.folder / "music.wav"


class StudioFilm:
    """One film of the studio.

    Attributes:
        folder: its own, as drawn above.
        data: what `studio.json` holds.
    """

    def __init__(self, folder: Path, data: dict[str, Any]) -> None:
        self.folder, self.data = folder, data

    @classmethod
    def take_in(cls, upload: Path, studio: Path) -> StudioFilm:
        """Make an uploaded file a film of the studio, or find the one that it is; the upload is gone afterwards.

        Raises:
            InputError: if it is no film.
        """
        try:
            film = Film.open(upload)
            folder = studio / film.key[:12]
            if (folder / STATE_FILE).is_file():
                return cls.load(folder)
            suffix = upload.suffix.lower() if upload.suffix.lower() in SUFFIXES else ".film"
            name = f"{upload.stem[:MAX_STEM].lstrip('.') or 'film'}{suffix}"
            about = {
                "name": name, "duration_seconds": float(film.duration_seconds), "width": film.width,
                "height": film.height, "has_sound": bool(film.audio_tracks), "has_picture": film.has_picture,
                "wish": Wish().to_plain(), "error": "", "note": "",
            }  # fmt: skip
            found = cls(folder, about)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                move(upload, found.path)
                found.save()
            except BaseException:
                shutil.rmtree(folder)
                raise
            return found
        finally:
            upload.unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path) -> StudioFilm:
        """Read a film back.

        Raises:
            InputError: if the folder is none.
        """
        try:
            data = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
            Wish.from_plain(data["wish"])
            return cls(folder, {**data, "name": Path(data["name"]).name})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder / STATE_FILE}: cannot be read ({error}); delete the folder") from error

    def save(self) -> None:
        write_text(self.folder / STATE_FILE, json.dumps(self.data, indent=2, ensure_ascii=False) + "\n")

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def job(self) -> Path:
        """The job folder."""
        return self.folder / (Path(self.name).stem + FOLDER_SUFFIX)

    @property
    def duration_seconds(self) -> float:
        return float(self.data["duration_seconds"])

    @property
    def wish(self) -> Wish:
        return Wish.from_plain(self.data["wish"])

    @wish.setter
    def wish(self, wish: Wish) -> None:
        self.data["wish"] = wish.to_plain()

    def options(self) -> ScoreOptions:
        """What its next job is asked, the cues as a table beside the film."""
        spans, path = self.wish.cue_spans, self.folder / "cues.csv"
        if spans:
            # Fades as they come, but none where the film itself begins.
            rows = [f"{float(start)},{float(stop)},{'' if start else 0}," for start, stop in spans]
            write_text(path, "\n".join([",".join(CSV_COLUMNS), *rows]) + "\n")
        return self.wish.options(path if spans else None)

    @property
    def cues(self) -> tuple[Cue, ...]:
        """Where its music is; none before there is any."""
        try:
            return read_cues(self.job / "cues.csv", self.duration_seconds)
        except InputError:
            return ()

    def manifest(self) -> dict[str, Any]:
        """What the job folder says of itself; empty before there is one, and where it cannot be read."""
        try:
            found = Manifest.load(self.job)
        except InputError:
            found = None
        return {} if found is None else found.data

    @property
    def curve(self) -> AffectCurve | None:
        """The curve as it stands in the job folder."""
        try:
            return AffectCurve.from_csv(self.job / "curve.csv")
        except InputError:
            return None

    def edit_curve(self, curve: AffectCurve) -> None:
        """Write the curve as a user would by hand: the next score finds it edited.

        Raises:
            InputError: if it cannot be written.
        """
        write_text(self.job / "curve.csv", curve.to_csv())

    def takes(self) -> list[Take]:
        """All its music, the newest first."""
        versions = sorted(
            (path for path in (self.job / "versions").glob("*") if path.name.isdigit()), key=lambda path: int(path.name)
        )
        folders = [path for path in (*versions, self.job) if (path / "music.wav").is_file()]
        takes = [Take(number, folder, self._scored(folder), _tell(folder)) for number, folder in enumerate(folders, 1)]
        return takes[::-1]

    def results(self, take: Take) -> list[Path]:
        """The files of a take that a user may want, the scored film first."""
        found = [take.film] if take.film is not None else []
        found += [take.folder / name for name in RESULTS if (take.folder / name).is_file()]
        return found + [path for kind in ("stems", "deliver") for path in sorted((take.folder / kind).glob("*.*"))]

    def remove(self) -> None:
        """Delete the film and everything that was made of it."""
        shutil.rmtree(self.folder)

    def _scored(self, folder: Path) -> Path | None:
        place = self.folder if folder == self.job else folder
        stem = self.job.name.removesuffix(FOLDER_SUFFIX)
        found = (place / f"{stem}.scored{suffix}" for suffix in CONTAINERS)
        return next((path for path in found if path.is_file()), None)


def films_of(studio: Path) -> list[StudioFilm]:
    """The films in a studio's folder, the one touched last first; a folder that is none is passed over."""
    found = [path for path in studio.glob("*") if ID.fullmatch(path.name) and (path / STATE_FILE).is_file()]
    found.sort(key=lambda path: (path / STATE_FILE).stat().st_mtime_ns, reverse=True)
    films = []
    for path in found:
        try:
            films.append(StudioFilm.load(path))
        except InputError:
            continue
    return films


def _tell(folder: Path) -> str:
    try:
        found = Manifest.load(folder)
    except InputError:
        found = None
    if found is None:
        return ""
    edits = found.data.get("edits") or []
    if edits:
        what = "redrawn" if edits[-1]["why"] == "redo" else f"{edits[-1]['why']} changed"
        return f"{what} at {spoken_spans((span['start_seconds'], span['join_seconds']) for span in edits[-1]['spans'])}"
    seed = found.data.get("settings", {}).get("seed")
    return "" if seed is None else f"seed {seed}"


def spoken_spans(spans: Iterable[Sequence[float]]) -> str:
    """Stretches of a film as the page shows them: `0:12-0:20, 1:05-1:10`, with dashes."""
    return ", ".join(f"{clock(start)}\N{EN DASH}{clock(stop)}" for start, stop in spans)


def clock(seconds: float) -> str:
    """A time as the page shows it: `1:05`, `1:02:03`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
