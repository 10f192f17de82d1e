"""Songs cut to clips: 30 s every 15 s where labels are known, the silent ones dropped, the curve cut alike (paper 4.1).

sound     |=====================================================|  end of the sound file
labels                   |-------------------------------|         DEAM: from 15 s on, with ragged ends
clips                    |--------30 s-------|
                              moved back to |--------30 s--------| no: |  a clip never leaves the labels
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.data.music_labels import LabelledSong
from narrascore.windows import overlapping_windows

SLACK_SECONDS = 0.5
"""Labels or sound that end up to this much before a clip does still make one: encoders and annotators cut that much
off excerpts. The last label is held, and silence stands in for the sound."""

FRAME_SECONDS = 0.1
"""Loudness is measured in frames of this length to tell silence."""


@dataclass(frozen=True)
class ClipRules:
    """How songs are cut.

    Attributes:
        clip_seconds, hop_seconds: a clip's length, and from one clip's start to the next one's.
        most_silence: the largest share of silence in a clip that is kept; the paper's is 0.4.
        silence_db: RMS below which a frame is silent, in dB relative to full scale.
    """

    clip_seconds: float = 30.0
    hop_seconds: float = 15.0
    most_silence: float = 0.4
    silence_db: float = -50.0

    def __post_init__(self) -> None:
        if not self.clip_seconds >= 1:
            raise ValueError(f"clip_seconds must be at least 1: got {self.clip_seconds}; the paper's is 30")
        if not 0 < self.hop_seconds <= self.clip_seconds:
            raise ValueError(f"hop_seconds must be in (0, clip_seconds]: got {self.hop_seconds}; the paper's is 15")
        if not 0 <= self.most_silence <= 1:
            raise ValueError(f"most_silence is a share from 0 to 1: got {self.most_silence}; the paper's is 0.4")
        if not self.silence_db < 0:
            raise ValueError(f"silence_db is relative to full scale, so below 0: got {self.silence_db}")


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of a song.

    Attributes:
        start_seconds: where in the song it begins.
        sound: `[C, N]` float32.
        curve: `[F, 2]` float32, valence and arousal at 1 Hz.
        silence_share: 0 to 1.
    """

    start_seconds: float
    sound: NDArray[np.float32]
    curve: NDArray[np.float32]
    silence_share: float


def cut_clips(
    song: LabelledSong, sound: NDArray[np.float32], sample_rate_hz: int, rules: ClipRules
) -> tuple[list[Clip], list[Clip]]:
    """Cut a song's sound `[C, N]` to clips.

    Returns:
        The clips to keep and those that are too silent.
    """
    kept: list[Clip] = []
    silent: list[Clip] = []
    samples = round(rules.clip_seconds * sample_rate_hz)
    for start in clip_starts(song, sound.shape[1] / sample_rate_hz, rules):
        first = round(start * sample_rate_hz)
        piece = sound[:, first : first + samples]
        piece = np.pad(piece, ((0, 0), (0, samples - piece.shape[1])))
        share = silence_share(piece, sample_rate_hz, rules.silence_db)
        clip = Clip(start, piece, cut_curve(song, start, rules.clip_seconds), share)
        (kept if share <= rules.most_silence else silent).append(clip)
    return kept, silent


def clip_starts(song: LabelledSong, duration_seconds: float, rules: ClipRules) -> list[float]:
    """Where the song's clips begin, in seconds: in each of its labelled stretches, the last moved back to end with it."""
    starts: list[float] = []
    for begin, end in labelled_stretches(song):
        room = min(end, duration_seconds) - begin
        if room + SLACK_SECONDS < rules.clip_seconds:
            continue
        milliseconds = round(1000 * max(room, rules.clip_seconds))
        clip, hop = round(1000 * rules.clip_seconds), round(1000 * rules.hop_seconds)
        starts += [begin + start / 1000 for start, _ in overlapping_windows(milliseconds, clip, clip - hop)]
    return starts


def labelled_stretches(song: LabelledSong) -> list[tuple[float, float]]:
    """Seconds [begin, end) without a hole in the labels; a label holds until the next one's time."""
    holes = np.flatnonzero(np.diff(song.times) > 1.5 * song.step_seconds)
    firsts, lasts = np.append(0, holes + 1), np.append(holes, len(song.times) - 1)
    return [
        (float(song.times[first]), float(song.times[last] + song.step_seconds))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def cut_curve(song: LabelledSong, start_seconds: float, seconds: float) -> NDArray[np.float32]:
    """`[F, 2]` at 1 Hz: row f is the labels at `start_seconds + f`, linearly between them, in a clip of `seconds`."""
    times = start_seconds + np.arange(int(np.ceil(seconds)))
    columns = [np.interp(times, song.times, song.labels[:, axis]) for axis in range(2)]
    return AffectCurve(np.stack(columns, axis=1).astype(np.float32)).values


def silence_share(sound: NDArray[np.float32], sample_rate_hz: int, silence_db: float) -> float:
    """Share of frames of `sound` `[C, N]` whose RMS over all channels is below `silence_db`."""
    frame = max(1, round(FRAME_SECONDS * sample_rate_hz))
    frames = max(1, sound.shape[1] // frame)
    power = np.square(sound[:, : frames * frame].astype(np.float64)).mean(axis=0)
    silent = power.reshape(frames, -1).mean(axis=1) < 10 ** (silence_db / 10)
    return float(silent.mean())
