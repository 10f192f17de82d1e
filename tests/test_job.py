from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from narrascore import AffectCurve, MusicalAnchor, Pipeline
from narrascore.errors import InputError, InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.manifest import locked
from narrascore.media.film import Film
from narrascore.media.mix_settings import MixSettings
from narrascore.windows import samples_of
from tests.films import write_clip
from tests.systems import tiny_pipeline

SECONDS = 1.0
RESULTS = ("music.wav", "curve.csv", "anchor.json", "manifest.json", "figure.png", "report.html")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", SECONDS)


@pytest.fixture
def film(clip: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "a.mp4"
    copy.write_bytes(clip.read_bytes())
    return copy


def job_folder(film: Path) -> Path:
    return film.with_name("a.narrascore")


def times(*paths: Path) -> dict[str, int]:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return {str(file): file.stat().st_mtime_ns for file in files if file.name != ".lock"}


def contents(folder: Path) -> dict[str, bytes]:
    """What two runs of one job must have in common: everything but the manifest and the report, which hold times."""
    names = ("music.wav", "curve.csv", "anchor.json", "figure.png", "windows/codes.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_job_leaves_everything_and_all_of_it_can_be_read(pipeline: Pipeline, film: Path) -> None:
    told: list[str] = []
    result = score_film(pipeline, film, progress=lambda stage, done, total: told.append(stage))
    folder = job_folder(film)
    assert (result.folder, result.film) == (folder, film.with_name("a.scored.mp4"))
    assert list(dict.fromkeys(told)) == ["read", "compose", "render", "film"]
    assert all((folder / name).is_file() for name in RESULTS)
    assert not [path.name for path in film.parent.rglob("*.part*")]

    music = soundfile.info(folder / "music.wav")
    assert music.frames == samples_of(Film.open(film).duration_seconds, 8000)
    assert music.subtype == "PCM_24"
    assert len(AffectCurve.from_csv(folder / "curve.csv")) == 1
    assert MusicalAnchor.from_json(folder / "anchor.json").reader == "cinematic"

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["state"] == "finished"
    assert manifest["licences"] == {"music": "none"}
    assert manifest["environment"]["versions"]["torch"]
    assert set(manifest["stage_seconds"]) == {"read", "curve", "anchor", "cues", "compose", "render", "figure", "film"}
    assert [row["index"] for row in manifest["windows"]] == [0, 1, 2, 3]
    assert len({row["key"] for row in manifest["windows"]}) == 4
    assert [row["stop_seconds"] for row in manifest["windows"]] == [0.4, 0.65, 0.9, 1.0]
    assert manifest["levels"]["mode"] == "duck"

    with av.open(str(result.film)) as scored, av.open(str(film)) as original:
        assert len(scored.streams.audio) == 2
        pictures = [[frame.to_ndarray() for frame in source.decode(video=0)] for source in (scored, original)]
    assert np.array_equal(pictures[0], pictures[1])


def test_a_finished_job_does_nothing_when_run_again(pipeline: Pipeline, film: Path) -> None:
    score_film(pipeline, film)
    before = times(film.parent)
    result = score_film(pipeline, film)
    assert result.already_finished
    assert times(film.parent) == before
    assert not result.stage_seconds


def test_killed_run_resumes_to_the_same_bytes(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    def kill(stage: str, done: float, total: float) -> None:
        if stage == "compose" and done > 60:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError) as caught:
        score_film(pipeline, film, progress=kill)
    assert caught.value.exit_code == 5
    folder = job_folder(film)
    first = folder / "windows" / "00000.safetensors"
    before = times(first, folder / "reading", folder / "curve.csv")
    assert not (folder / "music.wav").exists()
    result = score_film(pipeline, film)
    assert times(first, folder / "reading", folder / "curve.csv") == before
    assert result.version is None

    whole = score_film(pipeline, film, ScoreOptions(output=tmp_path / "whole"))
    assert contents(folder) == contents(whole.folder)
    assert whole.film is not None and result.film is not None
    assert result.film.read_bytes() == whole.film.read_bytes()


@pytest.mark.parametrize("stage", ["read", "render", "film"])
def test_a_run_stopped_in_any_stage_goes_on(pipeline: Pipeline, film: Path, stage: str) -> None:
    def kill(now: str, done: float, total: float) -> None:
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, progress=kill)
    result = score_film(pipeline, film)
    assert result.film is not None and result.film.is_file()
    assert result.version is None
    assert score_film(pipeline, film).already_finished


@pytest.mark.slow
def test_a_run_killed_by_the_system_goes_on(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from narrascore.job import score_film\n"
        "from tests.systems import tiny_pipeline\n"
        "def stall(stage, done, total):\n"
        "    if stage == 'compose' and done > 60:\n"
        "        print('here', flush=True)\n"
        "        time.sleep(60)\n"
        "score_film(tiny_pipeline(Path(sys.argv[1])), sys.argv[2], progress=stall)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "tiny"), str(film)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as run:
        assert run.stdout is not None and run.stdout.readline() == b"here\n"
        with pytest.raises(InputError, match="another run"):
            score_film(pipeline, film)
        os.kill(run.pid, signal.SIGKILL)
    own = tiny_pipeline(tmp_path / "tiny")
    score_film(own, film)
    whole = score_film(own, film, ScoreOptions(output=tmp_path / "whole"))
    assert contents(job_folder(film)) == contents(whole.folder)


def test_an_edited_curve_redoes_the_music_and_keeps_the_earlier_one(pipeline: Pipeline, film: Path) -> None:
    score_film(pipeline, film)
    folder = job_folder(film)
    old = contents(folder)
    reading = times(folder / "reading")
    (folder / "curve.csv").write_text("time_seconds,valence,arousal\n0,-0.9,0.9\n", encoding="utf-8")
    edited = (folder / "curve.csv").read_bytes()

    result = score_film(pipeline, film)
    version = folder / "versions" / "1"
    assert result.version == version
    assert set(result.stage_seconds) == {"compose", "render", "figure", "film"}
    assert times(folder / "reading") == reading
    assert (folder / "curve.csv").read_bytes() == edited
    assert (folder / "windows" / "codes.safetensors").read_bytes() != old["windows/codes.safetensors"]
    assert (version / "windows" / "codes.safetensors").read_bytes() == old["windows/codes.safetensors"]
    assert (version / "windows" / "curve.csv").read_bytes() == old["curve.csv"]
    kept = {path.name for path in version.iterdir()}
    told = {"report.html", "manifest.json", "provenance.json"}
    assert kept == {"music.wav", "figure.png", "windows", "a.scored.mp4"} | told
    assert score_film(pipeline, film).already_finished

    # The edit stays when something else changes, and goes to a version of its own when all is made anew.
    score_film(pipeline, film, ScoreOptions(seed=1))
    assert (folder / "curve.csv").read_bytes() == edited
    forced = score_film(pipeline, film, ScoreOptions(force=True))
    assert forced.version is not None
    assert (forced.version / "curve.csv").read_bytes() == edited
    assert contents(folder) == old


def test_an_edited_anchor_is_used(pipeline: Pipeline, film: Path) -> None:
    score_film(pipeline, film)
    folder = job_folder(film)
    path = folder / "anchor.json"
    old, anchor = (folder / "windows" / "codes.safetensors").read_bytes(), json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**anchor, "genre": "calm piano"}), encoding="utf-8")
    result = score_film(pipeline, film)
    assert "curve" not in result.stage_seconds and "compose" in result.stage_seconds
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["anchor"].startswith("calm piano")
    assert (folder / "windows" / "codes.safetensors").read_bytes() != old


