"""Inputs that real people and hostile ones bring, through the command itself: a right result, or one clear line.

The numbers are those of the list of inputs that this project was designed against. Full disks, locks, kills and films
of many hours are the job folder's, in test_job.py.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile

from narrascore import Pipeline
from narrascore.cli.main import main
from narrascore.windows import samples_of
from tests import odd_films
from tests.media.films import Track, make_film, tone
from tests.systems import tiny_pipeline

Make = Callable[[Path], Path]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def pipeline(system: Path) -> Pipeline:
    return tiny_pipeline(system)


@pytest.fixture
def score(
    system: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`narrascore score` with the tiny system, loaded once; returns the exit code and what was said of errors."""

    def run(*words: str | Path) -> tuple[int, str]:
        code = main(["score", "--system", str(system), "--offline", *map(str, words)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return code, said.err

    monkeypatch.setattr(Pipeline, "from_settings", classmethod(lambda cls, settings: pipeline))
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def made(name: str, make: Callable[..., Path], **options: Any) -> Callable[[Path], Path]:
    return lambda folder: make(folder / name, **options)


def link(target: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "a.mp4").symlink_to(folder / target)
        return folder / "a.mp4"

    return make


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "a.mp4")
    return folder / "a.mp4"


def unreadable(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("the superuser may read every file")
    path = make_film(folder / "a.mp4", seconds=0.2)
    path.chmod(0)
    return path


def folder_named_so(folder: Path) -> Path:
    (folder / "a.mp4").mkdir()
    return folder / "a.mp4"


def script(text: str) -> Make:
    def make(folder: Path) -> Path:
        make_film(folder / "real.mp4", seconds=0.2)
        return write(folder / "a.mp4", text)

    return make


film = partial(made, make=make_film)

REFUSED: list[tuple[str, Make, str]] = [
    ("1 empty", made("a.mp4", write, data=b""), "the file is empty"),
    ("1 zeros", made("a.mp4", write, data=bytes(9999)), "not a video"),
    ("1 text", made("a.mp4", write, data="Call me Ishmael. " * 300), "not a video"),
    ("2 cut MP4", lambda folder: odd_films.cut(make_film(folder / "a.mp4"), 0.6), "remux or repair"),
    ("4 much damage", made("a.mp4", odd_films.broken_in_the_middle, share=0.8), "too many for the music to follow"),
    ("5 sound only", made("a.m4a", odd_films.sound_only), "sound only; the music follows a picture"),
    ("5 subtitles only", made("a.mkv", odd_films.subtitles_only), "no moving picture"),
    ("5 subtitle file", made("a.srt", write, data="1\n00:00:00,000 --> 00:00:01,000\nHush.\n"), "not a video"),
    ("9 a clock run wild", film("a.mkv", times=[0.0, 0.1, 360_001.0]), "hours, where 100 is the most"),
    ("11 8192 x 8192", made("a.png", odd_films.huge_png), "above the limit of"),
    ("11 a line", film("a.mkv", seconds=0.2, size=(640, 2), codec="ffv1"), "one side more than 32 times the other"),
    ("11 pixels like planks", film("a.mkv", seconds=0.2, aspect=Fraction(40, 1)), "mend its pixel aspect"),
    ("15 loop", link("a.mp4"), "cannot be opened"),
    ("15 link to nothing", link("b.mp4"), "cannot be opened"),
    ("15 folder", folder_named_so, "a folder"),
    ("15 FIFO", fifo, "not a regular file"),
    ("15 device", lambda folder: Path("/dev/zero"), "not a regular file"),
    ("15 no permission", unreadable, "no permission"),
    ("15 absent", lambda folder: folder / "a.mp4", "cannot be opened"),
    ("17 ffconcat", script("ffconcat version 1.0\nfile 'real.mp4'\n"), "not a video"),
    ("17 HLS", script("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n"), "not a video"),
    ("17 SDP", script("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\n"), "not a video"),
]


@pytest.mark.parametrize(("make", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_in_one_line_and_nothing_is_left(
    make: Make, says: str, score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    path = make(tmp_path)
    before = contents(tmp_path)
    code, said = score(path, *(["-o", tmp_path / "out"] if path.is_char_device() else []))
    assert code == 3
    assert says in said and said.startswith("narrascore: ") and said.count("\n") == 1
    left = contents(tmp_path)
    assert {name: data for name, data in left.items() if name in before} == before
    assert not [name for name in left if name.endswith((".part", ".wav", ".csv", ".png")) and name not in before]
    assert not [name for name in left if ".scored." in name]


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4", "data:video/mp4;base64,AAAA"],
)
def test_16_addresses_are_refused(address: str, score: Callable[..., tuple[int, str]]) -> None:
    code, said = score(address)
    assert code == 3 and "an address, not a file" in said and said.count("\n") == 1


BROKEN_PARTS = partial(odd_films.broken_in_the_middle, share=0.12)
TAKEN: list[tuple[str, Make, float, str, tuple[str, ...]]] = [
    ("4 some damage", made("a.mp4", BROKEN_PARTS), 1, "pictures cannot be decoded; the last good one was held", ()),
    ("6 one picture", film("a.png", seconds=0.04, **odd_films.PNG), 0.7, "was encoded", ("--still-seconds", "0.7")),
    ("6 GIF", film("a.gif", seconds=1, codec="gif", rate=10), 1, "was encoded", ()),
    ("6 one frame", film("a.mp4", seconds=0.04), 0.6, "was encoded", ("still_seconds=0.6",)),
    ("6 two frames", film("a.mp4", seconds=0.08), 0.08, "", ()),
    ("7 no duration", film("a.mkv", seconds=1, container_options={"live": "1"}), 1, "", ()),
    ("7 a wrong one", made("a.mkv", odd_films.wrong_about_its_length, claimed_ms=3e7), 1, "says it lasts 30000.0", ()),
    ("8 variable rate", film("a.mp4", times=[0.0, 0.1, 0.6, 0.65, 0.96]), 1, "", ()),
    ("9 clock starts again", made("a.ts", odd_films.joined), 2.8, "the clock of the picture starts again", ()),
    ("9 late start", film("a.mkv", seconds=1, start_seconds=0.8), 1, "", ()),
    ("9 edit list", made("edited.mp4", odd_films.edited, from_seconds=1, seconds=0.6), 0.6, "", ()),
    ("9 no display times", film("a.avi", seconds=1), 1, "", ()),
    ("10 turned", film("a.mp4", seconds=1, rotation=90), 1, "", ()),
    ("10 wide pixels", film("a.mp4", seconds=1, aspect=Fraction(3, 2)), 1, "", ()),
    ("10 interlaced", made("a.mp4", odd_films.interlaced), 1, "", ()),
    ("10 HDR", made("a.mp4", odd_films.hdr), 1, "HDR picture (PQ)", ()),
    ("11 8 x 8", film("a.mp4", seconds=1, size=(8, 8)), 1, "", ()),
    ("11 odd sides", film("a.mkv", seconds=1, size=(15, 9), codec="ffv1"), 1, "", ()),
    ("13 two pictures", made("a.mkv", odd_films.two_pictures), 1, "a second picture or cover", ()),
    ("13 cover", made("a.mp4", odd_films.with_cover), 1, "a second picture or cover", ()),
    ("23 silent sound", made("a.mp4", odd_films.sounding, sound=tone(1, level=0)), 1, "", ()),
    ("23 music in it", made("a.mp4", odd_films.sounding, sound=odd_films.music(1)), 1, "", ()),
    ("23 short sound", made("a.mp4", odd_films.sounding, sound=tone(0.3)), 1, "", ()),
    ("23 long sound", made("a.mp4", odd_films.sounding, sound=tone(2.5)), 1, "", ()),
]


@pytest.mark.parametrize(
    ("make", "seconds", "warns", "words"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN]
)
def test_scored_at_its_right_length(
    make: Make,
    seconds: float,
    warns: str,
    words: tuple[str, ...],
    score: Callable[..., tuple[int, str]],
    tmp_path: Path,
) -> None:
    path = make(tmp_path)
    code, said = score(path, *words)
    assert code == 0, said
    assert warns in said
    music = soundfile.info(path.with_suffix(".narrascore") / "music.wav").frames
    assert music / 8000 == pytest.approx(seconds, abs=0.0015)  # MKV counts milliseconds
    (scored,) = tmp_path.glob("*.scored.*")
    with av.open(str(scored)) as container:
        pictures = [packet for packet in container.demux(video=0) if packet.size and not packet.is_discard]
        shown = sorted(packet.pts * packet.time_base for packet in pictures)
    with av.open(str(scored)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
    # Behind an edit list's end stay the few pictures that the last ones shown are decoded from.
    assert shown[0] == 0 and shown[-1] < seconds + (0.1 if path.name == "edited.mp4" else 0)
    assert heard / 48_000 == pytest.approx(seconds, abs=1024 / 48_000 + 0.001)  # a last frame of AAC at most


def test_3_a_recording_that_was_cut_lasts_as_long_as_its_frames(
    score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    # Many short clusters, as a recorder writes that may lose its power at any time.
    path = make_film(tmp_path / "a.mkv", seconds=3, container_options={"cluster_time_limit": "200"})
    odd_films.cut(path, 0.5)
    with av.open(str(path)) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    seconds = max(shown) - min(shown) + Fraction(1, 25)
    assert 0.5 < seconds < 2.5
    code, said = score(path)
    assert code == 0 and "the file says it lasts 3.0 s but ends at" in said
    assert soundfile.info(tmp_path / "a.narrascore" / "music.wav").frames == pytest.approx(
        samples_of(seconds, 8000), abs=12
    )


@pytest.mark.parametrize("name", ["a.m4a", "a.wav", "a.mkv"])
def test_5_a_curve_stands_in_for_the_picture(name: str, score: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = odd_films.sound_only(tmp_path / name, "pcm_s16le" if name == "a.wav" else "aac")
    curve = write(tmp_path / "c.csv", "time_seconds,valence,arousal\n0,-0.5,0.5\n1,0.5,0.5\n")
    code, said = score(path, "--curve", curve)
    assert code == 0 and "no picture in it" in said
    assert soundfile.info(tmp_path / "a.narrascore" / "music.wav").duration == pytest.approx(1, abs=0.03)
    assert not list(tmp_path.glob("*.scored.*"))
    code, said = score(path, "--curve", curve, "--audio", "mix")
    assert code == 2 and "no picture, so there is no film to write" in said


def test_6_a_still_is_shown_for_a_sane_time(score: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.png", seconds=0.04, **odd_films.PNG)
    for seconds in ("0", "-1", "1e9"):
        code, said = score(path, "--still-seconds", seconds)
        assert code == 2 and "still_seconds must be in" in said and said.count("\n") == 1


NAMES = [
    "--help.mp4",
    "a b'\"$(touch x)=1,2.mp4",
    "película\n2.mp4",
    "seed=3",
    "-o",
    "k@{}~${oc.env:HOME}.mp4",
    "кино.mkv",
]


@pytest.mark.parametrize("name", NAMES)
def test_14_any_name_is_a_name(
    name: str, score: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_film(tmp_path / "plain.mp4", seconds=0.4).rename(tmp_path / name)
    code, said = score("--audio", "music-only", "--", name)
    assert code == 0, said
    assert [path.name for path in tmp_path.glob("*/music.wav")] == ["music.wav"]
    assert not (tmp_path / "x").exists()
    write(tmp_path / name, b"")
    code, said = score("--audio", "music-only", "--", name)
    assert code == 3 and said.count("\n") == 1


def test_15_a_link_is_followed_and_its_results_lie_beside_it(
    score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    make_film(tmp_path / "films" / "real.mp4", seconds=0.4)
    (tmp_path / "a.mp4").symlink_to(tmp_path / "films" / "real.mp4")
    assert score(tmp_path / "a.mp4", "--audio", "music-only")[0] == 0
    assert (tmp_path / "a.narrascore" / "music.wav").is_file()


HEADER = "time_seconds,valence,arousal\n"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (HEADER + "0,0,0\n1,nan,0\n", "line 3: 'nan' is not a finite number"),
        ("t,v,a\n0,0,0\n", "line 1: the columns must be"),
        (HEADER + "0,0,0\n1,0\n", "line 3: three values wanted"),
        (HEADER + "0,0,0\n1,1.5,0\n", "line 3: valence and arousal lie in [-1, 1]"),
        (HEADER + "0,0,0\n2,0,0\n1,0,0\n", "line 4: times must rise"),
        (HEADER + "0,0,0\n0.5,0,0\n", "line 3: the last time is 0.5 s and the film lasts 6 s"),
        (HEADER + "0,zero,0\n", "line 2: 'zero' is not a finite number"),
        (HEADER, "no rows"),
        ("\x00\xff", "curve c.csv"),
    ],
)
def test_18_a_curve_that_cannot_be_meant_is_refused_by_its_line(
    table: str, says: str, score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    curve = write(tmp_path / "c.csv", table.encode("latin-1"))
    code, said = score(make_film(tmp_path / "a.mp4", seconds=6, rate=1), "--curve", curve)
    assert code == 3 and says in said and said.count("\n") == 1
    assert not (tmp_path / "a.narrascore" / "curve.csv").exists()


def test_18_clipping_is_done_where_it_is_asked_for(score: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", seconds=0.4)
    curve = write(tmp_path / "c.csv", HEADER + "0,-7,0.25\n")
    assert score(path, "--curve", curve, "--audio", "music-only")[0] == 3
    assert score(path, "--curve", curve, "--audio", "music-only", "--clip-curve")[0] == 0
    assert "0,-1.0000,0.2500" in (tmp_path / "a.narrascore" / "curve.csv").read_text()


@pytest.mark.parametrize("name", ["../film.mp4", "/etc/passwd", "a/../../film.mp4"])
def test_19_no_name_in_a_table_leads_out_of_its_set(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").mkdir()
    make_film(tmp_path / "film.mp4", seconds=0.2)
    write(tmp_path / "set" / "bad.csv", HEADER + "0,0,0\n1,0,0\n")
    write(tmp_path / "set" / "films.csv", f"id,film\nbad,{name}\n")
    words = ["data=folder", "data.kind=films", f"data.root={tmp_path / 'set'}", f"output={tmp_path / 'out'}"]
    assert main(["prepare", *words]) == 3
    said = capsys.readouterr().err
    assert "names stay under" in said and "Traceback" not in said


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_20_pickles_and_foreign_targets_run_nothing(
    system: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, spoilt = make_film(tmp_path / "a.mp4", seconds=0.2), tmp_path / "spoilt"
    adapter = tmp_path / "adapter"
    shutil.copytree(system, adapter)
    shutil.copytree(system, spoilt)
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    write(adapter / "adapter.safetensors", bomb)
    (spoilt / "model.safetensors").unlink()
    write(spoilt / "pytorch_model.bin", bomb)
    foreign = f"++anchor._target_=pathlib.Path.touch ++anchor._args_=[{tmp_path / 'ran'}]".split()
    for code, words in (
        (3, ["--system", str(system), "--adapter", str(adapter)]),
        (3, ["--system", str(spoilt)]),
        (2, ["--system", str(system), *foreign]),
    ):
        assert main(["score", str(path), "--offline", *words]) == code, words
        said = capsys.readouterr().err
        assert "Traceback" not in said and said.splitlines()[-1].startswith("narrascore: ")
        assert not (tmp_path / "ran").exists()


def test_a_film_that_was_spoilt_leaves_its_earlier_results_alone(
    score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    path = make_film(tmp_path / "a.mp4", seconds=0.6, audio=Track(tone(0.6)))
    assert score(path)[0] == 0
    before = contents(tmp_path)
    odd_films.cut(path, 0.5)
    code, said = score(path)
    assert code == 3 and said.count("\n") == 1
    assert {**contents(tmp_path), "a.mp4": b""} == {**before, "a.mp4": b""}


def test_one_spoilt_film_of_several_does_not_stop_the_others(
    score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    films = [make_film(tmp_path / f"{name}.mp4", seconds=0.4) for name in "abc"]
    odd_films.cut(films[1], 0.5)
    code, said = score("--audio", "music-only", *films)
    assert code == 6 and said.count("narrascore: ") == 2
    assert [path.parent.name for path in sorted(tmp_path.glob("*/music.wav"))] == ["a.narrascore", "c.narrascore"]
