"""The scored film: the picture untouched, the mix first, and nothing lost on the way."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from narrascore.errors import InputError, UsageError
from narrascore.media.ahead import ITEMS_AHEAD
from narrascore.media.audio import read_audio
from narrascore.media.film import Film
from narrascore.media.mux import container_for, mux_film
from narrascore.media.samples import Block, exactly
from narrascore.windows import samples_of
from tests.media.films import Sound, Track, click, make_film, onset_samples, read_number, tone

AAC_FRAME_SAMPLES = 1024


def score(film: Film, output: Path, sound: Sound | None = None, **options: Any) -> Film:
    """The film with a tone, or with `sound`, as its new track."""
    samples = samples_of(film.duration_seconds, 48_000)
    sound = tone(float(film.duration_seconds) + 0.1, hz=700) if sound is None else sound
    options.setdefault("mode", "mix")
    return Film.open(mux_film(film, blocks(sound, samples), 48_000, options.pop("layout", "stereo"), output, **options))


def blocks(sound: Sound, samples: int) -> Iterator[Block]:
    return exactly([sound], len(sound), samples)


def opened(film: Film) -> Any:
    return av.open(str(film.path))


def picture(film: Film) -> tuple[list[bytes], list[bytes], list[float]]:
    """(packets, frames in the order shown, their times from the first)."""
    with opened(film) as source:
        packets = [bytes(packet) for packet in source.demux(source.streams[film.video_index]) if packet.size]
    with opened(film) as source:
        frames = list(source.decode(source.streams[film.video_index]))
    times = sorted(float(frame.pts * frame.time_base) for frame in frames if frame.pts is not None)
    return packets, [frame.to_ndarray().tobytes() for frame in frames], [time - times[0] for time in times]


@pytest.mark.parametrize(
    ("name", "codec", "suffix", "same_packets"),
    [
        ("a.mp4", "libx264", ".mp4", True),
        ("a.mkv", "libx264", ".mp4", True),
        ("a.ts", "libx264", ".mp4", False),  # Annex B becomes lengths
        ("a.avi", "libx264", ".mp4", False),
        ("b.avi", "mpeg4", ".mp4", True),
        ("a.mpg", "mpeg2video", ".mp4", True),
        ("a.webm", "libvpx-vp9", ".mp4", True),
        ("b.webm", "libvpx", ".mkv", True),
        ("a.mov", "prores_ks", ".mkv", True),
    ],
)
def test_the_picture_is_copied(tmp_path: Path, name: str, codec: str, suffix: str, same_packets: bool) -> None:
    options = {"bf": "2"} if codec == "mpeg4" else {}
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else None
    film = Film.open(make_film(tmp_path / name, seconds=1.2, codec=codec, pix_fmt=pix_fmt, options=options))
    assert container_for(film) == suffix
    scored = score(film, tmp_path / f"scored{suffix}")
    packets, frames, times = picture(film)
    new_packets, new_frames, new_times = picture(scored)
    assert new_frames == frames
    assert new_times == pytest.approx(times, abs=0.0011)  # MKV rounds to a millisecond
    assert (new_packets == packets) == same_packets
    assert scored.start_seconds == 0 and scored.video_codec == film.video_codec
    assert float(scored.duration_seconds) == pytest.approx(float(film.duration_seconds), abs=0.0011)
    assert [read_number(frame.image) for frame in scored.frames(5)] == [0, 5, 10, 15, 20, 25]


def test_a_late_and_uneven_picture_keeps_its_gaps(tmp_path: Path) -> None:
    times = [0.0, 0.3, 1.0, 1.1, 2.5]
    track = Track(click(3, 1.0), start_seconds=1.6)
    film = Film.open(make_film(tmp_path / "a.mkv", times=times, start_seconds=1.6, audio=track))
    scored = score(film, tmp_path / "scored.mp4", click(3, 1.0))
    assert scored.start_seconds == 0
    assert picture(scored)[2] == pytest.approx(times, abs=0.001)
    for number in (0, 1):
        sound = np.concatenate(list(read_audio(scored, number)), axis=1)
        assert onset_samples(sound) == pytest.approx(48_000, abs=60)  # both still at the picture's 1 s


@pytest.mark.parametrize(("source", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libvpx"), ("a.mov", "prores_ks")])
def test_new_and_kept_sound_stay_in_step(tmp_path: Path, source: str, codec: str) -> None:
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else None
    path = make_film(tmp_path / source, codec=codec, pix_fmt=pix_fmt, audio=Track(click(2, 1.0)))
    film = Film.open(path)
    scored = score(film, tmp_path / f"scored{container_for(film)}", click(2, 1.0))
    for number in (0, 1):
        sound = np.concatenate(list(read_audio(scored, number)), axis=1)
        assert onset_samples(sound) == pytest.approx(48_000, abs=60)


@pytest.mark.parametrize("frames", [2, 25, 31, 47])
@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_sound_lasts_as_long_as_the_picture(tmp_path: Path, frames: int, name: str) -> None:
    codec = "libx264" if name == "a.mp4" else "libvpx"
    rate = Fraction(24_000, 1001)
    long = Track(tone(6), codec="aac" if name == "a.mp4" else "libopus")
    film = Film.open(make_film(tmp_path / name, seconds=float(frames / rate), rate=rate, codec=codec, audio=long))
    scored = score(film, tmp_path / f"scored{container_for(film)}")
    wanted = samples_of(film.duration_seconds, 48_000)
    for stream in (1, 2):
        with opened(scored) as container:
            decoded = sum(frame.samples for frame in container.decode(container.streams[stream]))
        assert wanted - AAC_FRAME_SAMPLES <= decoded < wanted + AAC_FRAME_SAMPLES + 48


def full_film(path: Path, **options: Any) -> Film:
    tracks = [
        Track(tone(2), language="eng"),
        Track(tone(2, channels=6), codec="ac3", layout="5.1", language="fre"),
    ]
    return Film.open(
        make_film(
            path,
            audio=tracks,
            subtitles=[(0.2, 1.0, "Où est-il ?"), (1.5, 9.0, "There.")],
            chapters=[(0, 1, "One"), (1, 2, "Two")],
            metadata={"title": "A film", "comment": "of mine"},
            **options,
        )
    )


@pytest.mark.parametrize(
    ("name", "options", "suffix", "text"),
    [
        ("a.mp4", {}, ".mp4", "mov_text"),
        ("a.mkv", {}, ".mkv", "subrip"),
        ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}, ".mkv", "subrip"),
    ],
)
def test_tracks_subtitles_chapters_and_tags_go_along(
    tmp_path: Path, name: str, options: dict[str, str], suffix: str, text: str
) -> None:
    film = full_film(tmp_path / name, **options)
    assert container_for(film) == suffix
    scored = score(film, tmp_path / f"scored{suffix}")
    with opened(scored) as container:
        kinds = [
            (stream.type, stream.codec_context.codec.canonical_name)
            for stream in container.streams
            if stream.codec_context
        ]
        assert kinds == [
            ("video", film.video_codec),
            ("audio", "aac"),
            ("audio", "aac"),
            ("audio", "ac3"),
            ("subtitle", text),
        ]
        assert [bool(stream.disposition & Disposition.default) for stream in container.streams.audio] == [
            True,
            False,
            False,
        ]
        chapters = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
            for c in container.chapters()
        ]
        assert chapters == [(0, 1, "One"), (1, 2, "Two")]
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert (tags["title"], tags["comment"]) == ("A film", "of mine")
        lines = [
            (bytes(p), p.pts * p.time_base, p.duration * p.time_base)
            for p in container.demux(subtitles=0)
            if p.size > 2
        ]
    assert ["Où est-il ?" in line.decode(errors="ignore") for line, _, _ in lines] == [True, False]
    assert [float(start) for _, start, _ in lines] == pytest.approx([0.2, 1.5])
    assert [float(start + lasts) for _, start, lasts in lines] == pytest.approx([1.0, 2.0])  # not beyond the picture
    own = [track.language for track in film.audio_tracks]
    assert [track.language for track in scored.audio_tracks] == [own[0], *own]
    assert scored.audio_tracks[2].channels == 6


def test_replacing_leaves_out_the_track_it_replaces(tmp_path: Path) -> None:
    film = full_film(tmp_path / "a.mkv")
    scored = score(film, tmp_path / "scored.mkv", mode="replace")
    assert [track.language for track in scored.audio_tracks] == [None, "fre"]


def test_surround_and_rotation_arrive(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", rotation=90, aspect=Fraction(3, 2)))
    scored = score(film, tmp_path / "scored.mp4", tone(3, channels=6), layout="5.1", mode="replace")
    assert scored.audio_tracks[0].layout == "5.1"
    assert (scored.width, scored.height) == (film.width, film.height) == (48, 96)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "wmv2"), ("a.flv", "flv"), ("b.avi", "huffyuv")])
def test_a_codec_that_no_container_holds_is_named(tmp_path: Path, name: str, codec: str) -> None:
    pix_fmt = "yuv422p" if codec == "huffyuv" else None
    film = Film.open(make_film(tmp_path / name, seconds=0.4, codec=codec, pix_fmt=pix_fmt))
    with pytest.raises(InputError, match=film.video_codec):
        container_for(film)
    with pytest.raises(InputError, match=film.video_codec):
        score(film, tmp_path / "scored.mkv", mode="replace")
    assert not (tmp_path / "scored.mkv").exists()


def test_stills_and_animations_are_encoded_with_a_note(tmp_path: Path) -> None:
    png = make_film(
        tmp_path / "a.png", seconds=0.04, size=(33, 21), codec="png", format="image2", container_options={"update": "1"}
    )
    still = Film.open(png, still_seconds=2)
    scored = score(still, tmp_path / "still.mp4", mode="replace")
    assert scored.video_codec == "h264" and scored.duration_seconds == 2
    assert any("encoded as h264" in line for line in still.warnings)
    gif = Film.open(make_film(tmp_path / "a.gif", codec="gif", rate=10))
    moving = score(gif, tmp_path / f"gif{container_for(gif)}", mode="replace")
    assert [read_number(frame.image) for frame in moving.frames(10)] == list(range(20))


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_the_same_film_is_the_same_bytes(tmp_path: Path, name: str) -> None:
    film = Film.open(make_film(tmp_path / name, codec="libx264" if name == "a.mp4" else "libvpx"))
    suffix = container_for(film)
    one, two = (score(film, tmp_path / f"{copy}{suffix}", mode="replace").path.read_bytes() for copy in "12")
    assert one == two


def test_what_is_in_the_way_stays(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=0.4))
    foreign = tmp_path / "scored.mp4"
    foreign.write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        score(film, foreign)
    assert foreign.read_text() == "mine"
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    for itself in ("a.mp4", "link.mp4"):
        with pytest.raises(UsageError, match="the film itself"):
            score(film, tmp_path / itself, overwrite=True)
    with pytest.raises(UsageError, match=r"\.mp4"):
        score(film, tmp_path / "scored.avi")
    assert score(film, foreign, overwrite=True).duration_seconds == film.duration_seconds


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4", seconds=0.4))

    def failing() -> Iterator[Block]:
        yield tone(0.1)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        mux_film(film, failing(), 48_000, "stereo", tmp_path / "scored.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    with pytest.raises(InputError):
        score(film, tmp_path / "absent" / "scored.mp4")


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    film = Film.open(make_film(tmp_path / "a.mp4"))
    shares: list[float] = []
    score(film, tmp_path / "scored.mp4", progress=shares.append)
    assert all(0 <= share <= 1 for share in shares) and shares[-1] > 0.9


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_is_drawn_no_further_than_the_picture_has_come(tmp_path: Path, name: str) -> None:
    film = Film.open(make_film(tmp_path / name, seconds=30, rate=10, audio=Track(tone(30)), subtitles=[(0.2, 1, "Oh")]))
    written = drawn = ahead = 0.0

    def reach(share: float) -> None:
        nonlocal written
        written = max(written, share * float(film.duration_seconds))

    def watched() -> Iterator[Block]:
        nonlocal drawn, ahead
        for block in blocks(tone(30), samples_of(film.duration_seconds, 48_000)):
            drawn += block.shape[1] / 48_000
            ahead = max(ahead, drawn - written)
            yield block

    mux_film(film, watched(), 48_000, "stereo", tmp_path / f"scored{container_for(film)}", progress=reach)
    assert drawn == pytest.approx(30) and ahead < 2.5 + ITEMS_AHEAD  # a block of a second, and the encoder's own
