"""Files of strangers: each is read rightly or refused in one line, and none is read beside the one that was named."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from narrascore.errors import InputError
from narrascore.media.film import Film
from tests.media.films import Track, make_film, tone


def refusal(path: Path | str, **options: int) -> str:
    with pytest.raises(InputError) as caught:
        Film.open(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 3
    return message


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "empty"),
        (bytes(5000), "not a video"),
        (b"Call me Ishmael. " * 300, "not a video"),
    ],
)
def test_what_is_no_video_is_named_so(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "a film.mp4"
    path.write_bytes(content)
    assert hint in refusal(path)


def test_mp4_without_its_index_is_told_from_no_video(tmp_path: Path) -> None:
    whole = make_film(tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    assert "remux" in refusal(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    assert "not a regular file" in refusal(tmp_path / "pipe.mp4")  # and does not wait for a writer
    assert "not a regular file" in refusal("/dev/zero")
    assert "folder" in refusal(tmp_path)
    assert "cannot be opened" in refusal(tmp_path / "loop.mp4")
    assert "cannot be opened" in refusal(tmp_path / "absent.mp4")
    assert "cannot be opened" in refusal("a\0b.mp4")


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "data:video/mp4;base64,AAAA", "subfile,,start,0,end,9,,:a.mp4"],
)
def test_addresses_are_refused(address: str) -> None:
    assert "address" in refusal(address)


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile 'real.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nreal.mp4\n#EXT-X-ENDLIST\n",
    ],
)
def test_playlists_named_mp4_do_not_read_their_neighbours(tmp_path: Path, script: str) -> None:
    make_film(tmp_path / "real.mp4", seconds=0.4)
    (tmp_path / "list.mp4").write_text(script)
    assert "not a video" in refusal(tmp_path / "list.mp4")


def test_sound_alone_has_no_picture_to_follow(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as sink:
        stream = sink.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4096), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    assert "sound only" in refusal(path)


def test_pictures_above_the_limit_are_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "wide.mp4", seconds=0.2, size=(640, 480))
    assert "limit" in refusal(path, max_pixels=640 * 480 - 1)
    assert Film.open(path, max_pixels=640 * 480).width == 640


@pytest.mark.parametrize(
    "name", ["--help.mp4", "a b'\"$(x)=1,2.mp4", "película\n2.mp4", "http:x.mp4", "12:30 50%d.mp4"]
)
def test_any_name_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    make_film(tmp_path / "plain.mp4", seconds=0.2, audio=Track(tone(0.2)))
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    film = Film.open(name)
    assert len(list(film.frames(25))) == 5
