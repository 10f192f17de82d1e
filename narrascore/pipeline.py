"""From a film to its music: the film-level loops, and nothing else (paper figure 2).

film --read--> states --read_affect--> curve --------------+
                     \\--read_anchor---> anchor --compose--> codes --render--> music
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.continuation import ComposeProgress, continue_codes
from narrascore.cues import Cue, check_cues
from narrascore.errors import UsageError
from narrascore.files import array_digest, digest
from narrascore.media.film import Film
from narrascore.memory import return_freed_memory
from narrascore.parts import SystemSettings
from narrascore.perception.anchor_reader import AnchorReader
from narrascore.perception.reading import FilmReading
from narrascore.perception.states import Eye
from narrascore.rendering import render_music
from narrascore.score import Score
from narrascore.sentences import LocalSentence, Sentences
from narrascore.spans import Span, overlap, windows_of, windows_over
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.composing import Composing, Draw, draw_windows, drive
from narrascore.synthesis.joining import Patch
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.units import WindowStore
from narrascore.windows import Window, frames_to_cover, overlap_add

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
        local: Sequence[LocalSentence] = (),
        cues: Sequence[Cue] | None = None,
        seed: int = 0,
        takes: int = 1,
        progress: ComposeProgress | None = None,
    ) -> Score:
        """Write a film's music.

        Args:
            video: path of a film.
            curve: where the emotion goes, instead of what the eye reads; held or cut to the film. `Score.with_curve`
                changes it later, and composes only what changes with it.
            prompt: what music the film asks for, instead of what the eye conceives.
            local: what music single stretches ask for instead.
            cues: where there is music; by default everywhere.
            seed: another seed is another piece.
            takes: drawn of every window, of which the best is kept.
            progress: told about the frames composed.
        """
        film = Film.open(video)
        cues = None if cues is None else check_cues(cues, film.duration_seconds)
        reading = self.read(film)
        if curve is None:
            curve = self.read_affect(reading)
        anchor = MusicalAnchor(prompt=prompt) if prompt else self.read_anchor(reading, curve)
        anchor = self.understand(dataclasses.replace(anchor, local=tuple(local)))
        codes = self.compose(
            film.duration_seconds, curve, anchor, cues=cues, seed=seed, film_key=film.key, progress=progress,
            takes=takes,
        )  # fmt: skip
        warnings = [*film.warnings, *anchor_warnings(anchor)]
        return Score(self, film, reading, curve, anchor, codes, warnings, cues=cues, seed=seed)

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
            UsageError: if the music model knows no word of a prompt, the film's or a stretch's.
        """
        not_understood = []
        prompts = [(anchor.sentence, bool(anchor.prompt)), *((each.sentence, True) for each in anchor.local)]
        for sentence, by_user in prompts:
            unknown, known = self.musicgen.unknown_words(sentence)
            if by_user and not known:
                raise UsageError(
                    f"the music model understands no word of {sentence!r}; describe it by genre, instruments, mood "
                    'and pace, such as "drama score, with strings and piano, tense, slow flowing pace"'
                )
            not_understood += unknown
        return dataclasses.replace(anchor, not_understood=tuple(dict.fromkeys(not_understood)))

    def compose(
        self,
        duration_seconds: Fraction | float,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        cues: Sequence[Cue] | None = None,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Tensor:
        """Write the music window by window, each starting with the last tokens of the one before (paper 3.6).

        Every cue is a chain of windows of its own: the first has no prompt, the last may close. What lies between cues
        is not composed.

        Args:
            duration_seconds: of the film.
            curve: where the emotion goes, in film time.
            anchor: what music is asked for; its local sentences count in their stretches alone.
            cues: where there is music, as `check_cues` leaves them; by default everywhere.
            seed: of the sampling.
            film_key: the film's identity; other films get other music under the same seed.
            store: where finished windows are kept and taken back from, so that a killed run goes on.
            progress: told about the frames composed.
            takes: drawn of every window at once; the next window goes on from the best (see `synthesis.takes`).

        Returns:
            Codes `[K, T]`, int16, T frames covering the film; outside the cues those of the codec's `silence`.
        """
        return self.alone(
            self.composing(
                duration_seconds,
                curve,
                anchor,
                cues=cues,
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
        cues: Sequence[Cue] | None = None,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[Tensor]:
        """The same as `compose`, asking for each draw, so that other films can be composed beside this one."""
        codes = self.musicgen.codec.silence(self.frames_of(duration_seconds))
        chains = {cue.start: self.windows_of(cue, cue) for cue in self.cue_frames(cues, codes.shape[1])}
        yield from self._continue_each(codes, chains, curve, anchor, f"{seed}/{film_key}", store, progress, takes)
        return codes

    def composing_part(
        self,
        span: Span,
        duration_seconds: Fraction | float,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        cues: Sequence[Cue] | None = None,
        seed: int = 0,
        film_key: str = "",
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[tuple[Tensor, int]]:
        """Write those windows of the film's music that cover a span, the first of each cue without a prompt.

        Args:
            span: frames of the film.
            duration_seconds, curve, anchor, cues, seed, film_key, store, progress, takes: as for `compose`.

        Returns:
            Codes `[K, n]`, int16, and the frame of the film at which they begin.
        """
        codes = self.musicgen.codec.silence(self.frames_of(duration_seconds))
        chains = self.chains_over(span, self.cue_frames(cues, codes.shape[1]))
        yield from self._continue_each(codes, chains, curve, anchor, f"{seed}/{film_key}", store, progress, takes)
        windows = [window for chain in chains.values() for window in chain]
        left = min([span.start, *(window.start for window in windows)])
        right = max([span.stop, *(window.stop for window in windows)])
        return codes[:, left:right], left

    def recomposing(
        self,
        kept: Tensor,
        span: Span,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        *,
        name: str,
        cue: Span | None = None,
        store: WindowStore | None = None,
        progress: ComposeProgress | None = None,
        takes: int = 1,
    ) -> Composing[Tensor]:
        """Write a span of a film's music anew, going on from what is kept before it.

        Args:
            kept: codes `[K, T]` of the whole film.
            span: frames of it; all of them are composed, none after it.
            cue: frames of the cue in which the span lies; by default the whole film.
            curve, anchor, store, progress, takes: as for `compose`.
            name: of the noise; another name is other music.

        Returns:
            Codes `[K, span.stop]`: what was kept before the span, and the new ones.
        """
        codes, total = kept[:, : span.stop].clone(), kept.shape[1]
        windows = self.windows_of(span, cue or Span(0, total))
        yield from self._continue(codes, windows, total, curve, anchor, name, store, progress, takes)
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

    def sentences(self, anchor: MusicalAnchor, total: int) -> Sentences:
        """Which sentence of an anchor counts when in a film of `total` frames."""
        return anchor.sentences(total / self.musicgen.frame_rate_hz)

    def cue_frames(self, cues: Sequence[Cue] | None, total: int) -> tuple[Span, ...]:
        """Which of a film's `total` frames each cue has."""
        if cues is None:
            return (Span(0, total),)
        return tuple(cue.frames(self.musicgen.frame_rate_hz, total) for cue in cues)

    def windows_of(self, span: Span, cue: Span) -> list[Window]:
        """The windows in which a span of a cue is made; of the cue itself, those of `compose`."""
        return windows_of(span, cue, self.musicgen.window_frames, self.musicgen.prompt_frames)

    def chains_over(self, span: Span, cues: Sequence[Span]) -> dict[int, list[Window]]:
        """The windows in which `composing_part` makes a span, under the first frame of the cue that they belong to."""
        window, prompt = self.musicgen.window_frames, self.musicgen.prompt_frames
        return {cue.start: windows_over(span, cue, window, prompt) for cue in cues if overlap([span], [cue])}

    def render(
        self,
        codes: Tensor,
        anchor: MusicalAnchor,
        duration_seconds: Fraction | float,
        patches: Sequence[Patch] = (),
        cues: Sequence[Cue] | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Decode codes `[K, T]` to blocks of sound `[C, n]`, `samples_of(duration_seconds)` samples in all, with
        patches laid over them, later ones over earlier ones, and exact silence outside the cues."""
        return render_music(self.codec_for(anchor), codes, duration_seconds, patches, cues)

    def codec_for(self, anchor: MusicalAnchor) -> Codec:
        """The way from codes to sound, with the instruments that the anchor asks for."""
        return self.musicgen.codec.for_anchor(anchor)

    def rest(self) -> None:
        """Let go of the tones that rendering kept for its next chunk."""
        if isinstance(self.musicgen.codec, ScoreCodec):
            self.musicgen.codec.bank.forget()
            return_freed_memory()

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

    def _continue_each(
        self,
        codes: Tensor,
        chains: Mapping[int, list[Window]],
        curve: AffectCurve,
        anchor: MusicalAnchor,
        name: str,
        store: WindowStore | None,
        progress: ComposeProgress | None,
        takes: int,
    ) -> Composing[None]:
        """Chain after chain, each with noise and a store named by its cue's first frame."""
        total = sum(windows[-1].stop - windows[0].new_start for windows in chains.values())
        done = 0

        def told(frames: int, _: int) -> None:
            if progress is not None:
                progress(done + frames, total)

        for start, windows in chains.items():
            named = f"{name}/cue at {start}" if start else name
            kept = store.of_cue(start) if store else None
            yield from self._continue(
                codes, windows, codes.shape[1], curve, anchor, named, kept, told if progress else None, takes
            )
            done += windows[-1].stop - windows[0].new_start

    def _continue(
        self,
        codes: Tensor,
        windows: list[Window],
        total: int,
        curve: AffectCurve,
        anchor: MusicalAnchor,
        name: str,
        store: WindowStore | None,
        progress: ComposeProgress | None,
        takes: int,
    ) -> Composing[None]:
        parts = self.describe()
        return continue_codes(
            self.musicgen, self.adapter, codes, windows, curve, self.sentences(anchor, total), name=name,
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
