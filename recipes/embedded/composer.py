"""A piece of film music by rule, under a given affect curve.

    curve --rules--> bars (tempo, density, percussion, mode)      phrases --> letters, chords, themes
                          \\------------------- every bar ----------------------/
                               chords, voicing, bass, melody, counter, percussion --> codes [K, T]

First the bars are laid out, since a bar's length depends on the arousal at its own beginning; then each is written.
Every random choice is made once a piece, or once for a letter and a density, from a generator seeded by words, so a
phrase that returns is the same phrase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.synthesis import score_codes as score
from recipes.embedded import accompaniment, melody, patterns, rules
from recipes.embedded.phrases import Phrase, chords_of_bar, plan_phrases
from recipes.embedded.styles import WRITING, Writing
from recipes.embedded.theory import Chord, pitch_of, step_near

SHORTEST_BAR_FRAMES = 12 * min(score.FRAMES_PER_SIXTEENTH)
DRUM_FRAMES = 3
"""A percussion stroke is written three frames long; its sound is a one-shot."""


@dataclass(frozen=True)
class Reason:
    """Why something sounds: from `frame` on, `rule` said `text`."""

    frame: int
    rule: str
    text: str


@dataclass(frozen=True, eq=False)
class Piece:
    """A composed piece: `codes [K, T]` int16 at 25 Hz, the curve it follows, its style, and the reasons."""

    codes: NDArray[np.int16]
    curve: AffectCurve
    style: str
    why: tuple[Reason, ...]


@dataclass(frozen=True)
class Bar:
    """One bar laid out: where it lies and what emotion asks of it.

    `start` is its first frame, `tempo` the frames per sixteenth, `place` 0 to 3 within the phrase; `band`, `level` and
    `tier` are those of `rules.valence_band`, `rules.density` and `rules.percussion`.
    """

    start: int
    tempo: int
    phrase: int
    place: int
    valence: float
    arousal: float
    band: int
    level: int
    tier: int


def compose_piece(curve: AffectCurve, style: str, seed: int, duration_seconds: float) -> Piece:
    """Write a piece that follows a curve.

    Args:
        curve: any affect curve; past its end its last value holds.
        style: a name of `lexicon.STYLES`.
        seed: the same curve, style and seed give the same piece.

    Returns:
        A piece of ceil(25 x duration_seconds) frames; the last bar is cut where they end.

    Raises:
        ValueError: if the style is unknown or the duration not positive.
    """
    if style not in WRITING:
        raise ValueError(f"unknown style {style!r}: choose one of {', '.join(WRITING)}")
    if not duration_seconds > 0:
        raise ValueError(f"duration_seconds must be positive: got {duration_seconds}")
    frames = math.ceil(duration_seconds * score.FRAME_RATE_HZ - 1e-9)
    bars = _lay_out(curve, WRITING[style], frames)
    codes = score.empty_score(frames)
    notes, why = _Writer(style, seed, bars).write(codes)
    score.write_notes(codes, [_cut(note, frames) for note in notes if note.start < frames])
    _write_dynamics(codes, curve, bars, WRITING[style].sixteenths)
    return Piece(codes, curve, style, tuple(reason for reason in why if reason.frame < frames))


def _lay_out(curve: AffectCurve, writing: Writing, frames: int) -> list[Bar]:
    """Bars until the frames are full, each decided from the curve's mean over its own first two seconds."""
    bars: list[Bar] = []
    start, tempo, level, tier, band = 0, None, None, None, None
    while start < frames:
        seconds = start / score.FRAME_RATE_HZ
        valence, arousal = (float(x) for x in curve.at(seconds + np.arange(0.25, 2.0, 0.5)).mean(axis=0))
        tempo = rules.tempo(arousal, writing.tempo, tempo)
        level = rules.density(arousal, writing.density, level, tempo)
        tier = rules.percussion(arousal, writing.percussion, tier, tempo)
        band = rules.valence_band(valence, band)
        phrase, place = divmod(len(bars), score.BARS_PER_PHRASE)
        bars.append(Bar(start, tempo, phrase, place, valence, arousal, band, level, tier))
        start += writing.sixteenths * tempo
    return bars


