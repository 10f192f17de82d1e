"""Embedders that need no weights: statistics of the sound, and of the notes. What every embedder owes stands here too.

Their distances tell two kinds of music apart and repeat exactly on every machine; they are not the numbers of any
paper, and no table calls them so: every cell names its embedder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from narrascore.evaluation.clips import (
    CLIP_SECONDS,
    CODE_SUFFIXES,
    SOUND_SUFFIXES,
    Codes,
    Sound,
    code_clips,
    sound_clips,
)
from narrascore.evaluation.feature_store import FeatureSet, Progress, embed_folder
from narrascore.synthesis.note_features import dynamics_level, mode_index, onset_rate, register_pitch, tempo_bpm
from narrascore.synthesis.score_codes import DRUMS, FRAME_RATE_HZ, PITCHED, read_notes

Kind = Literal["embedding", "logits", "paired"]
"""Points of a space (distances between sets), class logits (divergence of pairs), or one half of pairs of sound and
picture (similarity)."""


class Embedder(Protocol):
    """Turns a folder of music into features.

    Attributes:
        name: stands beside every number.
        kind: what its features are good for.
        sample_rate_hz: at which it listens; of frames, where it reads notes.
        window_seconds: of a clip.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def window_seconds(self) -> float: ...

    def features(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        """One row a clip of the folder.

        Raises:
            InputError: if the folder holds nothing that it reads.
            ModelUnavailableError: if its weights are not at hand.
        """

    def reference(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        """The features that the music is compared with; of the picture, where `kind` is `paired`."""

    def command(self, folder: Path, reference: Path) -> str:
        """What to type to have the weights or features that it needs; empty if it needs none."""


class ClipEmbedder:
    """The folder's side of an embedder that looks at one clip at a time; each clip's features are kept in the cache.

    A subclass has `name`, `sample_rate_hz` and the three methods that are not here: `clips`, `describe` and `embed`.
    """

    name: str
    sample_rate_hz: int
    suffixes: tuple[str, ...]
    kind: Kind = "embedding"

    def __init__(self, window_seconds: float = CLIP_SECONDS) -> None:
        self.window_seconds = window_seconds

    def clips(self, path: Path) -> Iterator[NDArray[Any]]:
        """The clips of one file."""
        raise NotImplementedError

    def describe(self) -> dict[str, object]:
        """Whatever a feature depends on beside the clip, as JSON can hold it."""
        raise NotImplementedError

    def embed(self, clip: NDArray[Any]) -> NDArray[np.float64]:
        """A clip as a row `[D]`."""
        raise NotImplementedError

    def features(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        return embed_folder(self, folder, cache, progress)

    def reference(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        return self.features(folder, cache, progress)

    def command(self, folder: Path, reference: Path) -> str:
        return ""


class SoundEmbedder(ClipEmbedder):
    """One that listens: mono clips `[N]` at its own rate."""

    suffixes = SOUND_SUFFIXES

    def clips(self, path: Path) -> Iterator[Sound]:
        return sound_clips(path, self.sample_rate_hz, self.window_seconds)

    def describe(self) -> dict[str, object]:
        return {"embedder": self.name, "sample_rate_hz": self.sample_rate_hz}


class LogMelStatistics(SoundEmbedder):
    """Mean and spread over time of 64 log-mel bands, `[128]`: timbre and loudness, and how much they change.

    In bel over full scale, so level counts: the same music 10 dB louder lies 1 away in every band.
    """

    name = "log-mel"
    sample_rate_hz = 16_000
    bands = 64
    frame_samples = 1024
    hop_samples = 512
    floor = 1e-10

    def embed(self, clip: Sound) -> NDArray[np.float64]:
        padded = np.pad(clip.astype(np.float64), (0, max(0, self.frame_samples - len(clip))))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.frame_samples)[:: self.hop_samples]
        power = np.square(np.abs(np.fft.rfft(frames * np.hanning(self.frame_samples), axis=1)))
        mel = np.log10(power / self.frame_samples @ self._filters() + self.floor)
        return np.concatenate([mel.mean(axis=0), mel.std(axis=0)])

    def describe(self) -> dict[str, object]:
        sizes = {"bands": self.bands, "frame_samples": self.frame_samples, "hop_samples": self.hop_samples}
        return super().describe() | sizes

    def _filters(self) -> NDArray[np.float64]:
        """Triangles even on the mel scale, `[frequencies, bands]`."""
        top_mel = 2595 * np.log10(1 + self.sample_rate_hz / 2 / 700)
        edges_hz = 700 * (10 ** (np.linspace(0, top_mel, self.bands + 2) / 2595) - 1)
        frequencies_hz = np.fft.rfftfreq(self.frame_samples, 1 / self.sample_rate_hz)[:, None]
        rising = (frequencies_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
        falling = (edges_hz[2:] - frequencies_hz) / (edges_hz[2:] - edges_hz[1:-1])
        return np.maximum(0, np.minimum(rising, falling))


class ScoreStatistics(ClipEmbedder):
    """What the notes say, `[24]`: twelve pitch classes by how long they sound, sounding pitches and drum beats, and the
    mean and spread over time of dynamics, onsets, tempo, mode and register.

    Each is divided by about its range, so that no unit outweighs the others: levels by 15, onsets by 10 a second, tempo
    by 100 a minute, register by an octave, sounding pitches by 4 and drum beats by 10 a second.
    """

    name = "score"
    suffixes = CODE_SUFFIXES
    sample_rate_hz = FRAME_RATE_HZ

    def clips(self, path: Path) -> Iterator[Codes]:
        return code_clips(path, self.window_seconds)

    def describe(self) -> dict[str, object]:
        return {"embedder": self.name, "features": 24}

    def embed(self, clip: Codes) -> NDArray[np.float64]:
        notes = read_notes(clip)
        pitched = [note for note in notes if note.voice in PITCHED]
        classes, seconds = np.zeros(12), clip.shape[1] / FRAME_RATE_HZ
        for note in pitched:
            classes[note.pitch % 12] += (note.stop - note.start) / FRAME_RATE_HZ
        polyphony, drums = classes.sum() / seconds, sum(note.voice in DRUMS for note in notes) / seconds
        tracks = (
            dynamics_level(clip, notes) / 15,
            onset_rate(clip, notes) / 10,
            tempo_bpm(clip) / 100,
            mode_index(clip, notes),
            register_pitch(clip, notes) / 12,
        )
        moments = [moment for track in tracks for moment in (track.mean(), track.std())]
        return np.array([*classes / max(classes.sum(), 1e-9), polyphony / 4, drums / 10, *moments])
