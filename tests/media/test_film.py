"""The picture's clock: what is on screen when, however the file was written."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrascore.errors import InputError, UsageError
from narrascore.media.film import Film
from narrascore.media.frames import Grid, decode_frames
from tests.media.films import Track, make_film, number_image, read_number, tone

BITS_SET = 0b1010110101


def numbers(film: Film, rate_hz: float, **options: object) -> list[int]:
    return [read_number(frame.image) for frame in film.frames(rate_hz, **options)]  # type: ignore[arg-type]


def shown_at(times: list[float], seconds: float) -> int:
    """The last frame whose time is not after `seconds`."""
    return max(i for i, time in enumerate(times) if time - times[0] <= seconds + 0.0005)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_frames_of_a_variable_rate_follow_their_times(tmp_path: Path, name: str) -> None:
    times = [0.0, 0.5, 2.0, 3.1, 7.0, 9.0]
    film = Film.open(make_film(tmp_path / name, times=times))
    assert film.duration_seconds == pytest.approx(9.04, abs=0.002)
    assert numbers(film, 4) == [shown_at(times, i / 4) for i in range(37)]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "film.avi"])
@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(25)])
def test_frames_do_not_drift(tmp_path: Path, name: str, rate: Fraction) -> None:
    film = Film.open(make_film(tmp_path / name, seconds=12, rate=rate))
    frames = list(film.frames(1))
    assert len(frames) == math.ceil(film.duration_seconds)
    assert [frame.seconds for frame in frames] == list(range(len(frames)))
    expected = [math.floor((i + Fraction(1, 2000)) * rate) for i in range(12)]
    assert [read_number(frame.image) for frame in frames][:12] == expected


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.integers(2, 90), min_size=2, max_size=12),
    rate_hz=st.sampled_from([0.5, 1, 3, 8, 23.976, 30]),
    start=st.sampled_from([0.0, 0.31, 1.5]),
)
def test_any_times_on_any_grid(tmp_path: Path, gaps: list[int], rate_hz: float, start: float) -> None:
    times = [sum(gaps[:i]) / 100 for i in range(len(gaps))]
    film = Film.open(make_film(tmp_path / "any.mp4", times=times, options={"preset": "ultrafast"}))
    rate = Fraction(rate_hz).limit_denominator(1_000_000)
    count, first = math.ceil(film.duration_seconds * rate), math.ceil(Fraction(str(start)) * rate)
    expected = [shown_at(times, i / float(rate)) for i in range(first, count)]
    assert numbers(film, rate_hz, start_seconds=start) == expected


def test_times_count_from_the_first_picture(tmp_path: Path) -> None:
    for name in ("late.mkv", "late.ts", "late.mp4"):
        film = Film.open(make_film(tmp_path / name, start_seconds=1.6, audio=Track(tone(2), start_seconds=1.6)))
        assert film.start_seconds == pytest.approx(1.6, abs=0.2)
        assert film.duration_seconds == 2
        assert numbers(film, 5) == list(range(0, 50, 5))


def test_joined_recordings_have_one_clock(tmp_path: Path) -> None:
    part = make_film(tmp_path / "part.ts", seconds=2).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    film = Film.open(tmp_path / "joined.ts")
    assert float(film.duration_seconds) == pytest.approx(4, abs=0.1)
    assert numbers(film, 1) == [0, 25, 0, 25]
    assert any("clock" in line for line in film.warnings)


def test_a_cut_recording_lasts_as_long_as_what_is_there(tmp_path: Path) -> None:
    whole = make_film(tmp_path / "whole.mkv", seconds=8, size=(320, 240)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    film = Film.open(tmp_path / "cut.mkv")
    assert 3 < film.duration_seconds < 6
    assert any("cut short" in line for line in film.warnings)
    assert len(list(film.frames(2))) == math.ceil(2 * film.duration_seconds)


def damaged(path: Path, share: float) -> Path:
    """The film with noise over some of its frames' bytes, spread over its length."""
    import av

    with av.open(str(path)) as source:
        places = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size and packet.pos]
    data, noise = bytearray(path.read_bytes()), np.random.default_rng(0)
    for number in np.linspace(1, len(places) - 1, round(share * len(places))).astype(int):
        position, size = places[number]
        data[position : position + size] = noise.bytes(size)
    path.write_bytes(data)
    return path


