"""What emotion asks of the music: one function a rule, each with its source.

Reviews behind most of them: Gabrielsson and Lindstrom 2010 (the role of structure in the musical expression of
emotions), Livingstone et al. 2010 (CMERS: rules confirmed by listeners), Gomez and Danuser 2007 (structure and
physiology), Schubert 2004 (continuous response: loudness and tempo lead arousal).
"""

from __future__ import annotations

from collections.abc import Sequence

TEMPO_BOUNDS = (-0.62, -0.2, 0.25, 0.66)
DENSITY_BOUNDS = (-0.4, 0.02, 0.45)
PERCUSSION_BOUNDS = (-0.28, 0.15)
VALENCE_BOUNDS = (-0.7, -0.4, 0.1, 0.5)
FASTEST = 2


def band_of(value: float, bounds: Sequence[float], before: int | None, margin: float = 0.04) -> int:
    """Which band between rising bounds a value lies in, staying in the band before within `margin` of its border."""
    band = sum(value > bound for bound in bounds)
    if before is not None and band != before:
        border = bounds[before] if band > before else bounds[before - 1]
        if abs(value - border) < margin:
            return before
    return band


def tempo(arousal: float, offset: float, before: int | None) -> int:
    """Frames per sixteenth, 6 (62.5 bpm) to 2 (187.5 bpm): faster when more aroused.

    Tempo is the strongest cue of arousal (Gabrielsson and Lindstrom 2010; Gomez and Danuser 2007). Decided at bar
    lines; `offset` is the style's lean.
    """
    return 6 - band_of(arousal + offset, TEMPO_BOUNDS, None if before is None else 6 - before)


def density(arousal: float, offset: float, before: int | None, frames_per_sixteenth: int) -> int:
    """How busy the bar is, 0 to 4: more onsets when more aroused (Gomez and Danuser 2007: accentuation, rhythm).

    At the fastest tempo the level is always 4, whose patterns count in eighths: notes per second keep growing while
    notes per bar fall. Its bounds lie between those of the tempo, so the two never jump at once.
    """
    if frames_per_sixteenth == FASTEST:
        return 4
    return band_of(arousal + offset, DENSITY_BOUNDS, None if before is None else min(before, 3))


def percussion(arousal: float, offset: float, before: int | None, frames_per_sixteenth: int) -> int:
    """Percussion tier: 0 none, 1 light, 2 full, 3 full at the fastest tempo.

    Layers enter with arousal (Gomez and Danuser 2007: accentuation; that they enter as layers is film practice).
    """
    if frames_per_sixteenth == FASTEST:
        return 3
    return band_of(arousal + offset, PERCUSSION_BOUNDS, None if before is None else min(before, 2))


def loudness(arousal: float, bar_in_phrase: int, late_in_bar: bool) -> int:
    """Dynamics level, 0 to 15: nearly linear in the arousal of that second (Schubert 2004), with a phrase's breath.

    The third bar, where the phrase has its climax, is one level louder; the end of the fourth one softer (Todd 1992).
    """
    shape = 1 if bar_in_phrase == 2 else -1 if bar_in_phrase == 3 and late_in_bar else 0
    return min(max(round(1 + 13 * (arousal + 1) / 2) + shape, 0), 15)


def valence_band(valence: float, before: int | None) -> int:
    """0 (very unpleasant) to 4 (very pleasant): which of the piece's five modes sounds.

    Mode is the strongest cue of valence (Gabrielsson and Lindstrom 2010; Livingstone 2010), and finer than major and
    minor: happiness falls with every flat from ionian down (Temperley and Tan 2013).
    """
    return band_of(valence, VALENCE_BOUNDS, before, margin=0.03)


def melody_height(valence: float, arousal: float) -> float:
    """Semitones by which the melody moves up: high and rising is happy and active, low is sad and dark.

    Gabrielsson and Lindstrom 2010 (pitch level), Livingstone 2010 (pitch height); the sizes are ours.
    """
    return 3.5 * valence + 2.0 * arousal


def inner_height(valence: float) -> int:
    """Semitones by which the accompaniment moves: darker music lies lower (Gabrielsson and Lindstrom 2010)."""
    return round(2.5 * valence)


def sounding_share(arousal: float) -> float:
    """Share of the time to the next onset that a melody note sounds: legato when calm, detached when excited.

    Articulation (Gabrielsson and Lindstrom 2010; Juslin 2000: staccato for high, legato for low activity).
    """
    return 1.0 if arousal < 0.1 else 0.75 if arousal < 0.6 else 0.6


def breathes(level: int, bar_in_phrase: int, closes: bool) -> bool:
    """Whether all pitched voices fall silent on the bar's last beat: calm music breathes after a close.

    Pauses (Gabrielsson and Lindstrom 2010; Margulis 2007 on silence after tonal closure).
    """
    return level <= 2 and closes and bar_in_phrase == 3


def melody_count(level: int, lean: int, sixteenths: int) -> int:
    """Melody notes in a bar that moves: rhythmic activity from arousal (Livingstone 2010)."""
    count = (2, 3, 5, 6, 4)[level] + (lean if level else min(lean, 0))
    return max(1, round(count * sixteenths / 16))


def contour_drift(valence: float, bar_in_phrase: int) -> int:
    """Scale steps added along the phrase: rising lines for pleasant, falling ones for unpleasant.

    Gabrielsson and Lindstrom 2010 (melodic direction); Huron 2008 (minor themes: smaller intervals).
    """
    return round(valence * bar_in_phrase * 0.7)


def chord_vocabulary(style_vocabulary: str, band: int, arousal: float) -> str:
    """Consonance: plain or open chords for the pleasant half, clusters where it is darkest and not calm.

    Dissonance is unpleasant and tense (Livingstone 2010: harmonic complexity; Gomez and Danuser 2007).
    """
    if band == 0 and style_vocabulary in ("tense", "seventh", "open") and arousal > -0.5:
        return "tense"
    return "triad" if style_vocabulary == "tense" else style_vocabulary
