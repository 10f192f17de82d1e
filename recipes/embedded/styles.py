"""How each style of the lexicon is written: its patterns, its harmony, its way with melody and percussion.

A piece keeps its style; emotion changes what happens inside it. For each density level (0 sparse to 4 fastest) a style
names the accompaniment and bass patterns it may take.
"""

from __future__ import annotations

from dataclasses import dataclass

Choices = tuple[tuple[str, ...], ...]
"""Five places, each with the names that may stand there."""


@dataclass(frozen=True)
class Writing:
    """One style's ways.

    Attributes:
        inner, bass: pattern names per density level.
        modes: for each of the five valence bands, dark to bright, the modes a piece may take.
        vocabulary: the chords of `theory.chord_on`.
        loops: the harmony runs round its row of four; else antecedents and consequents have cadences.
        tempo, density, percussion: lean added to arousal before the rules decide.
        melody_centre: MIDI pitch round which the melody lies when valence and arousal are zero.
        melody_count: notes more or less per bar.
        resting_bars: bars of the phrase (0 to 3) in which the melody rests at the two lowest levels.
        counter: what the counter-melody does per density level: `rest`, `long`, `answer`, `thirds`, `cells`.
        sixteenths: in a bar.
        swings: off-beat eighths come at two thirds of the beat.
    """

    inner: Choices
    bass: Choices
    modes: Choices
    vocabulary: str = "triad"
    loops: bool = False
    tempo: float = 0.0
    density: float = 0.0
    percussion: float = 0.0
    melody_centre: int = 74
    melody_count: int = 0
    resting_bars: frozenset[int] = frozenset()
    counter: tuple[str, str, str, str, str] = ("rest", "long", "answer", "long", "long")
    sixteenths: int = 16
    swings: bool = False


def _choices(text: str) -> Choices:
    """`"a|b; c; ..."`: places apart by semicolons, names by bars."""
    return tuple(tuple(place.strip().split("|")) for place in text.split(";"))


_CLASSICAL = _choices("phrygian|locrian; harmonic minor; dorian; ionian|mixolydian; ionian|lydian")
_MODAL = _choices("phrygian; aeolian; dorian|aeolian; mixolydian; lydian|ionian")
_DARK = _choices("locrian|phrygian; harmonic minor|aeolian; dorian; mixolydian|ionian; lydian|ionian")

