"""The scored film: the picture copied, the mix first, everything else that the film had kept."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from narrascore.errors import InputError, UsageError
from narrascore.media.ahead import ahead
from narrascore.media.copying import Timed, becomes_subrip, can_carry, copy_packets, copy_stream, holds, kept_tags
from narrascore.media.encoding import encode_picture, open_picture_encoder
from narrascore.media.film import ANIMATIONS, Film
from narrascore.media.mix import Mode
from narrascore.media.opening import codec_of, open_container
from narrascore.media.output import check_space, replacing
from narrascore.media.samples import Block, channels_of, to_frame

FORMATS = {".mp4": "mp4", ".mkv": "matroska"}
TITLES = {"duck": "NarraScore mix", "mix": "NarraScore mix", "replace": "NarraScore music"}

BIT_RATE_PER_CHANNEL = 128_000
MAX_BIT_RATE = 768_000

# What MP4 has a place for.
_MP4_TAGS = frozenset(
    "title artist album_artist composer album date comment genre copyright grouping lyrics description synopsis show "
    "episode_id network keywords location creation_time".split()
)


def container_for(film: Film, mode: Mode = "mix", *, track: int = 0) -> str:
    """The suffix of the scored film: ".mp4" where it holds all that is kept, else ".mkv" where that loses less.

    Args:
        film: an opened film.
        mode: as for `mux_film`.
        track: as for `mux_film`.

    Raises:
        InputError: naming the codec, if neither holds the picture.
    """
    with open_container(film.path, max_pixels=film.max_pixels) as source:
        picture = source.streams[film.video_index]
        lost = {}
        for suffix, name in FORMATS.items():
            if _is_encoded(film) or holds(name, picture):
                lost[suffix] = sum(not can_carry(name, stream) for stream in _beside(source, mode, track))
    if not lost:
        raise InputError(
            f"{film.path.name}: neither MP4 nor MKV holds its picture ({film.video_codec}); convert the film to H.264 "
            "first, or ask for the music only"
        )
    return min(lost, key=lambda suffix: lost[suffix])  # MP4 comes first, and wins where both lose nothing


def mux_film(
    film: Film,
    blocks: Iterable[Block],
    sample_rate_hz: int,
    layout: str,
    output: str | Path,
    *,
    mode: Mode = "mix",
    track: int = 0,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write the film with a new first sound track, under a temporary name until it is whole.

    The picture's packets are copied, their times counted from the first picture; a still or an animation is encoded.
    Sound tracks, subtitles, attachments, chapters and tags go along; what the container cannot hold is named in the
    film's warnings. Nothing outlasts the picture.

    Args:
        film: an opened film.
        blocks: the new sound, `[C, n]` float32 in [-1, 1], as long as the picture.
        sample_rate_hz: of the blocks.
        layout: FFmpeg's name of their channels.
        output: a path that ends in `container_for(film)`.
        mode: "duck" and "mix" keep all the film's sound tracks behind the new one, "replace" keeps all but `track`.
        track: the film's sound track that the new one holds or replaces.
        metadata: tags for where the film has none of that name.
        overwrite: replace a file that is there.
        progress: called with the share done, in [0, 1].

    Raises:
        InputError: if the container cannot hold the picture, or the disk the file.
        UsageError: if the output is in the way, is the film itself, or is neither .mp4 nor .mkv.
    """
    output = _usable_output(film, Path(output), overwrite)
    name = FORMATS[output.suffix.lower()]
    check_space(output, film.path.stat().st_size + int(film.duration_seconds * MAX_BIT_RATE / 8))
    with open_container(film.path, max_pixels=film.max_pixels) as source, replacing(output) as temporary:
        if not _is_encoded(film) and not holds(name, source.streams[film.video_index]):
            raise InputError(f"{output.name}: {name} cannot hold {film.video_codec}; {container_for(film)} can")
        # bitexact: MKV otherwise writes random ids, and the same film should be the same bytes.
        options = {"fflags": "+bitexact"}
        try:
            with av.open(str(temporary), "w", format=name, container_options=options) as sink:
                copies = _copy_streams(film, source, sink, mode, track, layout, sample_rate_hz)
                _describe(film, source, sink, dict(metadata or {}))
                sink.start_encoding()
                picture = iter(()) if film.video_index in copies else encode_picture(sink.streams[0], film)
                sound = _encoded(sink.streams[1], ahead(iter(blocks)), sample_rate_hz, layout)
                copied = copy_packets(film, source, sink, copies)
                for seconds, packet in heapq.merge(picture, sound, copied, key=lambda timed: timed[0]):
                    sink.mux(packet)
                    if progress is not None:
                        progress(min(1.0, max(0.0, float(seconds / film.duration_seconds))))
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise InputError(f"{output.name}: {film.video_codec} cannot be written as {name} ({error})") from error
    return output


