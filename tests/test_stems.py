"""Stems of music that is sound: exact to the sample, adding up to the music, and refused before the work if need be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrascore import Pipeline
from narrascore.cli.main import main
from narrascore.errors import InterruptedJobError, ModelUnavailableError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.media.audio import read_wav, write_wav
from narrascore.stems import REST, Separator, load_separator, write_sound_stems
from tests.data.tiny_demucs import SOURCES, export_tiny_htdemucs, tiny_htdemucs
from tests.films import write_clip
from tests.hub_server import serve_hub
from tests.media.films import Sound
from tests.systems import tiny_pipeline, tiny_system_folder

pytest.importorskip("demucs")

QUANTUM = 2.0**-23
"""One step of 24 bits. Each of four stems is rounded by half of one, and the sums of floats by less."""
ITS_HZ = 8000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny_htdemucs(tmp_path_factory.mktemp("demucs") / "tiny.safetensors")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_system_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pipeline(system: Path) -> Pipeline:
    return tiny_pipeline(system)


def options(weights: str | Path, **more: object) -> ScoreOptions:
    return ScoreOptions(audio="music-only", prompt="calm strings", stems=True, separation=str(weights), **more)  # type: ignore[arg-type]


def noise(folder: Path, samples: int, rate_hz: int, channels: int, level: float = 0.05) -> Path:
    sound = (np.random.default_rng(0).standard_normal((channels, samples)) * level).astype(np.float32)
    return write_wav(folder / "music.wav", [sound], rate_hz, channels)


def sound_of(path: Path) -> Sound:
    sound, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(sound.T)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 2), (12_000, 1), (32_000, 1), (44_100, 2)])
def test_stems_are_exact_and_add_up_to_the_music(tmp_path: Path, rate_hz: int, channels: int) -> None:
    music = noise(tmp_path, rate_hz * 3 + 17, rate_hz, channels)
    stems = write_sound_stems(tmp_path / "stems", music, Separator(tiny_htdemucs()))
    assert [path.stem for path in stems] == sorted(SOURCES)
    for path in stems:
        info = soundfile.info(path)
        assert (info.frames, info.samplerate, info.channels) == (rate_hz * 3 + 17, rate_hz, channels)
        assert info.subtype == "PCM_24" and np.abs(sound_of(path)).max() > 1000 * QUANTUM
    difference = np.sum([sound_of(path).astype(np.float64) for path in stems], axis=0) - sound_of(music)
    assert np.abs(difference).max() <= 4 * QUANTUM


def test_a_stem_is_what_demucs_hears_and_comes_neither_early_nor_late(tmp_path: Path) -> None:
    """Up to the music's rate and down again, but for what the two filters take off the top of the band."""
    separator = Separator(tiny_htdemucs())
    music = noise(tmp_path, 36_000, 12_000, 1)
    write_sound_stems(tmp_path / "stems", music, separator)
    heard = separator.separate(read_wav(music, sample_rate_hz=ITS_HZ))
    drums = np.concatenate([sources[SOURCES.index("drums")].mean(axis=0) for _, sources in heard])
    (written,) = np.concatenate(
        list(read_wav(tmp_path / "stems" / "drums.wav", sample_rate_hz=ITS_HZ, layout="mono")), axis=1
    )
    low = np.fft.rfftfreq(len(drums), 1 / ITS_HZ) < 0.8 * ITS_HZ / 2
    spectra = [np.fft.rfft(each)[low] for each in (drums, written[: len(drums)])]
    assert np.linalg.norm(spectra[1] - spectra[0]) < 0.01 * np.linalg.norm(spectra[0])


def test_stems_that_would_clip_are_turned_down_alike(tmp_path: Path) -> None:
    music = noise(tmp_path, 20_000, ITS_HZ, 2, level=0.3)
    model = tiny_htdemucs()
    for parameter in (*model.decoder[-1].conv_tr.parameters(), *model.tdecoder[-1].conv_tr.parameters()):
        parameter.data *= 30
    stems = [sound_of(path) for path in write_sound_stems(tmp_path / "stems", music, Separator(model))]
    assert max(np.abs(stem).max() for stem in stems) == pytest.approx(0.98, abs=1e-4)
    total, whole = np.sum(stems, axis=0, dtype=np.float64), sound_of(music)
    gain = float((total * whole).sum() / (whole**2).sum())
    assert 0 < gain < 0.9 and np.abs(total - gain * whole).max() < 1e-5