class _Writer:
    """Writes bar after bar, remembering where each voice stands."""

    def __init__(self, style: str, seed: int, bars: list[Bar]) -> None:
        self.style, self.seed, self.bars = style, seed, bars
        self.writing = WRITING[style]
        self.steps = self.writing.sixteenths
        self.phrases = plan_phrases(self._random("form"), bars[-1].phrase + 2)
        self.modes = [self._random("mode", band).choice(names) for band, names in enumerate(self.writing.modes)]
        self.themes: dict[str, melody.Theme] = {}
        self.line = melody.Line()
        self.voicing = (55, 60, 64)
        self.root = 36
        self.counter = accompaniment.counter_start()
        self.notes: list[score.Note] = []
        self.why: list[Reason] = []

    def write(self, codes: NDArray[np.int16]) -> tuple[list[score.Note], list[Reason]]:
        for index, bar in enumerate(self.bars):
            chords = self._chords(index)
            self._write_grid(codes, bar, chords)
            self._explain(bar, chords)
            self._write_bar(bar, chords, self._chords(index + 1)[0][1][0])
        return self.notes, self.why

    def _random(self, *what: object) -> Random:
        return Random("/".join(map(str, (self.seed, self.style, *what))))

    def _phrase(self, bar: Bar) -> Phrase:
        return self.phrases[bar.phrase]

    def _chords(self, index: int) -> tuple[tuple[int, Chord], ...]:
        bar = self.bars[min(index, len(self.bars) - 1)]
        vocabulary = rules.chord_vocabulary(self.writing.vocabulary, bar.band, bar.arousal)
        mode = self.modes[bar.band]
        return chords_of_bar(self._phrase(bar), bar.place, mode, vocabulary, self.writing.loops, self.steps)

    def _write_grid(self, codes: NDArray[np.int16], bar: Bar, chords: tuple[tuple[int, Chord], ...]) -> None:
        for step in range(self.steps):
            frame = bar.start + step * bar.tempo
            if frame < codes.shape[1]:
                codes[score.PULSE, frame] = score.pulse_code(bar.tempo, step, bar.place)
        for step, (root, quality) in chords:
            frame = bar.start + step * bar.tempo
            if frame < codes.shape[1]:
                codes[score.HARMONY, frame] = score.chord_code(root, quality)

    def _write_bar(self, bar: Bar, chords: tuple[tuple[int, Chord], ...], next_root: int) -> None:
        phrase, mode = self._phrase(bar), self.modes[bar.band]
        sound = rules.sounding_share(bar.arousal)
        tune = self._write_melody(bar, phrase, chords, mode)
        for at, held, step in tune:
            self._add(score.MELODY, bar, at, held if bar.place == 3 else max(1.0, held * sound), pitch_of(step, mode))
        centre = 59 + rules.inner_height(bar.valence)
        voices, self.voicing = accompaniment.write_inner(self._inner(bar), chords, self.voicing, centre)
        for voice, bar_notes in zip(score.INNER, voices, strict=True):
            for at, held, pitch in bar_notes:
                self._add(voice, bar, at, held, pitch)
        low, self.root = accompaniment.write_bass(self._bass(bar), chords, next_root, mode, self.root)
        for at, held, pitch in low:
            self._add(score.BASS, bar, at, held, pitch)
        manner = self.writing.counter[bar.level]
        if (phrase.letter == "-" and manner == "rest") or (manner == "thirds" and not tune):
            manner = "long"
        second, self.counter = accompaniment.write_counter(
            manner, bar.place, chords, mode, tune, self.counter, self.steps
        )
        for at, held, pitch in second:
            self._add(score.COUNTER, bar, at, held, pitch)
        choice = self._random("percussion", phrase.letter == "A", bar.tier).randrange(2)
        hands = accompaniment.write_percussion(self.style, bar.tier, choice, bar.place)
        for voice, hand in zip(score.DRUMS, hands, strict=True):
            for at, (name, strong) in hand.items():
                start = self._frame(bar, at)
                self.notes.append(score.Note(start, start + DRUM_FRAMES, voice, score.DRUM_KINDS[name], strong))

    def _write_melody(
        self, bar: Bar, phrase: Phrase, chords: tuple[tuple[int, Chord], ...], mode: str
    ) -> list[tuple[int, int, int]]:
        rests = bar.level <= 1 and bar.place in self.writing.resting_bars and not (phrase.closes and bar.place == 3)
        if phrase.letter == "-" or rests:
            self.line.notes = []
            return []
        if phrase.letter not in self.themes:
            random = self._random("theme", phrase.letter)
            self.themes[phrase.letter] = melody.make_theme(random, self.steps, phrase.letter != "A")
        theme = self.themes[phrase.letter]
        count = rules.melody_count(bar.level, self.writing.melody_count, self.steps)
        leads_on = self.phrases[bar.phrase + 1].letter != "-"
        onsets = melody.choose_onsets(theme, bar.place, count, phrase.closes, leads_on, self.steps)
        height = rules.melody_height(bar.valence, bar.arousal)
        centre = step_near(self.writing.melody_centre + height)
        drift = rules.contour_drift(bar.valence, bar.place)
        melody.write_bar(self.line, theme, bar.place, onsets, chords, mode, centre, drift, phrase.closes, self.steps)
        return self.line.notes

    def _inner(self, bar: Bar) -> tuple[str, str, str]:
        table = patterns.INNER_3 if self.steps == 12 else patterns.INNER_4
        return table[self._pattern("inner", self.writing.inner[bar.level], bar)]

    def _bass(self, bar: Bar) -> str:
        table = patterns.BASS_3 if self.steps == 12 else patterns.BASS_4
        return table[self._pattern("bass", self.writing.bass[bar.level], bar)]

    def _pattern(self, voice: str, names: tuple[str, ...], bar: Bar) -> str:
        """One pattern for the first theme and one for the others, per density level."""
        return self._random(voice, self._phrase(bar).letter == "A", bar.level).choice(names)

    def _frame(self, bar: Bar, sixteenth: float) -> int:
        """The frame of a place in the bar; swung off-beat eighths come at two thirds of their beat."""
        late = round(bar.tempo * 2 / 3) if self.writing.swings and sixteenth % 4 == 2 else 0
        return bar.start + round(sixteenth * bar.tempo) + late

    def _add(self, voice: int, bar: Bar, at: int, held: float, pitch: int) -> None:
        if rules.breathes(bar.level, bar.place, self._phrase(bar).closes):
            held = min(held, self.steps - 4 - at)
        if held <= 0:
            return
        start = self._frame(bar, at)
        stop = max(start + 1, self._frame(bar, at + held) if held == int(held) else start + round(held * bar.tempo))
        pitch = min(max(pitch, score.LOWEST_PITCH), score.HIGHEST_PITCH)
        self.notes.append(score.Note(start, stop, voice, pitch))

    def _explain(self, bar: Bar, chords: tuple[tuple[int, Chord], ...]) -> None:
        phrase = self._phrase(bar)
        facts = {
            "form": f"phrase {phrase.letter}{'!' if phrase.closes else '?'} bar {bar.place + 1} of 4",
            "tempo": f"{bar.tempo} frames a sixteenth at arousal {bar.arousal:+.2f}",
            "density": f"level {bar.level}, percussion {bar.tier}",
            "mode": f"{self.modes[bar.band]} at valence {bar.valence:+.2f}",
            "harmony": " ".join(f"{root}:{quality}" for _, (root, quality) in chords),
            "inner": self._pattern("inner", self.writing.inner[bar.level], bar),
            "bass": self._pattern("bass", self.writing.bass[bar.level], bar),
        }
        self.why.extend(Reason(bar.start, rule, text) for rule, text in facts.items())


def _write_dynamics(codes: NDArray[np.int16], curve: AffectCurve, bars: list[Bar], sixteenths: int) -> None:
    """The loudness of each beat, where it differs from the beat before."""
    before = None
    for bar in bars:
        for at in range(0, sixteenths, 4):
            frame = bar.start + at * bar.tempo
            if frame >= codes.shape[1]:
                return
            arousal = float(curve.at(frame / score.FRAME_RATE_HZ)[1])
            level = rules.loudness(arousal, bar.place, at >= sixteenths // 2)
            if level != before:
                codes[score.DYNAMICS, frame] = score.dynamics_code(level)
            before = level


def _cut(note: score.Note, frames: int) -> score.Note:
    return score.Note(note.start, min(note.stop, frames), note.voice, note.pitch, note.strong)