WRITING: dict[str, Writing] = {
    "ambient": Writing(
        inner=_choices("pad|entering; halves|entering; broken|quarter arpeggio; rolling; fast broken|fast pad"),
        bass=_choices("pedal; pedal; halves|root fifth; dotted|halves; fast pedal"),
        modes=_MODAL,
        vocabulary="open",
        loops=True,
        tempo=-0.06,
        density=-0.05,
        percussion=-0.12,
        melody_centre=77,
        melody_count=-1,
        resting_bars=frozenset({1, 3}),
        counter=("long", "long", "long", "long", "long"),
    ),
    "minimal": Writing(
        inner=_choices(
            "entering|thin pad; quarter arpeggio|broken; rolling|alberti; sixteenths|rolling; fast broken|fast pulse"
        ),
        bass=_choices("pedal; pedal|halves; root fifth; tresillo|halves; fast pedal|fast quarters"),
        modes=_MODAL,
        loops=True,
        percussion=-0.1,
        melody_centre=74,
        resting_bars=frozenset({3}),
        counter=("rest", "long", "long", "long", "long"),
    ),
    "romance": Writing(
        inner=_choices("pad|entering; oompah|entering; broken|full oompah; rolling|hemiola; fast oompah|fast pad"),
        bass=_choices("pedal; downbeat|pedal; downbeat|root fifth; walking|leading; fast downbeat|fast leading"),
        modes=_CLASSICAL,
        vocabulary="seventh",
        percussion=-0.08,
        melody_centre=76,
        melody_count=1,
        counter=("rest", "long", "answer", "thirds", "long"),
        sixteenths=12,
    ),
    "drama": Writing(
        inner=_choices("pad|thin pad; halves|soft pulse; pulse|broken; spiccato|tresillo; fast pulse|fast pad"),
        bass=_choices("pedal; halves|pedal; root fifth|dotted; quarters|push; fast quarters|fast root fifth"),
        modes=_CLASSICAL,
        melody_centre=74,
        counter=("long", "long", "answer", "thirds", "long"),
    ),
    "epic": Writing(
        inner=_choices("pad; halves|soft pulse; pulse|ticking; spiccato|eighth chords; fast pulse|fast stabs"),
        bass=_choices("pedal; halves; tresillo|quarters; quarters|tresillo; fast quarters|fast push"),
        modes=_MODAL,
        loops=True,
        percussion=0.1,
        melody_centre=72,
        melody_count=-1,
        counter=("rest", "long", "long", "cells", "long"),
    ),
    "action": Writing(
        inner=_choices("thin pad|pad; soft pulse|halves; ticking|pulse; spiccato|sixteenths; fast stabs|fast pulse"),
        bass=_choices("pedal; dotted|halves; quarters|tresillo; syncopated|push; fast push|fast quarters"),
        modes=_DARK,
        loops=True,
        tempo=0.06,
        density=0.05,
        percussion=0.12,
        melody_centre=71,
        melody_count=-1,
        resting_bars=frozenset({1}),
        counter=("rest", "long", "long", "cells", "long"),
    ),
    "suspense": Writing(
        inner=_choices(
            "thin pad|pad; entering|soft pulse; ticking|pulse; eighth chords|spiccato; fast pulse|fast stabs"
        ),
        bass=_choices("pedal; pedal|dotted; dotted|offbeat eighths; tresillo|offbeat eighths; fast quarters|fast push"),
        modes=_DARK,
        vocabulary="tense",
        density=-0.03,
        melody_centre=73,
        melody_count=-1,
        resting_bars=frozenset({1, 3}),
        counter=("long", "long", "cells", "cells", "long"),
    ),
    "electronic": Writing(
        inner=_choices(
            "pad; two and four|halves; sequencer|two and four; sixteenths|sequencer; fast stabs|fast offbeats"
        ),
        bass=_choices("pedal; halves|dotted; offbeat eighths|quarters; octaves|syncopated; fast octaves|fast push"),
        modes=_MODAL,
        vocabulary="open",
        loops=True,
        percussion=0.1,
        melody_centre=75,
        resting_bars=frozenset({3}),
        counter=("rest", "rest", "long", "long", "long"),
    ),
    "noir": Writing(
        inner=_choices(
            "thin pad|pad; comping|halves; late comping|comping; comping|offbeats; fast offbeats|fast stabs"
        ),
        bass=_choices("pedal; root fifth|halves; walking; walking|push; fast walking"),
        modes=_choices("phrygian|locrian; harmonic minor; dorian; mixolydian|ionian; lydian|ionian"),
        vocabulary="seventh",
        percussion=0.05,
        melody_centre=72,
        melody_count=0,
        counter=("rest", "long", "answer", "answer", "long"),
        swings=True,
    ),
    "folk": Writing(
        inner=_choices(
            "entering|quarter arpeggio; broken|quarter arpeggio; strum|alberti; strum|rolling; "
            "fast offbeats|fast broken"
        ),
        bass=_choices(
            "pedal; root fifth; root fifth quarters|root fifth; root fifth quarters|arpeggio; "
            "fast root fifth|fast quarters"
        ),
        modes=_choices("phrygian; aeolian; dorian; mixolydian|ionian; ionian"),
        melody_centre=76,
        melody_count=1,
        counter=("rest", "rest", "thirds", "thirds", "long"),
    ),
    "comedy": Writing(
        inner=_choices(
            "entering|thin pad; two and four; offbeats|alberti; offbeats|alberti; fast offbeats|fast broken"
        ),
        bass=_choices(
            "halves; root fifth; root fifth quarters; root fifth quarters|walking; fast root fifth|fast walking"
        ),
        modes=_CLASSICAL,
        tempo=0.05,
        melody_centre=76,
        melody_count=1,
        counter=("rest", "answer", "answer", "thirds", "answer"),
    ),
    "rock": Writing(
        inner=_choices(
            "quarter arpeggio|pad; broken|halves; pulse|tresillo; eighth chords|tresillo; fast stabs|fast pulse"
        ),
        bass=_choices("pedal; halves|dotted; quarters|tresillo; syncopated|push; fast quarters|fast push"),
        modes=_choices("phrygian|locrian; aeolian; dorian|aeolian; mixolydian; ionian|lydian"),
        loops=True,
        tempo=0.03,
        percussion=0.12,
        melody_centre=73,
        counter=("rest", "long", "long", "long", "long"),
    ),
}
