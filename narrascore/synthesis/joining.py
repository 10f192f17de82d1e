"""The way back from newly composed music into the music that is kept: where it is least heard, and how it is made.

Notes are joined by switching codes at a bar line. Codes of sound cannot be switched without changing the sound around
the place, since EnCodec hears a neighbourhood; there the two are decoded apart and cross-faded:

    kept   ==========|- - - - - - - - - -|==============
    patch          ..|===================|..              (a few more codes on both sides, for the decoder)
                   start               stop
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.spans import Span, overlap
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_codes import PITCHED, PULSE, bar_starts, cut_out, read_notes, read_pulse

COMPARED_SECONDS = 0.5
"""How much music before and after a place is compared."""
FADE_SECONDS = 0.04
CONTEXT_SECONDS = 1.0
"""How much of what surrounds a patch is decoded with it."""
BANDS = 48
LOWEST_HZ = 50.0


@dataclass(frozen=True, eq=False)
class Patch:
    """Sound that is heard instead of what lies under it.

    Attributes:
        start, stop: frames of the film in which it is heard.
        left: frame of the film at which its codes begin, at most `start`.
        codes: `[K, n]`, up to `stop` at least.
    """

    start: int
    stop: int
    left: int
    codes: Tensor


def find_join(codec: Codec, kept: Tensor, new: Tensor, first: int, last: int) -> tuple[int, float]:
    """The most similar place to go from new music back to the kept one.

    Args:
        codec: what the codes mean.
        kept, new: both from the film's first frame on, `[K, T]` and `[K, R]`.
        first, last: the earliest and the latest frame at which the kept music may set in again.

    Returns:
        (frame, distance), the distance in [0, 1]. Of notes, among the kept music's bar lines if there is any: the mean
        of how far the new music's bar line is off, whether the tempo is another, and the Bray-Curtis distance of the
        pitch classes around the place. Of sound: that distance of the spectra around it.
    """
    reach = round(COMPARED_SECONDS * codec.frame_rate_hz)
    if isinstance(codec, ScoreCodec):
        old, now = _numpy(kept[:, : last + reach]), _numpy(new[:, : last + reach])
        bars = [int(frame) for frame in bar_starts(old) if first <= frame <= last]
        distances = _compare_notes(old, now, bars or list(range(first, last + 1)), reach)
    else:
        distances = _compare_sound(codec, kept, new, range(first, last + 1), reach)
    frame = min(distances, key=lambda place: (distances[place], place))
    return frame, round(distances[frame], 4)


def splice_notes(kept: Tensor, new: Tensor, start: int, stop: int) -> Tensor:
    """Kept notes with new ones in [start, stop).

    In frame `stop` itself, notes that were held there begin anew, for what they were held from is gone; from the next
    frame on every code is the kept one.
    """
    spliced = kept.clone()
    spliced[:, start:stop] = new[:, start:stop]
    if stop < kept.shape[1]:
        spliced[:, stop] = torch.from_numpy(cut_out(_numpy(kept), stop, stop + 1))[:, 0]
    return spliced


def cut_patch(codec: Codec, new: Tensor, start: int, stop: int) -> Patch:
    """New codes `[K, R]`, from the film's first frame on, as a patch in [start, stop)."""
    context = round(CONTEXT_SECONDS * codec.frame_rate_hz)
    left = max(0, start - context)
    return Patch(start, stop, left, new[:, left : stop + context].to(torch.int16).contiguous())


