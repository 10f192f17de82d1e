"""What a film is, found out in one pass over its packets; runs in the process that decodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame

from narrascore.errors import InputError
from narrascore.media.child import Message
from narrascore.media.film import AudioTrack, Film
from narrascore.media.frames import quarter_turns
from narrascore.media.opening import PICTURE_FORMATS, READABLE_FORMATS, codec_of, open_container, shown_name
from narrascore.media.scan import Scan, choose_picture, scan_picture, scan_sound

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}

MAX_HOURS = 100
"""A longer film is one with a broken clock."""

MAX_ASPECT = 32
"""A picture more often as wide as it is high, or the other way, is none to follow."""


def probe(path: str, max_pixels: int, still_seconds: str, needs_picture: bool) -> Iterator[Message]:
    """For `in_child`: one message, the film as `Film.to_plain` gives it."""
    film = probe_film(Path(path), max_pixels, Fraction(still_seconds), needs_picture=needs_picture)
    yield film.to_plain(), None


def probe_film(path: Path, max_pixels: int, still_seconds: Fraction, *, needs_picture: bool) -> Film:
    """See `Film.open`."""
    name = shown_name(path)
    formats = PICTURE_FORMATS if needs_picture else READABLE_FORMATS
    with open_container(path, max_pixels=max_pixels, formats=formats) as container:
        tracks, warnings = _audio_tracks(container)
        stream = choose_picture(container, name, max_pixels, needed=needs_picture)
        if stream is None:
            start, duration = scan_sound(container, name)
            return _without_picture(path, start, _believable(duration, name), tracks, warnings)
        if stream.width * stream.height > max_pixels:
            raise InputError(
                f"{name}: {stream.width} x {stream.height} pixels is above the limit of {max_pixels} pixels; "
                "scale it down first"
            )
        scan = scan_picture(container, stream, name, max_pixels)
        codec, index = codec_of(stream), stream.index
        aspect = stream.sample_aspect_ratio or Fraction(1)
        claimed = Fraction(container.duration or 0, av.time_base)
        began = Fraction(container.start_time or 0, av.time_base)
    still = scan.packets == 1
    duration = _believable(max(scan.stop - scan.start, still_seconds if still else Fraction(0)), name)
    width, height = _upright_size(scan.first, aspect, name)
    lasts = max(scan.last_end, scan.last_end - began)  # some containers count from zero, some from the start
    if not still and claimed > lasts + max(Fraction(1, 2), claimed / 50):
        warnings.append(
            f"the file says it lasts {float(claimed):.1f} s but ends at {float(lasts):.1f} s: "
            "cut short? the music follows what is there"
        )
    return Film(
        path=path,
        start_seconds=scan.start,
        duration_seconds=duration,
        width=width,
        height=height,
        video_codec=codec,
        rate_hz=float(scan.packets / duration),
        audio_tracks=tracks,
        still=still,
        warnings=[*warnings, *_oddities(scan)],
        video_index=index,
        packets=scan.packets,
        seekable=not (scan.jumps or scan.untimed or scan.unordered or scan.broken),
        max_pixels=max_pixels,
        frame_rate=None if still else scan.frame_rate,
    )


def _oddities(scan: Scan) -> Iterator[str]:
    if scan.jumps:
        yield f"the clock of the picture starts again {scan.jumps} time(s); the parts were put in a row"
    if scan.slips:
        yield f"the times of {scan.slips} picture(s) are missing or go backwards; they were put in a row"
    if scan.broken:
        yield f"the file breaks off with an error ({scan.broken}); what is there was taken"
    if scan.first.color_trc in HDR_TRANSFERS:
        yield f"HDR picture ({HDR_TRANSFERS[scan.first.color_trc]}): colours are read without tone mapping"


def _believable(duration: Fraction, name: str) -> Fraction:
    if not 0 < duration <= MAX_HOURS * 3600:
        raise InputError(
            f"{name}: by its times it lasts {float(duration / 3600):.4g} hours, where {MAX_HOURS} is the most; its "
            "clock is damaged: remux or re-encode it first"
        )
    return duration


def _without_picture(
    path: Path, start: Fraction, duration: Fraction, tracks: tuple[AudioTrack, ...], warnings: list[str]
) -> Film:
    return Film(
        path=path,
        start_seconds=start,
        duration_seconds=duration,
        width=320,
        height=180,
        video_codec="",
        rate_hz=0.0,
        audio_tracks=tracks,
        still=False,
        warnings=[*warnings, "no picture in it: an even grey is seen in its place"],
        video_index=-1,
    )


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


def _upright_size(frame: VideoFrame, aspect: Fraction, name: str) -> tuple[int, int]:
    width, height = max(1, math.floor(frame.width * aspect + Fraction(1, 2))), frame.height
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(
            f"{name}: its picture is {width} x {height}, one side more than {MAX_ASPECT} times the other; crop it, or "
            "mend its pixel aspect, first"
        )
    return (height, width) if quarter_turns(frame) % 2 else (width, height)
