"""The reference set: each film's own sound without voices, clip by clip, resumed to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from narrascore.data.film_sets import FilmSetSettings, prepare_films
from narrascore.data.films import LabelledFilm
from narrascore.data.reference_music import SAMPLE_RATE_HZ, write_reference_music
from narrascore.data.separation import Separator
from narrascore.media.film import Film
from tests.data import film_set_material as material
from tests.data.tiny_demucs import export_tiny_htdemucs, tiny_htdemucs
from tests.films import write_clip
from tests.media.films import Track, make_film

pytest.importorskip("demucs")

SECONDS = 45.4
SPANS = [(0, 30), (15, 45), (16, 46)]


def deaf_remover() -> Separator:
    """Its model's weights are all zero, so that it hears no voices."""
    model = tiny_htdemucs()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return Separator(model)


def steps(seconds: float) -> np.ndarray:
    """`[2, n]` at 48 kHz: a tone whose level names the second; the right channel half as loud."""
    times = np.arange(round(seconds * 48_000)) / 48_000
    level = 0.05 + 0.01 * np.floor(times)
    return np.stack([level, level / 2]).astype(np.float32) * np.sin(2 * np.pi * 440 * times).astype(np.float32)


def level(sound: np.ndarray) -> float:
    return float(np.sqrt(2 * np.mean(sound.astype(np.float64) ** 2)))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    return Film.open(make_film(path, SECONDS, 5, audio=Track(steps(SECONDS), codec="pcm_s16le")))


@pytest.fixture
def labelled(film: Film) -> LabelledFilm:
    return LabelledFilm("film", film.path, np.zeros((46, 2), np.float32), "test")


def test_a_clip_is_its_own_seconds_of_the_film(tmp_path: Path, film: Film, labelled: LabelledFilm) -> None:
    write_reference_music(tmp_path, [(labelled, film)], deaf_remover(), lambda line: None)
    entries = json.loads((tmp_path / "manifest.json").read_text())
    assert [(entry["start_seconds"], entry["stop_seconds"]) for entry in entries] == SPANS == labelled.clips()
    assert {(entry["film"], entry["split"]) for entry in entries} == {("film", "test")}
    for entry, (start, stop) in zip(entries, SPANS, strict=True):
        sound, rate = soundfile.read(tmp_path / entry["file"])
        assert rate == SAMPLE_RATE_HZ and sound.shape == ((stop - start) * rate,)
        for second in range(start, min(stop, 45)):
            middle = sound[(second - start) * rate + rate // 4 : (second - start) * rate + 3 * rate // 4]
            # The mean of the channels, not FFmpeg's sum that keeps the power.
            assert level(middle) == pytest.approx(0.75 * (0.05 + 0.01 * second), rel=0.01)
    assert [entry["silence_share"] for entry in entries] == [0, 0, pytest.approx(6 / 300)]


def test_a_killed_run_resumes_to_the_same_bytes(
    tmp_path: Path, film: Film, labelled: LabelledFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrascore.data.reference_music.STRETCH_CLIPS", 2)
    remover = Separator(tiny_htdemucs())
    said: list[str] = []

    def stop_after_a_stretch(line: str) -> None:
        if "clips made" in line:
            raise KeyboardInterrupt

    write_reference_music(tmp_path / "whole", [(labelled, film)], remover, lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        write_reference_music(tmp_path / "stopped", [(labelled, film)], remover, stop_after_a_stretch)
    assert not (tmp_path / "stopped" / "manifest.json").exists()
    write_reference_music(tmp_path / "stopped", [(labelled, film)], remover, said.append)
    assert said[0] == "film: 1 of 3 clips of music without voices to make"
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes()


def test_a_prepared_set_has_its_music_beside_it(tmp_path: Path) -> None:
    root = material.folder(tmp_path / "set", write_clip(tmp_path / "film.mp4", 6), ["heard", "mute"])
    write_clip(root / "mute.mp4", 6, sound=False)
    weights = export_tiny_htdemucs(tmp_path / "tiny.safetensors")
    settings = FilmSetSettings("folder", root, tmp_path / "out", reference_music=True, separation=str(weights))
    summary = prepare_films(settings, lambda line: None)
    entries = json.loads((tmp_path / "out" / "reference_music" / "manifest.json").read_text())
    assert [entry["file"] for entry in entries] == ["heard/00000-00006.wav"]
    assert "note: mute: no reference music: mute.mp4: no sound track 0" in summary


def test_another_separation_makes_the_clips_again(tmp_path: Path) -> None:
    film = Film.open(write_clip(tmp_path / "film.mp4", 6))
    labelled = LabelledFilm("film", film.path, np.zeros((6, 2), np.float32), "train")
    said: list[str] = []
    clips: list[np.ndarray] = []
    for name, remover in (("deaf", deaf_remover()), ("deaf", deaf_remover()), ("tiny", Separator(tiny_htdemucs()))):
        remover.name = name
        write_reference_music(tmp_path / "music", [(labelled, film)], remover, said.append)
        clips.append(soundfile.read(tmp_path / "music" / "film" / "00000-00006.wav")[0])
    assert [line.split(" of ")[0] for line in said if "to make" in line] == ["film: 1", "film: 0", "film: 1"]
    assert np.array_equal(clips[0], clips[1]) and np.abs(clips[1] - clips[2]).max() > 1e-3
