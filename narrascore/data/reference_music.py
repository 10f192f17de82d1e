"""Each film's own music without voices, cut into the film's clips: what generated music is compared with.

    folder/
      <film>/film.json            which film and which separation its clips come from
      <film>/00015-00045.wav      seconds of the film; 32 kHz, mono
      manifest.json               one entry a clip: film, split, start_seconds, stop_seconds, file, silence_share

The manifest is written last: where it lies, the set is whole. Voices are taken out of stretches of twenty clips, each
by itself, so that a preparation that was stopped goes on at the stretch where it stopped, and comes to the same bytes:

    clips      |--0--|
                  |--1--|             ...
    stretch 0  |==============================|
    stretch 1                              |==============================|

"Music" is what is left without the voices, so noises are in it too: Demucs tells them from neither.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from narrascore.data.films import CLIP_SECONDS, LabelledFilm
from narrascore.data.music_clips import ClipRules, silence_share
from narrascore.errors import InputError
from narrascore.media.audio import read_audio, sound_track, write_wav
from narrascore.media.film import Film
from narrascore.media.output import check_space, replacing
from narrascore.media.samples import Block, exactly, resampled, with_channels

if TYPE_CHECKING:  # labels without music need no torch
    from narrascore.data.separation import Separator

SAMPLE_RATE_HZ = 32_000
"""MusicGen's, so that reference and generated music lack the same treble."""

SILENCE_DB = ClipRules.silence_db
STRETCH_CLIPS = 20
BYTES_PER_SAMPLE = 3
MANIFEST_FILE, FILM_FILE = "manifest.json", "film.json"


def write_reference_music(
    folder: Path, films: Sequence[tuple[LabelledFilm, Film]], remover: Separator, say: Callable[[str], None]
) -> dict[str, str]:
    """Write the clips of all films, those that are not there yet, and the manifest.

    A film's sound is decoded once, and a clip of it is held at a time.

    Args:
        folder: of the reference set.
        films: with their labels, whose clips are taken.
        remover: takes out voices.
        say: told one line at a time how far it is.

    Returns:
        film -> why it has no music, one line.

    Raises:
        InputError: if the disk is full or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); give another place") from error
    seconds = sum(stop - start for labelled, _ in films for start, stop in labelled.clips())
    there = sum(path.stat().st_size for path in folder.glob("*/*.wav"))
    check_space(folder / MANIFEST_FILE, max(0, seconds * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE - there))
    silent: dict[str, str] = {}
    entries: list[dict[str, object]] = []
    for labelled, film in films:
        try:
            sound_track(film, 0)
        except InputError as error:
            silent[labelled.id] = f"no reference music: {error}"
            continue
        _write_film(folder / labelled.id, labelled, film, remover, say)
        entries += [_entry(folder, labelled, span) for span in labelled.clips()]
    with replacing(folder / MANIFEST_FILE) as partial:
        partial.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return silent


def _write_film(
    place: Path, labelled: LabelledFilm, film: Film, remover: Separator, say: Callable[[str], None]
) -> None:
    place.mkdir(exist_ok=True)
    spans = labelled.clips()
    _forget_others(place, {"film": film.identity(), **remover.describe()})
    stretches = [spans[first : first + STRETCH_CLIPS] for first in range(0, len(spans), STRETCH_CLIPS)]
    missing = [part for part in stretches if not all((place / _name(span)).exists() for span in part)]
    wanted, made, begun = sum(map(len, missing)), 0, time.monotonic()
    say(f"{labelled.id}: {wanted} of {len(spans)} clips of music without voices to make")
    sound = _Seconds(film, remover.sample_rate_hz)
    for part in missing:
        start, stop = part[0][0], part[-1][1]
        music = _without_voices(sound.between(start, stop), remover)
        whole = exactly(music, 1, (stop - start) * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)  # silence fills the last second
        _write_stretch(place, part, whole)
        made += len(part)
        left = (time.monotonic() - begun) / made * (wanted - made)
        say(f"{labelled.id}: {made} of {wanted} clips made, about {left / 60:.0f} min left for this film")


class _Seconds:
    """A film's sound by the second, read once; the last clip's worth stays at hand, since stretches overlap."""

    def __init__(self, film: Film, sample_rate_hz: int) -> None:
        self._blocks = read_audio(film, sample_rate_hz=sample_rate_hz, layout="stereo", block_samples=sample_rate_hz)
        self._held: deque[Block] = deque(maxlen=CLIP_SECONDS)
        self._read = 0

    def between(self, start: int, stop: int) -> Iterator[Block]:
        """`[2, n]` of each second in [start, stop); the film's last need not be whole."""
        for second in range(start, stop):
            while self._read <= second:
                block = next(self._blocks, None)
                if block is None:
                    return
                self._held.append(block)
                self._read += 1
            yield self._held[second - self._read]


def _without_voices(blocks: Iterator[Block], remover: Separator) -> Iterator[Block]:
    """`[1, n]` at 32 kHz."""
    mono = (with_channels(block, 1) for block in remover.remove_vocals(blocks))
    return resampled(mono, "mono", remover.sample_rate_hz, SAMPLE_RATE_HZ)


def _write_stretch(place: Path, spans: Sequence[tuple[int, int]], seconds: Iterator[Block]) -> None:
    """Cut clips, each a row of whole seconds, out of a stretch that begins with the first."""
    held: deque[Block] = deque(maxlen=CLIP_SECONDS)
    ends = {stop: (start, stop) for start, stop in spans}
    for second, block in enumerate(seconds, spans[0][0] + 1):
        held.append(block)
        if second in ends:
            start, stop = ends[second]
            clip = np.concatenate(list(held)[start - stop :], axis=1)
            write_wav(place / _name((start, stop)), [clip], SAMPLE_RATE_HZ, 1)


def _forget_others(place: Path, source: dict[str, object]) -> None:
    """Take away clips that come from another file of the film or another separation."""
    path = place / FILM_FILE
    text = json.dumps(source, indent=2, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    for clip in place.glob("*.wav"):
        clip.unlink()
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _entry(folder: Path, labelled: LabelledFilm, span: tuple[int, int]) -> dict[str, object]:
    path = folder / labelled.id / _name(span)
    sound, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return {
        "film": labelled.id,
        "split": labelled.split,
        "start_seconds": span[0],
        "stop_seconds": span[1],
        "file": path.relative_to(folder).as_posix(),
        "silence_share": round(silence_share(sound.T, SAMPLE_RATE_HZ, SILENCE_DB), 4),
    }


def _name(span: tuple[int, int]) -> str:
    return f"{span[0]:05d}-{span[1]:05d}.wav"
