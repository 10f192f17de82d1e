"""What happens to a job by accident: kills, full and read-only disks, no memory, another library under it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from narrascore import Pipeline, workshop
from narrascore.errors import InputError, InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.manifest import Manifest
from narrascore.media.film import Film
from narrascore.windows import continuation_windows, frames_to_cover
from narrascore.workshop import Workshop
from tests.films import write_clip
from tests.systems import tiny_pipeline, tiny_system_folder

ROOT = Path(__file__).resolve().parents[1]
PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", 1.0)


def stop_in(stage: str, error: type[BaseException] = KeyboardInterrupt) -> Callable[[str, float, float], None]:
    """A progress that raises as soon as a stage has come some way."""

    def progress(now: str, done: float, total: float) -> None:
        if now == stage and done > 0.6 * total:
            raise error

    return progress


# Kills.


def run_until(words: list[str], moment: Callable[[], bool], number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Run the real command and send a signal to all its processes once a moment has come, or let it end before."""
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while process.poll() is None and not moment():
            time.sleep(0.002)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def score_words(film: Path, system: Path) -> list[str]:
    return [sys.executable, "-m", "narrascore.cli.main", "score", str(film), "--system", str(system), "--offline"]


def same_results(folder: Path, whole: Path) -> None:
    """The bytes that two runs of one job have in common."""
    for name in ("music.wav", "curve.csv", "anchor.json", "figure.png", "windows/codes.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    scored = folder.with_name("a.scored.mp4").read_bytes()
    assert scored == whole.with_name("a.scored.mp4").read_bytes()
    assert not list(folder.parent.rglob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are killed by POSIX signals")
def test_a_command_killed_twice_ends_with_the_same_bytes(film: Path, tmp_path: Path) -> None:
    system = tiny_system_folder(tmp_path / "tiny")
    folder, words = film.with_name("a.narrascore"), score_words(film, system)
    second_window = folder / "windows" / "00001.safetensors"
    killed = run_until(words, second_window.exists, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert second_window.is_file() and not (folder / "music.wav").exists()
    kept = second_window.stat().st_mtime_ns

    killed = run_until(words, (folder / "music.wav").exists, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert not film.with_name("a.scored.mp4").exists()
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert second_window.stat().st_mtime_ns == kept
    whole = score_film(Pipeline.from_pretrained(system), film, ScoreOptions(output=tmp_path / "whole"))
    same_results(folder, whole.folder)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is a POSIX signal")
def test_a_polite_kill_says_that_the_command_goes_on(film: Path, tmp_path: Path) -> None:
    words = score_words(film, tiny_system_folder(tmp_path / "tiny"))
    windows = film.with_name("a.narrascore") / "windows"
    stopped = run_until(words, (windows / "00000.safetensors").exists, signal.SIGTERM)
    assert stopped.returncode == 5
    assert stopped.stderr.splitlines()[-1] == "narrascore: a.mp4: stopped; the same command goes on where it stopped"
    assert (windows / "00000.safetensors").is_file()
    assert not list(film.parent.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are killed by POSIX signals")
def test_twenty_kills_at_random_moments_change_no_byte(tmp_path: Path) -> None:
    system, chance = tiny_system_folder(tmp_path / "tiny"), random.Random(0)
    film = write_clip(tmp_path / "a.mp4", 2.4)
    folder, words = film.with_name("a.narrascore"), score_words(film, system)
    begun = time.monotonic()
    whole = score_film(Pipeline.from_pretrained(system), film, ScoreOptions(output=tmp_path / "whole")).folder
    runs_seconds = time.monotonic() - begun

    def at_random() -> Callable[[], bool]:
        """A moment of a run, counted from when it holds its folder: before that, there is nothing to spoil."""
        wait, held = chance.uniform(0, runs_seconds), []

        def moment() -> bool:
            if not held and (folder / ".lock").exists() and _is_held(folder / ".lock"):
                held.append(time.monotonic())
            return bool(held) and time.monotonic() - held[0] > wait

        return moment

    for _ in range(20):
        if run_until(words, at_random(), signal.SIGKILL).returncode == 0:
            same_results(folder, whole)
            run_until([*words, "--force"], at_random(), signal.SIGKILL)  # so that there is something to kill again
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    same_results(folder, whole)


def _is_held(lock: Path) -> bool:
    import fcntl

    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_a_kill_between_two_moves_leaves_one_version(
    pipeline: Pipeline, film: Path, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = score_film(pipeline, film, PLAIN).folder
    left, real = [moves], workshop.move

    def killed(path: Path, target: Path) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, target)

    codes = Path("windows") / "codes.safetensors"
    old = [(folder / name).read_bytes() for name in ("music.wav", codes)]
    with monkeypatch.context() as patch:
        patch.setattr(workshop, "move", killed)
        with contextlib.suppress(InterruptedJobError):
            score_film(pipeline, film, replace(PLAIN, seed=1))
    result = score_film(pipeline, film, replace(PLAIN, seed=1))
    assert [path.name for path in (folder / "versions").iterdir()] == ["1"]
    kept = {path.name for path in (folder / "versions" / "1").iterdir()}
    assert kept == {"music.wav", "figure.png", "report.html", "provenance.json", "manifest.json", "windows"}
    assert [(folder / "versions" / "1" / name).read_bytes() for name in ("music.wav", codes)] == old
    assert (result.folder / codes).read_bytes() != old[1]
    assert score_film(pipeline, film, replace(PLAIN, seed=1)).already_finished
    # The next change has a version of its own.
    assert score_film(pipeline, film, replace(PLAIN, seed=2)).version == folder / "versions" / "2"


def test_a_forced_run_that_was_stopped_goes_on_under_force(pipeline: Pipeline, film: Path) -> None:
    folder, forced = score_film(pipeline, film, PLAIN).folder, replace(PLAIN, force=True)
    with pytest.raises(InterruptedJobError):
        score_film(pipeline, film, forced, progress=stop_in("compose"))
    first = folder / "windows" / "00000.safetensors"
    kept = first.stat().st_mtime_ns
    score_film(pipeline, film, forced)
    assert first.stat().st_mtime_ns == kept
    score_film(pipeline, film, forced)
    assert first.stat().st_mtime_ns != kept


# No memory.


@pytest.mark.parametrize(
    "error", [MemoryError, lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError]
)
def test_without_memory_there_is_one_line_and_the_work_is_kept(
    pipeline: Pipeline, film: Path, error: Callable[[], Exception]
) -> None:
    def exhausted(stage: str, done: float, total: float) -> None:
        if stage == "compose" and done > 60:
            raise error()

    with pytest.raises(InterruptedJobError, match=r"a\.mp4: out of memory; what is finished is kept"):
        score_film(pipeline, film, PLAIN, progress=exhausted)
    assert (film.with_name("a.narrascore") / "windows" / "00000.safetensors").is_file()


def test_another_error_is_not_taken_for_that(pipeline: Pipeline, film: Path) -> None:
    def broken(stage: str, done: float, total: float) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        score_film(pipeline, film, PLAIN, progress=broken)


# Another engine under a job.


@pytest.fixture
def left_by_another_version(pipeline: Pipeline, film: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job whose first windows were composed by a system that knew of one library less."""
    with monkeypatch.context() as patch:
        patch.setattr("narrascore.units.LIBRARIES", ("narrascore", "torch", "transformers"))
        with pytest.raises(InterruptedJobError):
            score_film(pipeline, film, PLAIN, progress=stop_in("compose"))
    return film.with_name("a.narrascore")


def test_another_version_does_not_go_on_by_itself(
    pipeline: Pipeline, film: Path, left_by_another_version: Path
) -> None:
    first = left_by_another_version / "windows" / "00000.safetensors"
    kept = first.stat().st_mtime_ns
    with pytest.raises(UsageError, match=r"numpy None then, .* now.*--engine-change .* --force") as caught:
        score_film(pipeline, film, PLAIN)
    assert caught.value.exit_code == 2 and first.stat().st_mtime_ns == kept
    score_film(pipeline, film, replace(PLAIN, force=True))
    assert first.stat().st_mtime_ns != kept


def test_a_change_of_engine_that_is_asked_for_stands_in_the_manifest(
    pipeline: Pipeline, film: Path, left_by_another_version: Path
) -> None:
    first = left_by_another_version / "windows" / "00000.safetensors"
    kept = first.stat().st_mtime_ns
    score_film(pipeline, film, replace(PLAIN, engine_change=True))
    assert first.stat().st_mtime_ns == kept
    manifest = Manifest.load(left_by_another_version)
    assert manifest is not None
    (change,) = manifest.data["engine_changes"]
    assert "numpy" not in change["before"]["versions"] and "numpy" in manifest.data["environment"]["versions"]
    made_in = [row["environment"] for row in manifest.data["windows"]]
    assert made_in[0] == change["environment"] and made_in[-1] != change["environment"]
    assert score_film(pipeline, film, PLAIN).already_finished


def test_a_run_goes_on_with_the_threads_it_began_with(pipeline: Pipeline, film: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with pytest.raises(InterruptedJobError):
            score_film(pipeline, film, PLAIN, progress=stop_in("compose"))
    finally:
        torch.set_num_threads(before)
    folder = score_film(pipeline, film, PLAIN).folder
    manifest = Manifest.load(folder)
    assert manifest is not None and manifest.data["environment"]["threads"] == before + 1
    assert torch.get_num_threads() == before


# The disk.


@contextlib.contextmanager
def disk(place: Path, size_mib: int) -> Iterator[Path]:
    """A small disk of its own; skipped where the system does not let one be made."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is of Linux")
def test_a_disk_that_fills_up_costs_only_what_was_in_the_making(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    whole = score_film(pipeline, film, replace(PLAIN, output=tmp_path / "whole")).folder
    with disk(tmp_path / "small", 80) as small:
        options = replace(PLAIN, output=small)

        def fill(stage: str, done: float, total: float) -> None:
            if stage == "compose" and done > 60 and not (small / "filler").exists():
                with contextlib.suppress(OSError), (small / "filler").open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(2**16))

        with pytest.raises(InputError, match="the disk is full"):
            score_film(pipeline, film, options, progress=fill)
        assert (small / "a.narrascore" / "windows" / "00000.safetensors").is_file()
        assert not list(small.rglob("*.part"))
        (small / "filler").unlink()
        folder = score_film(pipeline, film, options).folder
        assert (folder / "music.wav").read_bytes() == (whole / "music.wav").read_bytes()
        with (small / "filler").open("wb") as file:
            file.write(bytes(40 * 2**20))
        with pytest.raises(InputError, match="MiB are free where"):
            score_film(pipeline, film, replace(options, seed=1))
        assert (folder / "music.wav").read_bytes() == (whole / "music.wav").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is of Linux")
def test_a_disk_that_cannot_be_written_is_named(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", 4) as small:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        with pytest.raises(InputError, match=r"cannot be written .*; choose another place with -o"):
            score_film(pipeline, film, replace(PLAIN, output=small))


def test_ten_hours_are_checked_against_the_disk_first(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = film.with_name("a.narrascore")
    folder.mkdir()
    long = replace(Film.open(film), duration_seconds=Fraction(36_000))
    shop = Workshop(long, folder, None, Manifest(folder))
    shop.sound_bytes_per_second = 48_000 * 2 * 3
    needed = shop.needed_bytes()
    assert 36_000 * 48_000 * 2 * 3 <= needed <= 1.1 * 36_000 * 48_000 * 2 * 3
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10 * 2**30})())
    with pytest.raises(InputError, match="10240 MiB are free where 1"), shop.stage("read", []):
        pass
    assert not (folder / "manifest.json").exists()
    # What is held in memory for ten hours: the codes of the embedded system, 20 MB, and their windows.
    frames = frames_to_cover(long.duration_seconds, 25)
    windows = continuation_windows(frames, 750, 300)
    assert frames * 11 * 2 < 20e6 and len(windows) == 2000 and windows[-1].stop == frames


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("time_seconds,valence,arousal\n0,nan,0\n", "line 2"),
        ("time,v,a\n0,0,0\n", "line 1"),
        ("time_seconds,valence,arousal\n0,0,0\n1,0,3\n", "line 3"),
        ("time_seconds,valence,arousal\n1,0,0\n1,0,0\n", "line 3: times must rise"),
        ("time_seconds,valence,arousal\n", "no rows"),
    ],
)
def test_a_curve_that_is_none_is_refused_and_leaves_no_trace(
    pipeline: Pipeline, film: Path, table: str, said: str
) -> None:
    path = film.with_name("mine.csv")
    path.write_text(table, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        score_film(pipeline, film, replace(PLAIN, curve_path=path))
    assert not film.with_name("a.narrascore").exists()