def test_a_job_takes_its_sound_apart_and_does_so_once(pipeline: Pipeline, weights: Path, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 1.0, sound=False)
    result = score_film(pipeline, film, options(weights))
    assert {path.stem for path in (result.folder / "stems").iterdir()} == set(SOURCES)
    frames = {soundfile.info(path).frames for path in (result.folder / "stems").iterdir()}
    assert frames == {soundfile.info(result.folder / "music.wav").frames}
    manifest = json.loads((result.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["separation"]["separation"].startswith("tiny.safetensors/")
    assert "separation" in manifest["licences"]
    shutil.move(weights, weights.with_name("elsewhere"))
    try:
        assert score_film(pipeline, film, options(weights)).already_finished
    finally:
        shutil.move(weights.with_name("elsewhere"), weights)


def test_a_run_stopped_before_its_stems_goes_on_to_the_same_bytes(
    pipeline: Pipeline, weights: Path, tmp_path: Path
) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        if stage == "render":
            raise KeyboardInterrupt

    film = write_clip(tmp_path / "a.mp4", 1.0, sound=False)
    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, options(weights), progress=kill)
    stopped = score_film(pipeline, film, options(weights))
    whole = score_film(pipeline, film, options(weights, output=tmp_path / "whole"))
    for name in SOURCES:
        path = f"stems/{name}.wav"
        assert (stopped.folder / path).read_bytes() == (whole.folder / path).read_bytes()


def test_weights_that_are_missing_are_missed_before_anything_is_composed(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    film, told = write_clip(tmp_path / "a.mp4", 1.0, sound=False), []
    with pytest.raises(ModelUnavailableError, match="narrascore download adefossez/HTDemucs") as caught:
        score_film(pipeline, film, options("htdemucs", offline=True), progress=lambda stage, *_: told.append(stage))
    assert caught.value.exit_code == 4 and told == []
    assert not list((tmp_path / "a.narrascore").glob("*.wav")) and not (tmp_path / "a.narrascore" / "windows").exists()


def test_the_command_line_says_it_in_one_line(
    system: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    film = write_clip(tmp_path / "a.mp4", 1.0, sound=False)
    words = ["score", str(film), "--system", str(system), "--stems", "--offline"]
    assert main(words) == 4
    assert "narrascore download adefossez/HTDemucs" in capsys.readouterr().err.splitlines()[-1]
    assert main([*words, "--separation", "none such"]) == 3
    assert "separation none such" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob("a.narrascore/*.wav"))


def test_the_score_of_a_pipeline_has_them_too(pipeline: Pipeline, weights: Path, tmp_path: Path) -> None:
    score = pipeline(write_clip(tmp_path / "a.mp4", 1.0, sound=False))
    stems = score.write_stems(tmp_path / "stems", separation=weights)
    music = score.write_music(tmp_path / "music.wav")
    difference = np.sum([sound_of(path).astype(np.float64) for path in stems], axis=0) - sound_of(music)
    assert {path.stem for path in stems} == set(SOURCES) and np.abs(difference).max() <= 4 * QUANTUM
    assert sorted(path.name for path in (tmp_path / "stems").iterdir()) == [path.name for path in stems]


def test_without_the_library_the_extra_is_named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "demucs"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "demucs", None)
    with pytest.raises(UsageError, match=r"narrascore\[data\]"):
        load_separator(weights)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_music(tmp_path: Path) -> None:
    """Peak memory after half a minute, and after eight minutes whose four stems are 61 MB as floats."""
    program = f"""
import resource
from pathlib import Path
import numpy as np
from narrascore.media.audio import write_wav
from narrascore.stems import Separator, write_sound_stems
from tests.data.tiny_demucs import tiny_htdemucs
folder, separator, noise = Path({str(tmp_path)!r}), Separator(tiny_htdemucs()), np.random.default_rng(0)
for seconds in (30, 480):
    blocks = (noise.standard_normal((1, 8000), np.float32) * np.float32(0.05) for _ in range(seconds))
    music = write_wav(folder / f"{{seconds}}.wav", blocks, 8000, 1)
    write_sound_stems(folder / str(seconds), music, separator)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = (int(line) / 1024 for line in run.stdout.split())
    assert after - before < 20


@pytest.mark.slow
def test_the_command_that_is_named_brings_the_weights(weights: Path, tmp_path: Path) -> None:
    program = (
        "from narrascore.stems import load_separator\n"
        "separator = load_separator('htdemucs', offline=True)\n"
        "print(separator.sources, separator.licence)\n"
    )
    with serve_hub("adefossez/HTDemucs", {"955717e8.safetensors": weights.read_bytes()}) as hub:
        home = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
        for words in (
            ["-m", "narrascore.cli.main", "download", "adefossez/HTDemucs"],
            ["-c", program],
        ):
            done = subprocess.run([sys.executable, *words], env=home, capture_output=True, text=True, check=True)
            assert "MIT" in done.stdout
    assert REST in done.stdout
