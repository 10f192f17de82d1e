"""A film: opened safely, measured by its presentation times, read frame by frame.

Everything that decodes it runs in a process of its own (`child.py`), so the worst that a file can do is to be refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from narrascore.errors import UsageError
from narrascore.files import digest
from narrascore.media.child import in_child
from narrascore.media.frames import Frame as Frame
from narrascore.media.frames import read_frames
from narrascore.media.opening import MAX_PIXELS, require_regular_file, shown_name

STILL_SECONDS = 5.0
"""How long a single picture is shown: long enough for one musical gesture."""

ANIMATIONS = frozenset({"gif", "apng", "webp"})
"""Codecs of moving pictures that no film container is expected to hold."""

MAX_STILL_SECONDS = 3600.0
FINGERPRINT_BYTES = 2**20
_EXACT = ("start_seconds", "duration_seconds", "frame_rate")
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
        frame_rate: the same exactly, where they stand evenly, such as 24000/1001; None where the rate is variable.
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
    frame_rate: Fraction | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        max_pixels: int = MAX_PIXELS,
        still_seconds: float | Fraction = STILL_SECONDS,
        needs_picture: bool = True,
    ) -> Film:
        """Look at a file once, from end to end, without decoding more than its first picture.

        The file's own word on duration and rate is not taken: a cut recording claims its full length, a file with a
        variable rate any rate at all. Times come from the packets.

        Args:
            path: a regular file with a picture: a film, an animation or a still.
            max_pixels: larger pictures are refused before they are decoded.
            still_seconds: how long a single picture is shown.
            needs_picture: False takes sound alone too; what is then seen of it is an even grey.

        Raises:
            InputError: if there is no file, no picture, or none that can be decoded.
            UsageError: if `still_seconds` makes no sense.
        """
        path = require_regular_file(path)
        if not 0 < still_seconds <= MAX_STILL_SECONDS:
            raise UsageError(
                f"still_seconds must be in (0, {MAX_STILL_SECONDS:g}]: got {still_seconds}; the default is 5"
            )
        arguments = {
            "path": str(path), "max_pixels": max_pixels, "still_seconds": str(Fraction(still_seconds)),
            "needs_picture": needs_picture,
        }  # fmt: skip
        (plain, _), *_ = in_child("narrascore.media.probe:probe", shown_name(path), arguments)
        return cls.from_plain(plain)

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

    @property
    def has_picture(self) -> bool:
        """Whether there is anything to see; only `open(needs_picture=False)` gives films without."""
        return self.video_index >= 0

    @property
    def name(self) -> str:
        """The file's name, for messages of one line."""
        return shown_name(self.path)

    def to_plain(self) -> dict[str, Any]:
        """The film as JSON holds it: this is how it goes to the process that decodes, and comes from there."""
        plain = {**vars(self), "audio_tracks": [vars(track) for track in self.audio_tracks], "path": str(self.path)}
        return plain | {name: str(plain[name]) for name in _EXACT if plain[name] is not None}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Film:
        """The film that `to_plain` gave."""
        times = {name: Fraction(plain[name]) for name in _EXACT if plain[name] is not None}
        tracks = tuple(AudioTrack(**track) for track in plain["audio_tracks"])
        return cls(**{**plain, **times, "path": Path(plain["path"]), "audio_tracks": tracks})

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
        """The film's identity as one word: the same for the same bytes, and stills shown as long, wherever they lie."""
        shown = {"shown_seconds": str(self.duration_seconds)} if self.still else {}
        return digest({name: value for name, value in self.identity().items() if name != "name"} | shown)

    def warn(self, line: str) -> None:
        """Note an oddity once; the same words with other numbers replace the earlier ones."""
        words = _NUMBERS.sub("", line)
        self.warnings[:] = [old for old in self.warnings if _NUMBERS.sub("", old) != words] + [line]
