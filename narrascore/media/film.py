"""A film's picture: opened safely, measured by its presentation times, read frame by frame."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame

from narrascore.errors import InputError
from narrascore.files import digest
from narrascore.media.frames import Frame as Frame
from narrascore.media.frames import quarter_turns, read_frames
from narrascore.media.opening import MAX_PIXELS, codec_of, open_container, require_regular_file
from narrascore.media.scan import choose_picture, scan_picture

STILL_SECONDS = 5.0
"""How long a single picture is shown: long enough for one musical gesture."""

ANIMATIONS = frozenset({"gif", "apng", "webp"})
"""Codecs of moving pictures that no film container is expected to hold."""

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
FINGERPRINT_BYTES = 2**20
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class AudioTrack:
    """One of the film's sound tracks; `index` counts sound tracks from 0, `stream_index` all streams."""

    index: int
    stream_index: int
    codec: str
    channels: int
    layout: str
    sample_rate_hz: int
    language: str | None


@dataclass(frozen=True)
class Film:
    """A film on disk. Holds no frames and no open file: read it as often as you like.

    Attributes:
        path: the file, absolute.
        start_seconds: presentation time of the first picture in the file; every time below counts from it.
        duration_seconds: from the first picture's start to the last one's end.
        width: of the upright picture with square pixels, before any scaling.
        height: likewise.
        video_codec: the format's name, `h264`, `vp9`, ...
        rate_hz: pictures a second, on average.
        audio_tracks: in the file's order.
        still: a single picture, shown for `STILL_SECONDS` or what `open` was told.
        warnings: what was accepted although it is odd, one line each; reading may add to it.
    """

    path: Path
    start_seconds: Fraction
    duration_seconds: Fraction
    width: int
    height: int
    video_codec: str
    rate_hz: float
    audio_tracks: tuple[AudioTrack, ...]
    still: bool
    warnings: list[str]
    video_index: int = 0
    packets: int = 1
    seekable: bool = True
    max_pixels: int = field(default=MAX_PIXELS, repr=False)

    @classmethod
    def open(
        cls, path: str | Path, *, max_pixels: int = MAX_PIXELS, still_seconds: float | Fraction = STILL_SECONDS
    ) -> Film:
        """Look at a file once, from end to end, without decoding more than its first picture.

        The file's own word on duration and rate is not taken: a cut recording claims its full length, a file with a
        variable rate any rate at all. Times come from the packets.

        Args:
            path: a regular file with a picture: a film, an animation or a still.
            max_pixels: larger pictures are refused before they are decoded.
            still_seconds: how long a single picture is shown.

        Raises:
            InputError: if there is no file, no picture, or none that can be decoded.
        """
        path = require_regular_file(path)
        with open_container(path, max_pixels=max_pixels) as container:
            stream = choose_picture(container, path.name)
            if stream.width * stream.height > max_pixels:
                raise InputError(
                    f"{path.name}: {stream.width} x {stream.height} pixels is above the limit of {max_pixels} pixels; "
                    "scale it down first"
                )
            scan = scan_picture(container, stream, path.name, max_pixels)
            tracks, warnings = _audio_tracks(container)
            codec, index = codec_of(stream), stream.index
            aspect = stream.sample_aspect_ratio or Fraction(1)
            claimed = Fraction(container.duration or 0, av.time_base)
            began = Fraction(container.start_time or 0, av.time_base)
        still = scan.packets == 1
        duration = max(scan.stop - scan.start, Fraction(still_seconds) if still else Fraction(0))
        width, height = _upright_size(scan.first, aspect)
        if scan.jumps:
            warnings.append(f"the clock of the picture starts again {scan.jumps} time(s); the parts were put in a row")
        if scan.broken:
            warnings.append(f"the file breaks off with an error ({scan.broken}); what is there was taken")
        lasts = max(scan.last_end, scan.last_end - began)  # some containers count from zero, some from the start
        if not still and claimed > lasts + max(Fraction(1, 2), claimed / 50):
            warnings.append(
                f"the file says it lasts {float(claimed):.1f} s but ends at {float(lasts):.1f} s: "
                "cut short? the music follows what is there"
            )
        if scan.first.color_trc in HDR_TRANSFERS:
            warnings.append(
                f"HDR picture ({HDR_TRANSFERS[scan.first.color_trc]}): colours are read without tone mapping"
            )
        return cls(
            path=path,
            start_seconds=scan.start,
            duration_seconds=duration,
            width=width,
            height=height,
            video_codec=codec,
            rate_hz=float(scan.packets / duration),
            audio_tracks=tracks,
            still=still,
            warnings=warnings,
            video_index=index,
            packets=scan.packets,
            seekable=not (scan.jumps or scan.untimed or scan.unordered or scan.broken),
            max_pixels=max_pixels,
        )

    def frames(
        self, rate_hz: float | Fraction, *, height: int | None = None, start_seconds: float = 0.0, reader: str = "pyav"
    ) -> Iterator[Frame]:
        """Read what is on screen at 0, 1/rate, 2/rate, ... seconds, one frame at a time.

        Frame i is the last one whose presentation time, counted from the picture's start, is not after i / rate_hz.

        Args:
            rate_hz: grid of the frames wanted, not the film's own rate.
            height: of the upright picture; the width follows. By default the film's own.
            start_seconds: leave out the grid before this time; times go on counting from the picture's start.
            reader: "pyav", or "decord" where that is installed.

        Yields:
            ceil(duration * rate) frames in all (those before `start_seconds` left out).

        Raises:
            InputError: if too much of the picture cannot be decoded.
            ValueError: if a rate, a height or a reader makes no sense.
        """
        return read_frames(self, rate_hz, height=height, start_seconds=start_seconds, reader=reader)

    def identity(self) -> dict[str, Any]:
        """What tells this film's content from another's, cheaply: size, and a hash over its head, middle and tail."""
        size = self.path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with self.path.open("rb") as file:
            for offset in (0, size // 2, max(0, size - FINGERPRINT_BYTES)):
                file.seek(offset)
                digest.update(file.read(FINGERPRINT_BYTES))
        return {"name": self.path.name, "size_bytes": size, "sha256_parts": digest.hexdigest()}

    @property
    def key(self) -> str:
        """The film's identity as one word: the same for the same bytes, wherever they lie."""
        return digest({name: value for name, value in self.identity().items() if name != "name"})

    def warn(self, line: str) -> None:
        """Note an oddity once; the same words with other numbers replace the earlier ones."""
        words = _NUMBERS.sub("", line)
        self.warnings[:] = [old for old in self.warnings if _NUMBERS.sub("", old) != words] + [line]


def _audio_tracks(container: Any) -> tuple[tuple[AudioTrack, ...], list[str]]:
    tracks: list[AudioTrack] = []
    warnings: list[str] = []
    for index, stream in enumerate(container.streams.audio):
        context = stream.codec_context
        if context is None or not context.sample_rate or not context.layout.nb_channels:
            warnings.append(f"sound track {index} cannot be decoded and is not heard in the mix")
            channels, layout, rate = 0, "", 0
        else:
            channels, layout, rate = context.layout.nb_channels, context.layout.name, context.sample_rate
        tracks.append(AudioTrack(index, stream.index, codec_of(stream), channels, layout, rate, _language(stream)))
    return tuple(tracks), warnings


def _language(stream: Any) -> str | None:
    language = stream.language
    return None if language in (None, "", "und") else str(language)


def _upright_size(frame: VideoFrame, aspect: Fraction) -> tuple[int, int]:
    width = max(1, math.floor(frame.width * aspect + Fraction(1, 2)))
    return (frame.height, width) if quarter_turns(frame) % 2 else (width, frame.height)
