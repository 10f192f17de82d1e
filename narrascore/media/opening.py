"""Opening files that strangers made: regular files only, known formats only, sane sizes only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from narrascore.errors import InputError
from narrascore.memory import return_freed_memory

MAX_PIXELS = 8192 * 4320
"""The largest picture that is decoded: the largest frame size of H.264 and HEVC levels in use."""

# Demuxers that read one file and nothing beside it. Playlists and scripts (concat, hls, dash, image2 with its
# patterns, sdp, lavfi) are left out because they open what they name; raw H.264 and the like, because a bare
# elementary stream carries no presentation times.
PICTURE_FORMATS = (
    "3g2 3gp apng asf avi bmp_pipe dv flv gif ivf j2k_pipe jpeg_pipe matroska mj2 mov mp4 m4a mpeg mpegts mxf nsv nut "
    "ogg png_pipe rm tiff_pipe webm webp webp_pipe wtv yuv4mpegpipe"
).split()

SOUND_FORMATS = "aac aiff asf flac matroska mov mp3 mp4 m4a ogg wav w64 webm".split()

READABLE_FORMATS = sorted({*PICTURE_FORMATS, *SOUND_FORMATS})

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|subfile,", re.ASCII)


def require_regular_file(path: str | Path) -> Path:
    """The path, absolute, if it is a regular file or a link to one: a FIFO would block for ever.

    Raises:
        InputError: if it is anything else, or cannot be reached.
    """
    name = os.fspath(path)
    shown = printable(name)
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        if _ADDRESS.match(name) and not isinstance(error, PermissionError):
            raise InputError(f"{shown}: an address, not a file; download it and give the file's path") from error
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown}: cannot be opened ({reason}); check the path") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError(f"{shown}: {kind}; give a film's file")
    if not os.access(name, os.R_OK):
        raise InputError(f"{shown}: no permission to read it")
    # An absolute path can never be taken for a protocol, whatever colons the name holds.
    return Path(os.path.abspath(name))


def open_container(
    path: Path,
    *,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = PICTURE_FORMATS,
    kind: str = "video",
) -> InputContainer:
    """Open a media file with FFmpeg, kept to this file and to formats that name no other.

    The caller closes it. Decoders opened from it must be given `decoder_options(max_pixels)`.

    Args:
        path: a regular file.
        max_pixels: larger pictures are refused before they are decoded.
        formats: FFmpeg's names of the demuxers that may be tried: one of the lists above.
        kind: what the file should be, for messages.

    Raises:
        InputError: if it is no media file that we read.
    """
    path = require_regular_file(path)
    shown = shown_name(path)
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{shown}: the file is empty; it is not a {kind}")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(formats),
        "fflags": "+genpts",  # AVI with B-frames has no presentation times of its own
        **decoder_options(max_pixels),
    }
    try:
        container = av.open(str(path), "r", options=options, metadata_errors="replace")
        return_freed_memory()  # a long MP4's index is made from tables as large as itself
        return container
    except (av.FFmpegError, ValueError) as error:
        hint = f"it is not a {kind} that can be read"
        with path.open("rb") as file:
            if file.read(8)[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
                hint = "an MP4 or MOV without its index (cut short while it was written?); remux or repair it first"
        raise InputError(f"{shown}: {hint}") from error


def decoder_options(max_pixels: int) -> dict[str, str]:
    """Options for a codec context: a picture above the limit is refused before its memory is asked for."""
    return {"max_pixels": str(max_pixels)}


def codec_of(stream: Any) -> str:
    """The format's name (`h264`, `av1`, `mp3`), not that of the library which decodes it; `unknown` where none does."""
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)


def shown_name(path: str | Path) -> str:
    """A file's name for a one-line message: control characters and broken bytes made visible."""
    return printable(Path(path).name)


def printable(text: str) -> str:
    """Text without line breaks and other control characters, which are made visible instead."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
