"""Provenance: what a machine made, how and of what, the same bytes for the same score, and no place on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile

from narrascore import Pipeline, __version__
from narrascore.errors import InterruptedJobError
from narrascore.job import ScoreOptions, score_film
from narrascore.media.mix_settings import MixSettings
from narrascore.provenance import MADE_BY_MODEL, RECORDED_AND_MADE, TAG
from tests.films import write_clip
from tests.media.films import make_film
from tests.systems import tiny_pipeline

SENTENCE = "calm strings"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


def options(**more: Any) -> ScoreOptions:
    return ScoreOptions(prompt=SENTENCE, **more)


def read(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    return told


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_output_is_named_with_its_hash_and_its_kind(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 1.0)
    folder = score_film(pipeline, film, options(deliver=True, seed=3)).folder
    told = read(folder)
    kinds = {output["file"]: output["digital_source_type"] for output in told["outputs"]}
    assert kinds == {
        "music.wav": MADE_BY_MODEL, "deliver/music.wav": MADE_BY_MODEL, "deliver/mix.wav": RECORDED_AND_MADE,
        "../a.scored.mp4": RECORDED_AND_MADE,
    }  # fmt: skip
    for output in told["outputs"]:
        assert output["sha256"] == sha256(folder / output["file"])
        assert output["size_bytes"] == (folder / output["file"]).stat().st_size
    assert MADE_BY_MODEL == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert told["curve"] == {"sha256": sha256(folder / "curve.csv"), "source": "eye"}
    assert told["anchor"] == {"sentence": SENTENCE, "source": "user"}
    assert (told["seed"], told["licences"]) == (3, {"music": "none"})
    assert told["models"]["music"]["music"] == "tiny" and len(told["models"]["music"]["revision"]) > 7
    assert told["made_by"] == {"name": "NarraScore", "version": __version__}
    assert {"torch", "transformers", "av"} <= set(told["environment"]["versions"])
    assert told["film"]["name"] == "a.mp4" and len(told["film"]["sha256_parts"]) == 64


def test_it_names_no_place_and_is_the_same_bytes_after_a_kill_and_elsewhere(pipeline: Pipeline, tmp_path: Path) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        if stage == "film":
            raise KeyboardInterrupt

    film, table = write_clip(tmp_path / "a.mp4", 1.0), tmp_path / "mine.csv"
    table.write_text("time_seconds,valence,arousal\n0,0.25,-0.5\n", encoding="utf-8")
    asked = options(curve_path=table)
    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, asked, progress=kill)
    assert not (tmp_path / "a.narrascore" / "provenance.json").exists()
    stopped = score_film(pipeline, film, asked).folder / "provenance.json"
    assert str(tmp_path) not in stopped.read_text(encoding="utf-8")
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(film, other)
    whole = score_film(pipeline, other / "a.mp4", asked).folder / "provenance.json"
    assert whole.read_bytes() == stopped.read_bytes()


def test_it_follows_a_changed_mix_and_a_curve_edited_by_hand(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 1.0)
    folder = score_film(pipeline, film, options()).folder
    before = read(folder)
    score_film(pipeline, film, options(mix=MixSettings(loudness=-24)))
    after = read(folder)
    assert after["outputs"][0] == before["outputs"][0]
    assert after["outputs"][1]["sha256"] == sha256(film.with_name("a.scored.mp4")) != before["outputs"][1]["sha256"]
    assert json.loads((folder / "versions" / "1" / "provenance.json").read_text(encoding="utf-8")) == before
    (folder / "curve.csv").write_text("time_seconds,valence,arousal\n0,-0.9,0.9\n", encoding="utf-8")
    score_film(pipeline, film, options(mix=MixSettings(loudness=-24)))
    edited = read(folder)
    assert edited["curve"] == {"sha256": sha256(folder / "curve.csv"), "source": "edited"}
    assert edited["outputs"][0]["sha256"] == sha256(folder / "music.wav") != before["outputs"][0]["sha256"]


def test_a_finished_job_without_one_gets_it(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 1.0, sound=False)
    asked = options(audio="music-only")
    path = score_film(pipeline, film, asked).folder / "provenance.json"
    kept = path.read_bytes()
    path.unlink()
    assert not score_film(pipeline, film, asked).stage_seconds
    assert path.read_bytes() == kept
    assert score_film(pipeline, film, asked).already_finished


def test_the_files_themselves_say_so_where_the_film_has_no_word_of_its_own(pipeline: Pipeline, tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mp4", 1, 5, metadata={"title": "A film"})
    spoken = make_film(tmp_path / "spoken.mkv", 1, 5, metadata={"comment": "of mine", "title": "A film"})
    for film, comment in ((plain, TAG), (spoken, "of mine")):
        result = score_film(pipeline, film, options())
        with soundfile.SoundFile(result.folder / "music.wav") as music:
            assert music.comment == TAG
        with av.open(str(result.film)) as scored:
            tags = {name.lower(): value for name, value in scored.metadata.items()}
        assert (tags["comment"], tags["title"]) == (comment, "A film")
