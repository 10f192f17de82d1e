"""Films made on the spot, each frame carrying its own number, so that a test can tell which one it got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from narrascore.media.samples import to_frame

Image = NDArray[np.uint8]
Sound = NDArray[np.float32]
Span = tuple[float, float, str]

BITS = 10


@dataclass(frozen=True)
class Track:
    """A sound track, `[C, n]` float32, and how it is stored."""

    sound: Sound
    codec: str = "aac"
    layout: str = "stereo"
    rate_hz: int = 48_000
    start_seconds: float = 0.0
    language: str | None = None


def make_film(
    path: Path,
    seconds: float = 2.0,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    audio: Sequence[Track] | Track | None = None,
    *,
    draw: Callable[[int], Image] | None = None,
    times: Iterable[float] | None = None,
    start_seconds: float = 0.0,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    subtitles: Sequence[Span] = (),
    chapters: Sequence[Span] = (),
    metadata: dict[str, str] | None = None,
    cover: bytes | None = None,
    pix_fmt: str | None = None,
    format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a film.

    Args:
        path: its suffix chooses the container, unless `format` does.
        seconds: of picture at an even `rate`; ignored where `times` are given.
        size: (width, height) as stored.
        audio: its sound tracks.
        draw: frame number -> `[H, W, 3]`; by default the number as black and white columns (`read_number`).
        times: presentation times in seconds, one a frame, for a variable rate.
        start_seconds: added to every time of the picture; a track has its own.
        rotation: degrees counterclockwise, as a telephone writes it.
        aspect: of one pixel.
        subtitles: (start, end, text).
        chapters: (start, end, title).
        cover: a PNG, put in as an attached picture before the film's own stream.
    """
    moments = [i / float(rate) for i in range(round(seconds * float(rate)))] if times is None else list(times)
    base = 1 / Fraction(rate) if times is None else Fraction(1, 90_000)
    tracks = [audio] if isinstance(audio, Track) else list(audio or ())
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as sink:
        sink.metadata.update(metadata or {})
        art = None if cover is None else _add_cover(sink)
        picture: Any = sink.add_stream(codec, rate=Fraction(rate), options=options or {})
        picture.width, picture.height = size
        picture.pix_fmt = pix_fmt or {"gif": "rgb8", "png": "rgb24", "ffv1": "bgr0"}.get(codec, "yuv420p")
        picture.codec_context.time_base = base
        if aspect is not None:
            picture.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            picture.set_display_rotation(rotation)
        sounds = [_add_track(sink, track) for track in tracks]
        text_codec = "mov_text" if sink.format.name in ("mp4", "mov") else "subrip"
        texts: Any = sink.add_mux_stream(text_codec) if subtitles else None
        if chapters:
            sink.set_chapters([_chapter(number, chapter) for number, chapter in enumerate(chapters, 1)])
        sink.start_encoding()
        if art is not None:
            sink.mux(_packet(cover or b"", art, 0, 0))
        packets: list[tuple[float, Any]] = []
        for number, moment in enumerate(moments):
            pixels = number_image(number, size) if draw is None else draw(number)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=picture.pix_fmt)
            frame.pts, frame.time_base = round((moment + start_seconds) / base), base
            packets += [(moment + start_seconds, packet) for packet in picture.encode(frame)]
        packets += [(1e9, packet) for packet in picture.encode(None)]
        for stream, track in zip(sounds, tracks, strict=True):
            packets += _encode_track(stream, track)
        for start, end, text in subtitles:
            data = _timed_text(text) if text_codec == "mov_text" else text.encode()
            packets.append((start, _packet(data, texts, start, end)))
        for _, packet in sorted(packets, key=lambda item: item[0]):
            sink.mux(packet)
    return path


def number_image(number: int, size: tuple[int, int] = (64, 48)) -> Image:
    """`[H, W, 3]`: the number's bits as columns, lowest first, white for 1; survives any codec."""
    width, height = size
    columns = np.arange(width) * BITS // width
    row = ((number >> columns) & 1) * 200 + 28
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)), dtype=np.uint8)


def read_number(image: Image) -> int:
    """The number that `number_image` drew, from an image of any size."""
    width = image.shape[1]
    middles = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(middles) if image[:, x].mean() > 128)


def tone(seconds: float, *, hz: float = 440.0, level: float = 0.1, channels: int = 2, rate_hz: int = 48_000) -> Sound:
    """`[C, n]`: a sine of one peak level, the same in every channel."""
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.tile(wave.astype(np.float32), (channels, 1))


def click(seconds: float, at_seconds: float, *, channels: int = 2, rate_hz: int = 48_000) -> Sound:
    """`[C, n]`: silence with a burst of 5 ms that begins at `at_seconds`."""
    sound = np.zeros((channels, round(seconds * rate_hz)), np.float32)
    first = round(at_seconds * rate_hz)
    burst = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz // 200) / rate_hz)
    sound[:, first : first + len(burst)] = burst[: sound.shape[1] - first]
    return sound


def onset_samples(sound: Sound) -> int:
    """Where the first channel passes 0.1 for the first time."""
    return int(np.flatnonzero(np.abs(sound[0]) > 0.1)[0])


def _add_cover(sink: Any) -> Any:
    stream = sink.add_stream("png", rate=1)
    stream.width, stream.height, stream.pix_fmt = 8, 8, "rgb24"
    stream.disposition = Disposition.attached_pic
    return stream


def _add_track(sink: Any, track: Track) -> Any:
    stream = sink.add_stream(track.codec, rate=track.rate_hz, layout=track.layout)
    if track.language:
        stream.metadata["language"] = track.language
    return stream


def _encode_track(stream: Any, track: Track) -> list[tuple[float, Any]]:
    packets = []
    offset = round(track.start_seconds * track.rate_hz)
    for first in range(0, track.sound.shape[1], track.rate_hz):
        block = track.sound[:, first : first + track.rate_hz]
        packets += stream.encode(to_frame(block, track.layout, track.rate_hz, first + offset))
    packets += stream.encode(None)
    return [(float(packet.pts * packet.time_base), packet) for packet in packets]


def _packet(data: bytes, stream: Any, start_seconds: float, end_seconds: float) -> Any:
    packet = av.Packet(data)
    packet.time_base, packet.stream = Fraction(1, 1000), stream
    packet.pts = packet.dts = round(start_seconds * 1000)
    packet.duration = round((end_seconds - start_seconds) * 1000)
    return packet


def _timed_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _chapter(number: int, chapter: Span) -> Any:
    start, end, title = chapter
    base = Fraction(1, 1000)
    return {
        "id": number,
        "start": round(start * 1000),
        "end": round(end * 1000),
        "time_base": base,
        "metadata": {"title": title},
    }
