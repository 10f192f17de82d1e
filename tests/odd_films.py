"""Films as cameras, editors, accidents and strangers leave them, made on the spot. Each is one second long or less."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from narrascore.media.samples import to_frame
from tests.media.films import Track, make_film, number_image, tone

PNG: dict[str, Any] = {"codec": "png", "format": "image2", "container_options": {"update": "1"}}


def cut(path: Path, share: float) -> Path:
    """Only the first part of the file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def broken_in_the_middle(path: Path, share: float) -> Path:
    """A film with noise in the place of some of its frames."""
    make_film(path, seconds=1, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(path)) as source:
        places = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size and packet.pos]
    data, noise = bytearray(path.read_bytes()), np.random.default_rng(0)
    for number in np.linspace(1, len(places) - 1, round(share * len(places))).astype(int):
        position, size = places[number]
        data[position : position + size] = noise.bytes(size)
    path.write_bytes(data)
    return path


def sound_only(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as sink:
        stream: Any = sink.add_stream(codec, rate=48_000, layout="stereo")
        samples = tone(seconds)
        for first in range(0, samples.shape[1], 1024):
            sink.mux(stream.encode(to_frame(samples[:, first : first + 1024], "stereo", 48_000, first)))
        sink.mux(stream.encode(None))
    return path


def subtitles_only(path: Path) -> Path:
    with av.open(str(path), "w") as sink:
        stream: Any = sink.add_mux_stream("subrip")
        sink.start_encoding()
        packet = av.Packet(b"It was a dark and stormy night.")
        packet.time_base, packet.stream = Fraction(1, 1000), stream
        packet.pts = packet.dts = 0
        packet.duration = 900
        sink.mux(packet)
    return path


def wrong_about_its_length(path: Path, claimed_ms: float) -> Path:
    """An MKV whose header says another duration."""
    data = bytearray(make_film(path, seconds=1).read_bytes())
    place = data.index(b"\x44\x89\x88") + 3  # the element Duration, eight bytes of it
    data[place : place + 8] = struct.pack(">d", claimed_ms)
    path.write_bytes(data)
    return path


def edited(path: Path, from_seconds: float, seconds: float) -> Path:
    """An MP4 whose edit list shows only a part of it, as telephones trim."""
    data = bytearray(make_film(path, seconds=2).read_bytes())
    place = data.index(b"elst") + 12
    _, media_time = struct.unpack(">Ii", data[place : place + 8])
    trimmed = media_time + round(from_seconds * 12_800)
    data[place : place + 8] = struct.pack(">Ii", round(seconds * 1000), trimmed)
    path.write_bytes(data)
    return path


def joined(path: Path) -> Path:
    """Two recordings in one file, the second's clock starting again."""
    part = make_film(path, seconds=1.4).read_bytes()
    path.write_bytes(part + part)
    return path


def two_pictures(path: Path) -> Path:
    """A small picture first, and the default one, 64 x 48, behind it."""
    with av.open(str(path), "w") as sink:
        streams: list[Any] = []
        for size, disposition in (((32, 32), Disposition(0)), ((64, 48), Disposition.default)):
            stream: Any = sink.add_stream("libx264", rate=10)
            stream.width, stream.height = size
            stream.pix_fmt, stream.disposition = "yuv420p", disposition
            streams.append(stream)
        for number in range(10):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(number_image(number, (stream.width, stream.height)), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                sink.mux(stream.encode(frame))
        for stream in streams:
            sink.mux(stream.encode(None))
    return path


def with_cover(path: Path) -> Path:
    art = make_film(path.with_name("art.png"), seconds=0.04, size=(8, 8), **PNG)
    return make_film(path, seconds=1, cover=art.read_bytes())


def huge_png(path: Path, side: int = 8192) -> Path:
    """A picture of many pixels in a few kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (1 + side // 8)), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def interlaced(path: Path) -> Path:
    return make_film(path, seconds=1, options={"x264-params": "interlaced=1:tff=1"})


def hdr(path: Path) -> Path:
    """Ten bits with the transfer curve PQ."""
    params = "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc"
    return make_film(path, seconds=1, pix_fmt="yuv420p10le", options={"x264-params": params})


def music(seconds: float) -> NDArray[np.float32]:
    """A chord, as a film has that was scored before."""
    return sum(tone(seconds, hz=hz, level=0.2) for hz in (220.0, 277.2, 329.6))  # type: ignore[return-value]


def sounding(path: Path, sound: NDArray[np.float32]) -> Path:
    return make_film(path, seconds=1, audio=Track(sound))