def test_a_spoiled_curve_is_named_by_its_line_and_nothing_is_lost(pipeline: Pipeline, film: Path) -> None:
    score_film(pipeline, film)
    folder = job_folder(film)
    good = (folder / "curve.csv").read_bytes()
    (folder / "curve.csv").write_text("time_seconds,valence,arousal\n0,7,0\n", encoding="utf-8")
    before = times(folder / "music.wav", film.with_name("a.scored.mp4"))
    with pytest.raises(InputError, match="line 2"):
        score_film(pipeline, film)
    assert times(folder / "music.wav", film.with_name("a.scored.mp4")) == before
    (folder / "curve.csv").write_bytes(good)
    score_film(pipeline, film)
    assert times(folder / "music.wav", film.with_name("a.scored.mp4")) == before


def test_another_mix_redoes_the_film_alone(pipeline: Pipeline, film: Path) -> None:
    score_film(pipeline, film)
    folder = job_folder(film)
    before, earlier = times(folder / "music.wav", folder / "windows"), film.with_name("a.scored.mp4").read_bytes()
    result = score_film(pipeline, film, ScoreOptions(audio="replace"))
    assert set(result.stage_seconds) == {"film"}
    assert times(folder / "music.wav", folder / "windows") == before
    assert (folder / "versions" / "1" / "a.scored.mp4").read_bytes() == earlier
    with av.open(str(result.film)) as scored:
        assert len(scored.streams.audio) == 1