def lay_over(codec: Codec, blocks: Iterable[Tensor], patch: Patch, total: int, chunk_frames: int) -> Iterator[Tensor]:
    """Blocks of sound `[C, n]` with a patch over them, cross-faded inside [start, stop); all else passes unchanged.

    Args:
        codec: decodes the patch.
        blocks: from the film's first sample on.
        patch: what is laid over.
        total: frames of the film: a patch does not fade where the film begins or ends.
        chunk_frames: decoded at a time.
    """
    per_frame = round(codec.sample_rate_hz / codec.frame_rate_hz)
    begin, end = patch.start * per_frame, patch.stop * per_frame
    fade = min(round(FADE_SECONDS * codec.sample_rate_hz), (end - begin) // 2)
    sound = _Samples(codec.decode_chunks(patch.codes.long(), chunk_frames))
    sound.take((patch.start - patch.left) * per_frame)
    at = 0
    for block in blocks:
        first, last = max(begin, at), min(end, at + block.shape[1])
        if first < last:
            place = torch.arange(first, last)
            edge = torch.full_like(place, fade + 1)
            if patch.start > 0:
                edge = torch.minimum(edge, place - begin + 1)
            if patch.stop < total:
                edge = torch.minimum(edge, end - place)
            weight = 0.5 - 0.5 * torch.cos(torch.pi * edge / (fade + 1))
            block = block.clone()
            under = block[:, first - at : last - at]
            block[:, first - at : last - at] = (1 - weight) * under + weight * sound.take(last - first)
        at += block.shape[1]
        yield block


def within(patches: Iterable[Patch], cue: Span) -> list[Patch]:
    """What of patches is heard in a cue, in frames counted from its first one."""
    return [
        Patch(shared.start - cue.start, shared.stop - cue.start, patch.left - cue.start, patch.codes)
        for patch in patches
        for shared in overlap([Span(patch.start, patch.stop)], [cue])
    ]


class _Samples:
    """Sound that comes in chunks, taken in pieces of any size."""

    def __init__(self, chunks: Iterator[Tensor]) -> None:
        self._chunks, self._held = chunks, next(chunks)

    def take(self, samples: int) -> Tensor:
        while self._held.shape[1] < samples:
            self._held = torch.cat([self._held, next(self._chunks)], dim=1)
        taken, self._held = self._held[:, :samples], self._held[:, samples:]
        return taken


def _compare_notes(kept: NDArray[np.int16], new: NDArray[np.int16], places: list[int], reach: int) -> dict[int, float]:
    lines, kept_classes, new_classes = bar_starts(new), pitch_classes(kept), pitch_classes(new)
    distances = {}
    for place in places:
        around = slice(max(0, place - reach), place + reach)
        off = min(1.0, np.abs(lines - place).min() / (2 * reach)) if len(lines) else 1.0
        tempo = float(_tempo(kept, place) != _tempo(new, place))
        pitch = bray_curtis(kept_classes[:, around].sum(axis=1), new_classes[:, around].sum(axis=1))
        distances[place] = (float(off) + tempo + pitch) / 3
    return distances


def pitch_classes(codes: NDArray[np.int16]) -> NDArray[np.float64]:
    """How many notes of each pitch class sound in each frame, `[12, T]`."""
    sounding = np.zeros((12, codes.shape[1]))
    for note in read_notes(codes):
        if note.voice in PITCHED:
            sounding[note.pitch % 12, note.start : note.stop] += 1
    return sounding


def _tempo(codes: NDArray[np.int16], place: int) -> int | None:
    """Frames per sixteenth of the last pulse up to a frame."""
    for code in codes[PULSE, place::-1]:
        pulse = read_pulse(int(code))
        if pulse is not None:
            return pulse[0]
    return None


def _compare_sound(codec: Codec, kept: Tensor, new: Tensor, places: range, reach: int) -> dict[int, float]:
    per_frame = round(codec.sample_rate_hz / codec.frame_rate_hz)
    left = max(0, places[0] - reach - round(CONTEXT_SECONDS * codec.frame_rate_hz))
    sounds = [codec.decode(codes[:, left : places[-1] + reach].long()).mean(dim=0).numpy() for codes in (kept, new)]
    edges = band_edges(2 * reach * per_frame, codec.sample_rate_hz)
    distances = {}
    for place in places:
        begin, end = (place - reach - left) * per_frame, (place + reach - left) * per_frame
        old, now = (spectrum(sound[max(0, begin) : end], 2 * reach * per_frame, edges) for sound in sounds)
        distances[place] = bray_curtis(old, now)
    return distances


def band_edges(samples: int, sample_rate_hz: int) -> NDArray[np.int64]:
    """First bins of bands that widen with frequency."""
    edges_hz = np.geomspace(LOWEST_HZ, sample_rate_hz / 2, BANDS + 1)[:-1]
    return np.unique(np.minimum((edges_hz * samples / sample_rate_hz).astype(np.int64), samples // 2))


def spectrum(sound: NDArray[np.float32], samples: int, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Magnitudes of a stretch of mono sound, summed in bands."""
    magnitudes = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), samples))
    bands: NDArray[np.float64] = np.add.reduceat(magnitudes, edges)
    return bands


def bray_curtis(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Distance of two non-negative vectors in [0, 1]: 0 where they are equal or both nothing, 1 with nothing shared."""
    both = float((left + right).sum())
    return float(np.abs(left - right).sum()) / both if both > 0 else 0.0


def _numpy(codes: Tensor) -> NDArray[np.int16]:
    array: NDArray[np.int16] = codes.cpu().numpy().astype(np.int16)
    return array