def _copy_streams(
    film: Film, source: Any, sink: Any, mode: Mode, track: int, layout: str, sample_rate_hz: int
) -> dict[int, Any]:
    """Make the new file's streams, picture and mix first; returns those that are copied, by their index in the film."""
    copies: dict[int, Any] = {}
    if _is_encoded(film):
        open_picture_encoder(sink, film)
    else:
        copies[film.video_index] = copy_stream(sink, source.streams[film.video_index])
    sound = sink.add_stream("aac", rate=sample_rate_hz, layout=layout)
    sound.bit_rate = min(BIT_RATE_PER_CHANNEL * channels_of(layout), MAX_BIT_RATE)
    sound.disposition = Disposition.default
    sound.metadata["title"] = TITLES[mode]
    if mode != "replace" and track < len(film.audio_tracks) and (language := film.audio_tracks[track].language):
        sound.metadata["language"] = language
    for stream in source.streams.video:
        if stream.index != film.video_index:
            film.warn(f"a second picture or cover ({codec_of(stream)}) left out")
    for stream in _beside(source, mode, track):
        if not can_carry(sink.format.name, stream):
            film.warn(f"{stream.type} stream ({codec_of(stream)}) left out: {sink.format.name} cannot hold it")
        elif becomes_subrip(sink.format.name, stream):
            copies[stream.index] = sink.add_mux_stream("subrip")
            copies[stream.index].metadata.update(kept_tags(stream.metadata))
        else:
            copies[stream.index] = copy_stream(sink, stream)
            if stream.type == "audio":
                copies[stream.index].disposition = stream.disposition & ~Disposition.default
    return copies


def _describe(film: Film, source: Any, sink: Any, metadata: dict[str, str]) -> None:
    own = kept_tags(source.metadata)
    named = {key.lower() for key in own}
    tags = own | {key: value for key, value in metadata.items() if key.lower() not in named}
    if sink.format.name == "mp4" and (unknown := sorted(key for key in tags if key.lower() not in _MP4_TAGS)):
        film.warn(f"tags left out, MP4 has no place for them: {', '.join(unknown)}")
    sink.metadata.update(tags)
    sink.set_chapters(_chapters(film, source))


def _encoded(stream: Any, blocks: Iterable[Block], sample_rate_hz: int, layout: str) -> Timed:
    position = 0
    for block in blocks:
        for packet in stream.encode(to_frame(block, layout, sample_rate_hz, position)):
            yield packet.pts * packet.time_base, packet
        position += block.shape[1]
    for packet in stream.encode(None):
        yield packet.pts * packet.time_base, packet


def _beside(source: Any, mode: Mode, track: int) -> Iterator[Any]:
    """The streams that go along with picture and mix: sound tracks, then subtitles, then attachments (fonts)."""
    for index, stream in enumerate(source.streams.audio):
        if mode != "replace" or index != track:
            yield stream
    yield from source.streams.subtitles
    yield from source.streams.attachments


def _is_encoded(film: Film) -> bool:
    return film.still or film.video_codec in ANIMATIONS


def _chapters(film: Film, source: Any) -> list[Any]:
    """The film's chapters on the picture's clock; one that the picture does not reach is left out."""
    chapters = []
    for chapter in source.chapters():
        offset = round(film.start_seconds / chapter["time_base"])
        last = int(film.duration_seconds / chapter["time_base"])
        start, end = max(0, chapter["start"] - offset), min(last, chapter["end"] - offset)
        if start < end:
            chapters.append({**chapter, "start": start, "end": end})
    return chapters


def _usable_output(film: Film, output: Path, overwrite: bool) -> Path:
    output = Path(os.path.abspath(output))
    if output.suffix.lower() not in FORMATS:
        raise UsageError(f"{output.name}: the scored film ends in .mp4 or .mkv; this one needs {container_for(film)}")
    if output.exists() or output.is_symlink():
        if output.exists() and output.samefile(film.path):
            raise UsageError(f"{output.name}: this is the film itself; give another name")
        if not overwrite:
            raise UsageError(f"{output}: is already there; move it away or give another name")
    return output