def test_the_mix_is_delivered_as_wav_and_follows_its_settings(pipeline: Pipeline, film: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    loud = MixSettings(loudness=-14)
    score_film(pipeline, film, ScoreOptions(deliver=True, prompt="calm strings"))
    folder = job_folder(film)
    for name, channels in (("music.wav", 2), ("mix.wav", 2)):
        sound = soundfile.info(folder / "deliver" / name)
        assert (sound.samplerate, sound.subtype, sound.channels) == (48_000, "PCM_24", channels)
        assert sound.frames == samples_of(Film.open(film).duration_seconds, 48_000)
    assert (folder / "deliver" / "markers.csv").read_text(encoding="utf-8").splitlines()[1].startswith("0.000,section")
    assert (folder / "deliver" / "markers.srt").is_file()
    timeline = otio.adapters.read_from_file(str(folder / "project.otio"))
    tracks = {track.name: track.enabled for track in timeline.tracks}
    assert tracks == {"Picture": True, "Original sound 1": True, "Music": True}
    assert [marker.metadata["narrascore"]["kind"] for marker in timeline.tracks.markers] == ["section"]
    assert score_film(pipeline, film, ScoreOptions(deliver=True, prompt="calm strings")).already_finished
    again = score_film(pipeline, film, ScoreOptions(deliver=True, prompt="calm strings", mix=loud))
    assert set(again.stage_seconds) == {"film", "deliver", "project"}
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["levels"]["target_lufs"] == -14
    assert (folder / "versions" / "1" / "deliver" / "mix.wav").is_file()
    assert (folder / "versions" / "1" / "project.otio").is_file()


def test_without_the_library_for_it_a_project_is_one_note_and_comes_later(
    pipeline: Pipeline, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentimelineio")
    asked, project = (
        ScoreOptions(deliver=True, prompt="calm strings", audio="replace"),
        job_folder(film) / "project.otio",
    )
    with monkeypatch.context() as bare:
        bare.delitem(sys.modules, "narrascore.timeline", raising=False)
        bare.setitem(sys.modules, "opentimelineio", None)
        warnings = score_film(pipeline, film, asked).warnings
    assert [line for line in warnings if "narrascore[timeline]" in line] and not project.exists()
    later = score_film(pipeline, film, asked)
    assert set(later.stage_seconds) == {"project"} and project.is_file()
    assert not any("project.otio" in line for line in later.warnings)


def test_a_sound_track_that_is_not_there_is_refused_before_the_work(film: Path) -> None:
    def load() -> Pipeline:
        raise AssertionError("loaded")

    with pytest.raises(InputError, match="no sound track 3"):
        score_film(load, film, ScoreOptions(mix=MixSettings(track=3)))


def test_music_only_makes_no_film(pipeline: Pipeline, film: Path) -> None:
    result = score_film(pipeline, film, ScoreOptions(audio="music-only", prompt="calm strings"))
    assert result.film is None
    assert not film.with_name("a.scored.mp4").exists()
    assert MusicalAnchor.from_json(job_folder(film) / "anchor.json").reader == "user"


def test_a_given_curve_is_held_to_the_end_of_the_film(pipeline: Pipeline, tmp_path: Path) -> None:
    film, table = write_clip(tmp_path / "a.mp4", 2.0, sound=False), tmp_path / "mine.csv"
    table.write_text("time_seconds,valence,arousal\n0,0.25,-0.5\n", encoding="utf-8")
    options = ScoreOptions(audio="music-only", curve_path=table, prompt="calm strings")
    score_film(pipeline, film, options)
    curve = AffectCurve.from_csv(job_folder(film) / "curve.csv")
    assert curve.values.tolist() == [[0.25, -0.5], [0.25, -0.5]]


def test_gain_and_offset_bend_the_curve_that_is_read_but_not_one_that_was_edited(
    pipeline: Pipeline, film: Path
) -> None:
    table = job_folder(film) / "curve.csv"
    score_film(pipeline, film, ScoreOptions(audio="music-only"))
    read = AffectCurve.from_csv(table)
    bent = ScoreOptions(audio="music-only", curve_gain=-0.5, curve_offset=(0.25, 0.0))
    score_film(pipeline, film, bent)
    expected = read.adjust(-0.5, (0.25, 0.0))
    np.testing.assert_allclose(AffectCurve.from_csv(table).values, expected.values, atol=1e-4)
    table.write_text("time_seconds,valence,arousal\n0,0.5,0.75\n", encoding="utf-8")
    score_film(pipeline, film, bent)
    np.testing.assert_allclose(AffectCurve.from_csv(table).values[0], (0.5, 0.75))


def test_words_that_are_not_understood_are_listed(pipeline: Pipeline, film: Path) -> None:
    options = ScoreOptions(audio="music-only", prompt="calm zither strings")
    result = score_film(pipeline, film, options)
    assert any("zither" in line for line in result.warnings)
    assert MusicalAnchor.from_json(job_folder(film) / "anchor.json").not_understood == ("zither",)
    before = times(job_folder(film) / "music.wav", job_folder(film) / "anchor.json")
    with pytest.raises(UsageError, match="understands no word"):
        score_film(pipeline, film, ScoreOptions(audio="music-only", prompt="zither"))
    assert score_film(pipeline, film, options).version is None
    assert times(job_folder(film) / "music.wav", job_folder(film) / "anchor.json") == before


def test_two_films_of_one_name_have_two_folders(pipeline: Pipeline, film: Path) -> None:
    other = write_clip(film.with_name("a.mov"), SECONDS, sound=False, seed=1)
    options = ScoreOptions(prompt="calm strings")
    first, second = score_film(pipeline, film, options), score_film(pipeline, other, options)
    assert [first.folder.name, second.folder.name] == ["a.narrascore", "a.mov.narrascore"]
    assert first.film is not None and second.film is not None
    assert [first.film.name, second.film.name] == ["a.scored.mp4", "a.mov.scored.mp4"]
    assert score_film(pipeline, film, options).already_finished
    assert score_film(pipeline, other, options).already_finished


def test_a_folder_moved_with_its_film_is_still_finished(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    score_film(pipeline, film, ScoreOptions(prompt="calm strings"))
    target = tmp_path / "elsewhere"
    target.mkdir()
    for name in ("a.mp4", "a.scored.mp4", "a.narrascore"):
        (tmp_path / name).rename(target / name)
    assert score_film(pipeline, target / "a.mp4", ScoreOptions(prompt="calm strings")).already_finished


@pytest.mark.parametrize("name", ["a.scored.mp4", "a.narrascore/diary.txt", "a.narrascore"])
def test_a_foreign_file_in_the_way_is_left_alone(pipeline: Pipeline, film: Path, name: str) -> None:
    foreign = film.parent / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("mine", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(UsageError) as caught:
            score_film(pipeline, film, ScoreOptions(force=force))
        assert caught.value.exit_code == 2
    assert foreign.read_text(encoding="utf-8") == "mine"


def test_the_film_itself_is_never_the_output(pipeline: Pipeline, film: Path) -> None:
    with pytest.raises(UsageError, match="the film itself"):
        score_film(pipeline, film, ScoreOptions(output=film))


def test_an_output_can_be_named(pipeline: Pipeline, film: Path) -> None:
    output = film.parent / "b.mkv"
    result = score_film(pipeline, film, ScoreOptions(output=output, prompt="calm strings", audio="replace"))
    assert result.film == output and output.is_file()
    assert result.folder == film.parent / "b.narrascore"
    with pytest.raises(UsageError, match=r"\.mp4 or \.mkv"):
        score_film(pipeline, film, ScoreOptions(output=film.parent / "b.avi"))


def test_a_locked_folder_is_refused_and_the_lock_ends_with_its_run(pipeline: Pipeline, film: Path) -> None:
    with locked(job_folder(film)), pytest.raises(InputError, match="another run"):
        score_film(pipeline, film)
    assert not job_folder(film).exists()
    assert not score_film(pipeline, film, ScoreOptions(audio="music-only", prompt="calm strings")).already_finished


def test_a_full_disk_is_refused_before_the_work(
    pipeline: Pipeline, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="MiB"):
        score_film(pipeline, film)
    assert not film.with_name("a.scored.mp4").exists()


def test_mixing_with_a_silent_film_is_a_warning(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", SECONDS, sound=False)
    result = score_film(pipeline, film, ScoreOptions(audio="mix", prompt="calm strings"))
    assert any("no sound" in line for line in result.warnings)
    with av.open(str(result.film)) as scored:
        assert len(scored.streams.audio) == 1


def test_the_system_is_loaded_only_for_a_usable_film(film: Path, tmp_path: Path) -> None:
    def load() -> Pipeline:
        raise AssertionError("loaded")

    (tmp_path / "b.mp4").write_bytes(b"")
    with pytest.raises(InputError):
        score_film(load, tmp_path / "b.mp4")
    with pytest.raises(UsageError):
        score_film(load, film, ScoreOptions(output=film))
