"""From a film to its music: the film-level loops, and nothing else (paper figure 2).

film --read--> states --read_affect--> curve --------------+
                     \\--read_anchor---> anchor --compose--> codes --render--> music
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.continuation import ComposeProgress, continue_codes
from narrascore.errors import UsageError
from narrascore.files import array_digest, digest
from narrascore.media.film import Film
from narrascore.parts import SystemSettings
from narrascore.perception.anchor_reader import AnchorReader
from narrascore.perception.reading import FilmReading
from narrascore.perception.states import Eye
from narrascore.rendering import render_music
from narrascore.score import Score
from narrascore.spans import Span, windows_of, windows_over
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.composing import Composing, Draw, draw_windows, drive
from narrascore.synthesis.joining import Patch
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.units import WindowStore
from narrascore.windows import Window, continuation_windows, frames_to_cover, overlap_add

T = TypeVar("T")


class Probe(Protocol):
    """What reads an eye's states. One that also has `spread` says how unsure it is, `[n, 2]`."""

    def __call__(self, states: NDArray[np.float32], /) -> AffectCurve:
        """A window's states `[n, D]` -> its curve, a row a second (Eq. 3)."""

    def describe(self) -> dict[str, object]:
        """For the manifest, and to tell one probe's curve from another's."""


class Pipeline:
    """The four parts of a system, and the way of a film through them.

    Args:
        eye: reads states off the picture.
        probe: a window's states `[n, D]` -> its curve, a row a second (Eq. 3).
        conceive: (reading, curve) -> anchor (paper 3.4).
        musicgen: the frozen music model.
        adapter: steers it by the curve (Eq. 5 and 6); None leaves it unsteered.
        system: the name it goes by in manifests.
        warnings: what the user should know about these parts.
    """

    def __init__(
        self,
        eye: Eye,
        probe: Probe,
        conceive: AnchorReader,
        musicgen: FrozenMusicGen,
        adapter: AffectAdapter | None = None,
        *,
        system: str = "custom",
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.eye = eye
        self.probe = probe
        self.conceive = conceive
        self.musicgen = musicgen
        self.adapter = adapter
        self.system = system
        self.warnings = list(warnings)

    @classmethod
    def from_pretrained(cls, system: str | Path = "embedded", **choices: Any) -> Pipeline:
        """Load a system: `embedded` (in the package), `paper` (from the hub), or a folder with a music model.

        Args:
            system: the preset.
            choices: what of it is replaced, such as `eye="vlm"` or `adapter="outputs/adapter"`: the attributes of
                `narrascore.parts.SystemSettings`.

        Raises:
            ModelUnavailableError: if a part is not at hand.
            UsageError: if the parts do not fit together.
        """
        return cls.from_settings(SystemSettings(system=str(system), **choices))

    @classmethod
    def from_settings(cls, settings: SystemSettings) -> Pipeline:
        """Load the system that the settings choose; raises what `from_pretrained` raises."""
        from narrascore.systems import load_parts

        return cls(**vars(load_parts(settings)))

    def __call__(
        self,
        video: str | Path,
        *,
        curve: AffectCurve | None = None,
        prompt: str = "",
        seed: int = 0,
        takes: int = 1,
        progress: ComposeProgress | None = None,
    ) -> Score:
        """Write a film's music.

        Args:
            video: path of a film.
            curve: where the emotion goes, instead of what the eye reads; held or cut to the film.
            prompt: what music the film asks for, instead of what the eye conceives.
            seed: another seed is another piece.
            takes: drawn of every window, of which the best is kept.
            progress: told about the frames composed.
        """
        film = Film.open(video)
        reading = self.read(film)
        if curve is None:
            curve = self.read_affect(reading)
        anchor = self.understand(MusicalAnchor(prompt=prompt)) if prompt else self.read_anchor(reading, curve)
        codes = self.compose(
            film.duration_seconds, curve, anchor, seed=seed, film_key=film.key, progress=progress, takes=takes
        )
        return Score(self, film, reading, curve, anchor, codes, [*film.warnings, *anchor_warnings(anchor)])

    def read(self, film: Film, progress: Callable[[float], None] | None = None) -> FilmReading:
        """States of the picture, second by second, and its keyframes."""
        return self.eye.read(film, progress)

    def read_affect(self, reading: FilmReading) -> AffectCurve:
        """Valence and arousal per second, the windows cross-faded to one curve (paper 3.3 and 3.6)."""
        pieces = [(start, self.probe(states).values) for start, states in reading.by_window()]
        return AffectCurve(overlap_add(pieces, len(reading)))

    def read_spread(self, reading: FilmReading) -> NDArray[np.float32] | None:
        """How unsure the probe is of each second, as a standard deviation `[F, 2]`; None if it cannot say."""
        spread = getattr(self.probe, "spread", None)
        if spread is None:
            return None
        return overlap_add([(start, spread(states)) for start, states in reading.by_window()], len(reading))

    def read_anchor(self, reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
        """What music the whole film asks for (paper 3.4)."""
        return self.understand(self.conceive(reading, curve))

    def understand(self, anchor: MusicalAnchor) -> MusicalAnchor:
        """The same anchor with `not_understood` filled in.

        Raises:
            UsageError: if the music model knows no word of a prompt.
        """
        unknown, known = self.musicgen.unknown_words(anchor.sentence)
        if anchor.prompt and not known:
            raise UsageError(
                f"the music model understands no word of {anchor.sentence!r}; describe it by genre, instruments, mood "
                'and pace, such as "drama score, with strings and piano, tense, slow flowing pace"'
            )
        return dataclasses.replace(anchor, not_understood=tuple(unknown))

    def compose(
        self,
        duration_seconds: Fraction | float,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Tensor:
        """Write the music window by window, each starting with the last tokens of the one before (paper 3.6).

        Args:
            duration_seconds: of the film.
            curve: where the emotion goes, in film time.
            anchor: what music is asked for.
            seed: of the sampling.
            film_key: the film's identity; other films get other music under the same seed.
            store: where finished windows are kept and taken back from, so that a killed run goes on.
            progress: told about the frames composed.
            takes: drawn of every window at once; the next window goes on from the best (see `synthesis.takes`).

        Returns:
            Codes `[K, T]`, int16, T frames covering the film.
        """
        return self.alone(
            self.composing(
                duration_seconds,
                curve,
                anchor,
                seed=seed,
                film_key=film_key,
                store=store,
                progress=progress,
                takes=takes,
            )
        )

    def composing(
        self,
        duration_seconds: Fraction | float,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[Tensor]:
        """The same as `compose`, asking for each draw, so that other films can be composed beside this one."""
        codes = torch.empty(self.musicgen.codebooks, self.frames_of(duration_seconds), dtype=torch.int16)
        yield from self._continue(
            codes, self.windows(codes.shape[1]), curve, anchor, f"{seed}/{film_key}", store, progress, takes
        )
        return codes

    def composing_part(
        self,
        span: Span,
        duration_seconds: Fraction | float,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[tuple[Tensor, int]]:
        """Write those windows of the film's music that cover a span, the first of them without a prompt.

        Args:
            span: frames of the film.
            duration_seconds, curve, anchor, seed, film_key, store, progress, takes: as for `compose`.

        Returns:
            Codes `[K, n]`, int16, and the frame of the film at which they begin.
        """
        total = self.frames_of(duration_seconds)
        windows = windows_over(span, total, self.musicgen.window_frames, self.musicgen.prompt_frames)
        codes = torch.empty(self.musicgen.codebooks, total, dtype=torch.int16)
        yield from self._continue(codes, windows, curve, anchor, f"{seed}/{film_key}", store, progress, takes)
        return codes[:, windows[0].start : windows[-1].stop], windows[0].start

    def recomposing(
        self,
        kept: Tensor,
        span: Span,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        name: str,
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[Tensor]:
        """Write a span of a film's music anew, going on from what is kept before it.

        Args:
            kept: codes `[K, T]` of the whole film.
            span: frames of it; all of them are composed, none after it.
            curve, anchor, store, progress, takes: as for `compose`.
            name: of the noise; another name is other music.

        Returns:
            Codes `[K, span.stop]`: what was kept before the span, and the new ones.
        """
        codes = kept[:, : span.stop].clone()
        windows = self.windows_of(span, kept.shape[1])
        yield from self._continue(codes, windows, curve, anchor, name, store, progress, takes)
        return codes

    def alone(self, steps: Composing[T]) -> T:
        """Answer every draw that is asked for, by itself."""
        return drive(steps, lambda draw: self.draw([draw])[0])

    def draw(self, draws: Sequence[Draw], rows: int = 1) -> list[Tensor]:
        """Codes `[takes, K, n]` of each of these draws, in one batch of `rows` windows."""
        return draw_windows(self.musicgen, self.adapter, draws, rows)

    def frames_of(self, duration_seconds: Fraction | float) -> int:
        """How many frames of music cover a film."""
        return frames_to_cover(duration_seconds, self.musicgen.frame_rate_hz)

    def windows(self, total: int) -> list[Window]:
        """The windows in which `compose` makes so many frames."""
        return continuation_windows(total, self.musicgen.window_frames, self.musicgen.prompt_frames)

    def windows_of(self, span: Span, total: int) -> list[Window]:
        """The windows in which `recomposing` makes a span of a film of `total` frames."""
        return windows_of(span, total, self.musicgen.window_frames, self.musicgen.prompt_frames)

    def render(
        self,
        codes: Tensor,
        anchor: MusicalAnchor,
        duration_seconds: Fraction | float,
        patches: Sequence[Patch] = (),
    ) -> Iterator[NDArray[np.float32]]:
        """Decode codes `[K, T]` to blocks of sound `[C, n]`, `samples_of(duration_seconds)` samples in all, with
        patches laid over them, later ones over earlier ones."""
        return render_music(self.codec_for(anchor), codes, duration_seconds, patches)

    def codec_for(self, anchor: MusicalAnchor) -> Codec:
        """The way from codes to sound, with the instruments that the anchor asks for."""
        return self.musicgen.codec.for_anchor(anchor)

    @property
    def writes_notes(self) -> bool:
        """Whether the codes are notes, so that MIDI and stems can be had."""
        return isinstance(self.musicgen.codec, ScoreCodec)

    @property
    def sample_rate_hz(self) -> int:
        """Of the music."""
        return self.musicgen.codec.sample_rate_hz

    def describe(self) -> dict[str, object]:
        """The parts, for the manifest: what each is, where its weights come from, under which licence."""
        return {
            "system": self.system,
            "eye": self.eye.describe(),
            "probe": self.probe.describe(),
            "anchor": self.conceive.describe(),
            "music": {**self.musicgen.describe(), "sampling": dataclasses.asdict(self.musicgen.sampling)},
            "adapter": describe_adapter(self.adapter),
        }

    def _continue(
        self,
        codes: Tensor,
        windows: list[Window],
        curve: AffectCurve,
        anchor: MusicalAnchor,
        name: str,
        store: WindowStore | None,
        progress: ComposeProgress | None,
        takes: int,
    ) -> Composing[None]:
        parts = self.describe()
        return continue_codes(
            self.musicgen, self.adapter, codes, windows, curve, anchor.sentence, name=name,
            unit=digest([parts["music"], parts["adapter"], anchor.sentence]), store=store, progress=progress,
            takes=takes,
        )  # fmt: skip


def describe_adapter(adapter: AffectAdapter | None) -> dict[str, object] | None:
    """Settings, open gates and a witness of the weights; None if the music is unsteered."""
    if adapter is None:
        return None
    weights = {name: array_digest(tensor.detach().cpu().numpy()) for name, tensor in adapter.state_dict().items()}
    gates = [round(gate, 4) for gate in adapter.gates.tolist()]
    return {"settings": adapter.settings, "gates": gates, "weights": digest(weights)}


def anchor_warnings(anchor: MusicalAnchor) -> list[str]:
    """What its reader has to say, and the words that the music model does not know, one line each."""
    warnings = [anchor.notes["warning"]] if "warning" in anchor.notes else []
    if anchor.not_understood:
        warnings.append(f"words that the music model does not understand: {', '.join(anchor.not_understood)}")
    return warnings