def test_broken_packets_are_held_over_and_counted(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", seconds=4, codec="mjpeg", pix_fmt="yuvj420p")
    film = Film.open(damaged(path, 0.1))
    assert len(list(film.frames(25))) == 100
    assert any("cannot be decoded" in line for line in film.warnings)
    good = numbers(film, 25)
    assert sum(number == i for i, number in enumerate(good)) >= 85
    assert sum("cannot be decoded" in line for line in film.warnings) == 1


def test_too_much_damage_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", seconds=4, codec="mjpeg", pix_fmt="yuvj420p")
    film = Film.open(damaged(path, 0.8))
    with pytest.raises(InputError, match="too many"):
        list(film.frames(1))


def test_telephones_and_wide_pixels_stand_upright(tmp_path: Path) -> None:
    def corner(_: int) -> np.ndarray:
        image = np.zeros((48, 64, 3), np.uint8)
        image[:24, :32] = 255
        return image

    # Turned counterclockwise by 90 degrees, the upper left corner becomes the lower left one.
    for rotation, (row, column) in {0: (0, 0), 90: (1, 0), 180: (1, 1), -90: (0, 1)}.items():
        film = Film.open(make_film(tmp_path / "turned.mp4", seconds=0.2, draw=corner, rotation=rotation or None))
        assert (film.width, film.height) == ((64, 48) if rotation in (0, 180) else (48, 64))
        image = next(film.frames(1)).image
        assert image.shape == (film.height, film.width, 3)
        halves = image.mean(axis=2).reshape(2, film.height // 2, 2, film.width // 2).mean(axis=(1, 3))
        assert np.unravel_index(halves.argmax(), (2, 2)) == (row, column)
    wide = Film.open(make_film(tmp_path / "wide.mp4", seconds=0.2, aspect=Fraction(3, 2)))
    assert (wide.width, wide.height) == (96, 48)
    assert next(wide.frames(1, height=24)).image.shape == (24, 48, 3)


def test_images_are_the_readers_own(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=1, rate=2, draw=lambda _: number_image(BITS_SET)))
    for frame in film.frames(8):
        assert read_number(frame.image) == BITS_SET  # although the one before was painted over
        frame.image[:] = 0


def test_the_default_stream_and_never_the_cover(tmp_path: Path) -> None:
    art = make_film(
        tmp_path / "art.png", seconds=0.04, size=(8, 8), codec="png", format="image2", container_options={"update": "1"}
    )
    path = make_film(tmp_path / "a.mp4", cover=art.read_bytes())
    film = Film.open(path)
    assert (film.width, film.height, film.video_codec) == (64, 48, "h264")
    assert numbers(film, 5) == list(range(0, 50, 5))


def test_stills_and_animations_are_films(tmp_path: Path) -> None:
    png = make_film(tmp_path / "a.png", seconds=0.04, codec="png", format="image2", container_options={"update": "1"})
    still = Film.open(png)
    assert still.still and still.duration_seconds == 5
    assert numbers(Film.open(png, still_seconds=2.5), 2) == [0] * 5
    assert Film.open(make_film(tmp_path / "one.mp4", seconds=0.04)).duration_seconds == 5
    gif = Film.open(make_film(tmp_path / "a.gif", codec="gif", rate=10))
    assert gif.duration_seconds == 2 and not gif.still
    assert numbers(gif, 10) == list(range(20))


def test_tiny_and_odd_pictures_are_scaled(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "tiny.mkv", seconds=0.2, size=(15, 9), codec="ffv1"))
    assert next(film.frames(1, height=90)).image.shape == (90, 150, 3)


def test_identity_tells_films_apart(tmp_path: Path) -> None:
    one = make_film(tmp_path / "one.mp4")
    two = make_film(tmp_path / "two.mp4", draw=lambda i: number_image(i + 1))
    assert Film.open(one).identity()["sha256_parts"] != Film.open(two).identity()["sha256_parts"]
    assert Film.open(one).identity() == Film.open(one).identity()


def test_nonsense_is_a_programmers_error(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=0.2))
    for options in ({"rate_hz": 0}, {"rate_hz": 1, "height": 0}, {"rate_hz": 1, "reader": "vlc"}):
        with pytest.raises(ValueError):
            film.frames(**options)


@pytest.mark.parametrize("height", [None, 36])
def test_decord_gives_the_same_frames(tmp_path: Path, height: int | None) -> None:
    pytest.importorskip("decord")
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=6, rate=Fraction(24_000, 1001), size=(128, 96)))
    for start in (0.0, 2.2):
        ours = list(film.frames(3, height=height, start_seconds=start))
        theirs = list(film.frames(3, height=height, start_seconds=start, reader="decord"))
        assert [frame.seconds for frame in ours] == [frame.seconds for frame in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            assert read_number(mine.image) == read_number(other.image)
            # The colours are converted by two versions of one library, and scaled before or after that.
            assert np.abs(mine.image.astype(int) - other.image).mean() < 4


def test_decord_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=0.2))
    with pytest.raises(UsageError, match="narrascore\\[decord\\]"):
        next(decode_frames(film, Grid(Fraction(1), 0, 1), (64, 48), "decord"))
