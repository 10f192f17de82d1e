"""Films in the studio's folder, scored by the studio's worker, with a tiny real system."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrascore import Pipeline
from narrascore.errors import InputError, UsageError
from narrascore.studio import views
from narrascore.studio.films import StudioFilm
from narrascore.studio.studio import UPLOADS, Studio
from narrascore.studio.wishes import Wish
from tests.films import write_clip
from tests.systems import tiny_pipeline

SECONDS = 4.0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", SECONDS, sound=False)


@pytest.fixture
def studio(pipeline: Pipeline, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path / "studio", lambda: pipeline)
    yield studio
    studio.close()


def upload(studio: Studio, content: bytes, name: str = "a.mp4") -> str:
    path = studio.folder / UPLOADS / "1" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def wait(studio: Studio, film: StudioFilm) -> StudioFilm:
    stop = time.monotonic() + 60
    while studio.worker.place(film.id) is not None:
        assert time.monotonic() < stop
        time.sleep(0.02)
    return studio.film(film.id)


def hashes(film: StudioFilm) -> dict[str, str]:
    folder = film.job / "windows"
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }


def test_a_film_is_scored_changed_and_compared(studio: Studio, clip: Path) -> None:
    film = wait(studio, studio.take_in(upload(studio, clip.read_bytes())))
    assert film.data["error"] == "" and film.manifest()["state"] == "finished"
    assert [take.number for take in film.takes()] == [1]
    names = {path.name for path in film.results(film.takes()[0])}
    assert {"a.scored.mp4", "music.wav", "curve.csv", "report.html"} <= names
    assert not list((studio.folder / UPLOADS).rglob("*.mp4"))

    # A curve changed at its third second: the windows of the first composition stay, one edit beside them.
    before, curve = hashes(film), film.curve
    assert curve is not None
    values = curve.values.copy()
    values[2, 1] = 0.9 if values[2, 1] < 0 else -0.9
    studio.score(film.id, film.wish, values.tolist())
    film = wait(studio, film)
    after = hashes(film)
    kept = {name: digest for name, digest in before.items() if name != "codes.safetensors"}
    assert kept.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"edit-1-1"}
    (span,) = film.data["recomposed"]
    assert 0.5 < span[0] < 2 < span[1] < SECONDS
    assert views.desk(film)["recomposed"] == [span]
    assert "the rest is as it was" in film.data["note"]

    # A stretch drawn again, and once more, is other music each time; the film itself is asked for no more of it.
    studio.redraw(film.id, film.wish, "0:00-0:01")
    film = wait(studio, film)
    studio.redraw(film.id, film.wish, "0:00-0:01")
    film = wait(studio, film)
    assert [edit["take"] for edit in film.manifest()["edits"] if edit["why"] == "redo"] == [1, 2]
    assert film.wish.redo == ()

    takes = film.takes()
    assert [take.number for take in takes] == [4, 3, 2, 1]
    assert len({take.music.read_bytes() for take in takes}) == 4
    assert all(take.film is not None and take.film.is_file() for take in takes)
    assert takes[-1].told == "seed 0" and takes[0].told.startswith("redrawn at 0:00")

    # Another mix is no other music, hence no other take.
    studio.score(film.id, Wish(loudness=-23.0))
    film = wait(studio, film)
    assert len(film.takes()) == 4 and "music itself was kept" in film.data["note"]


def test_music_stands_where_its_cues_are(studio: Studio, clip: Path) -> None:
    film = wait(studio, studio.take_in(upload(studio, clip.read_bytes())))
    assert views.spoken_cues(film) == "everywhere" and views.desk(film)["silent"] == []
    before = hashes(film)

    studio.score(film.id, Wish(cues="0:00\N{EN DASH}0:01, 0:02.5-0:04"))
    film = wait(studio, film)
    assert film.data["error"] == ""
    assert [(float(cue.in_seconds), float(cue.out_seconds)) for cue in film.cues] == [(0, 1), (2.5, 4)]
    assert views.desk(film)["silent"] == [[1.0, 2.5]]
    assert views.spoken_cues(film) == "0:00\N{EN DASH}0:01, 0:02\N{EN DASH}0:04"
    sound, rate_hz = soundfile.read(film.job / "music.wav")
    assert not sound[rate_hz : round(2.5 * rate_hz)].any()
    assert sound[: rate_hz // 2].any() and sound[3 * rate_hz :].any()

    # What is proposed for so short a film may be anything; asking for nothing brings music back everywhere.
    studio.score(film.id, Wish(cues="auto"))
    film = wait(studio, film)
    assert film.data["error"] == "" and film.cues
    studio.score(film.id, Wish())
    film = wait(studio, film)
    assert views.spoken_cues(film) == "everywhere"
    windows = {name: key for name, key in before.items() if name != "codes.safetensors"}
    assert windows.items() <= hashes(film).items()


@pytest.mark.parametrize("cues", ["soon", "0:03-0:01", "0:01-0:09", "0:00-0:02; 0:01-0:03"])
def test_impossible_cues_are_refused_before_anything_is_done(studio: Studio, clip: Path, cues: str) -> None:
    film = wait(studio, studio.take_in(upload(studio, clip.read_bytes())))
    with pytest.raises(UsageError):
        studio.score(film.id, Wish(cues=cues))
    assert studio.worker.place(film.id) is None and studio.film(film.id).wish == Wish()


def test_the_same_film_is_found_again_under_any_name_after_a_restart(
    studio: Studio, pipeline: Pipeline, clip: Path
) -> None:
    film = wait(studio, studio.take_in(upload(studio, clip.read_bytes(), "first.mp4")))
    studio.score(film.id, Wish(prompt="calm strings", seed=2))
    wait(studio, film)
    studio.close()
    again = Studio(studio.folder, lambda: pipeline)
    assert [each.name for each in again.films()] == ["first.mp4"]
    found = again.take_in(upload(again, clip.read_bytes(), "second.mp4"))
    assert (found.id, found.name, found.wish.prompt, found.wish.seed) == (film.id, "first.mp4", "calm strings", 2)
    assert again.worker.place(found.id) is None  # it is scored already
    again.remove(found.id)
    assert again.films() == [] and not found.folder.exists()
    again.close()


def test_a_stopped_job_says_so_and_goes_on(studio: Studio, clip: Path) -> None:
    film = studio.take_in(upload(studio, clip.read_bytes()))
    stop = time.monotonic() + 60
    while studio.worker.step.stage != "compose" and time.monotonic() < stop:
        time.sleep(0.002)
    studio.stop(film.id)
    film = wait(studio, film)
    assert film.data["error"].startswith("Stopped") and not film.takes()
    studio.score(film.id, film.wish)
    film = wait(studio, film)
    assert film.data["error"] == "" and film.manifest()["state"] == "finished"


def test_what_is_no_film_is_refused_and_gone(studio: Studio) -> None:
    path = upload(studio, b"Dear diary", "notes.mp4")
    with pytest.raises(InputError, match=r"notes\.mp4: it is not a video"):
        studio.take_in(path)
    assert not Path(path).exists() and studio.films() == []


def test_a_path_that_was_not_uploaded_is_refused_and_left(studio: Studio, clip: Path) -> None:
    for path in (str(clip), f"{studio.folder / UPLOADS}/../../{clip.name}", "/etc/passwd"):
        with pytest.raises(InputError, match="not uploaded"):
            studio.take_in(path)
    assert clip.is_file()


def test_a_film_is_never_served_as_a_web_page(studio: Studio, clip: Path) -> None:
    film = studio.take_in(upload(studio, clip.read_bytes(), "<img src=x>.html"))
    assert film.path.suffix == ".film"
    assert "<img src=x>" not in views.shelf([film], film.id, "") + views.status(film, None, studio.worker.step)
    wait(studio, film)


def test_a_curve_of_another_length_or_out_of_range_is_refused_before_anything_is_touched(
    studio: Studio, clip: Path
) -> None:
    film = wait(studio, studio.take_in(upload(studio, clip.read_bytes())))
    curve, text = film.curve, (film.job / "curve.csv").read_text()
    assert curve is not None
    for values in (curve.values[:-1].tolist(), (curve.values + 3).tolist(), [["x", 0]] * len(curve), [[np.nan, 0.0]]):
        with pytest.raises(UsageError, match="reload"):
            studio.score(film.id, film.wish, values)
    for wrong in (Wish(duck_db=-1.0), Wish(loudness=-90.0), Wish(prompt="strings " * 60)):
        with pytest.raises(UsageError):
            studio.score(film.id, wrong)
    with pytest.raises(UsageError, match="behind the film's end"):
        studio.redraw(film.id, film.wish, "9:00-9:10")
    assert (film.job / "curve.csv").read_text() == text and studio.worker.place(film.id) is None
    for name in ("../a", "0" * 12, ""):
        with pytest.raises(InputError, match="not in the studio"):
            studio.score(name, film.wish)
