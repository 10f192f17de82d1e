"""The words the embedded model knows: styles, instruments, moods and paces of film music, and where each belongs.

The eye chooses from these words, the composer writes its captions in them, the embedded tokenizer's table is made from
them, and the score codec's palette reads its instruments from them. MusicGen from the hub understands any English.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["melody", "counter", "inner", "bass", "percussion"]


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program (0 to 127; drum kits are programs of channel 10) and the voices it can take."""

    program: int
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class Style:
    """A way of writing film music.

    Attributes:
        phrase: how a sentence names it.
        affect: (valence, arousal) where it is most at home.
        palette: its usual instrument for each voice.
    """

    phrase: str
    affect: tuple[float, float]
    palette: dict[Role, str]


INSTRUMENTS: dict[str, Instrument] = {
    "piano": Instrument(0, ("melody", "counter", "inner", "bass")),
    "electric piano": Instrument(4, ("melody", "counter", "inner")),
    "celesta": Instrument(8, ("melody", "counter")),
    "music box": Instrument(10, ("melody", "counter")),
    "vibraphone": Instrument(11, ("melody", "counter", "inner")),
    "marimba": Instrument(12, ("melody", "counter", "inner")),
    "organ": Instrument(19, ("inner", "bass")),
    "accordion": Instrument(21, ("melody", "counter", "inner")),
    "acoustic guitar": Instrument(24, ("melody", "counter", "inner")),
    "clean guitar": Instrument(27, ("melody", "counter", "inner")),
    "distorted guitar": Instrument(30, ("melody", "counter", "inner")),
    "double bass": Instrument(32, ("bass",)),
    "electric bass": Instrument(33, ("bass",)),
    "synth bass": Instrument(38, ("bass",)),
    "violin": Instrument(40, ("melody", "counter")),
    "cello": Instrument(42, ("melody", "counter", "bass")),
    "low strings": Instrument(43, ("bass",)),
    "tremolo strings": Instrument(44, ("counter", "inner")),
    "pizzicato strings": Instrument(45, ("melody", "counter", "inner", "bass")),
    "harp": Instrument(46, ("melody", "counter", "inner")),
    "strings": Instrument(48, ("melody", "counter", "inner")),
    "slow strings": Instrument(49, ("melody", "counter", "inner")),
    "choir": Instrument(52, ("counter", "inner")),
    "trumpet": Instrument(56, ("melody", "counter")),
    "trombone": Instrument(57, ("counter", "bass")),
    "french horn": Instrument(60, ("melody", "counter", "inner")),
    "brass": Instrument(61, ("melody", "counter", "inner")),
    "saxophone": Instrument(66, ("melody", "counter")),
    "oboe": Instrument(68, ("melody", "counter")),
    "bassoon": Instrument(70, ("counter", "bass")),
    "clarinet": Instrument(71, ("melody", "counter")),
    "flute": Instrument(73, ("melody", "counter")),
    "synth lead": Instrument(81, ("melody", "counter")),
    "warm pad": Instrument(89, ("counter", "inner")),
    "synth pad": Instrument(90, ("counter", "inner")),
    "glass pad": Instrument(92, ("counter", "inner")),
    "drums": Instrument(0, ("percussion",)),
    "rock drums": Instrument(16, ("percussion",)),
    "electronic drums": Instrument(24, ("percussion",)),
    "brushed drums": Instrument(40, ("percussion",)),
    "orchestral percussion": Instrument(48, ("percussion",)),
}


def _palette(melody: str, counter: str, inner: str, bass: str, percussion: str) -> dict[Role, str]:
    return {"melody": melody, "counter": counter, "inner": inner, "bass": bass, "percussion": percussion}


STYLES: dict[str, Style] = {
    "ambient": Style(
        "ambient soundscape",
        (0.2, -0.8),
        _palette("celesta", "glass pad", "warm pad", "cello", "orchestral percussion"),
    ),
    "minimal": Style(
        "minimal piano score", (0.1, -0.4), _palette("piano", "cello", "strings", "piano", "orchestral percussion")
    ),
    "romance": Style(
        "romantic waltz score",
        (0.6, -0.3),
        _palette("violin", "clarinet", "harp", "double bass", "orchestral percussion"),
    ),
    "drama": Style(
        "orchestral drama score",
        (-0.3, -0.1),
        _palette("oboe", "french horn", "strings", "low strings", "orchestral percussion"),
    ),
    "epic": Style(
        "epic orchestral score",
        (0.4, 0.7),
        _palette("brass", "french horn", "strings", "low strings", "orchestral percussion"),
    ),
    "action": Style(
        "hybrid action score", (-0.4, 0.9), _palette("brass", "synth lead", "strings", "synth bass", "rock drums")
    ),
    "suspense": Style(
        "suspense thriller score",
        (-0.8, 0.1),
        _palette("clarinet", "tremolo strings", "tremolo strings", "low strings", "orchestral percussion"),
    ),
    "electronic": Style(
        "electronic pulse score",
        (0.0, 0.5),
        _palette("synth lead", "electric piano", "synth pad", "synth bass", "electronic drums"),
    ),
    "noir": Style(
        "jazz noir score",
        (-0.3, -0.3),
        _palette("saxophone", "vibraphone", "electric piano", "double bass", "brushed drums"),
    ),
    "folk": Style(
        "acoustic folk score",
        (0.6, 0.1),
        _palette("flute", "violin", "acoustic guitar", "double bass", "brushed drums"),
    ),
    "comedy": Style(
        "playful comedy score", (0.8, 0.4), _palette("clarinet", "bassoon", "pizzicato strings", "bassoon", "drums")
    ),
    "rock": Style(
        "instrumental rock score",
        (0.3, 0.8),
        _palette("distorted guitar", "synth lead", "clean guitar", "electric bass", "rock drums"),
    ),
}

MOODS: dict[str, tuple[float, float]] = {
    "serene": (0.6, -0.8), "peaceful": (0.7, -0.6), "tender": (0.5, -0.4), "dreamy": (0.3, -0.7), "warm": (0.6, -0.2),
    "hopeful": (0.6, 0.1), "joyful": (0.9, 0.5), "playful": (0.8, 0.3), "triumphant": (0.8, 0.8), "heroic": (0.6, 0.7),
    "energetic": (0.4, 0.9), "bright": (0.8, 0.1), "reflective": (0.0, -0.4), "neutral": (0.0, 0.0),
    "melancholic": (-0.4, -0.5), "sad": (-0.7, -0.5), "lonely": (-0.6, -0.8), "dark": (-0.7, 0.0),
    "mysterious": (-0.3, -0.2), "ominous": (-0.8, 0.2), "tense": (-0.5, 0.5), "restless": (-0.1, 0.5),
    "urgent": (-0.2, 0.8), "aggressive": (-0.8, 0.9), "desperate": (-0.9, 0.6), "solemn": (-0.3, -0.7),
}  # fmt: skip

PACES: dict[str, float] = {
    "very slow still pace": -0.8, "slow flowing pace": -0.45, "moderate steady pace": 0.0, "fast driving pace": 0.45,
    "very fast relentless pace": 0.8,
}  # fmt: skip

SYNONYMS: dict[str, str] = {
    "calm": "peaceful", "quiet": "peaceful", "gentle": "tender", "soft": "tender", "relaxed": "peaceful",
    "happy": "joyful", "cheerful": "joyful", "uplifting": "hopeful", "inspiring": "hopeful", "optimistic": "hopeful",
    "funny": "playful", "whimsical": "playful", "exciting": "energetic", "powerful": "triumphant", "intense": "urgent",
    "scary": "ominous", "frightening": "ominous", "horror": "suspense", "eerie": "mysterious", "sorrowful": "sad",
    "gloomy": "dark", "sombre": "dark", "somber": "dark", "nostalgic": "melancholic", "wistful": "melancholic",
    "angry": "aggressive", "violent": "aggressive", "nervous": "restless", "anxious": "tense", "tension": "tense",
    "dramatic": "drama", "cinematic": "score", "soundtrack": "score", "film": "score", "music": "score",
    "jazzy": "jazz", "orchestra": "orchestral", "symphonic": "orchestral", "synth": "electronic",
    "synthesizer": "electronic", "techno": "electronic", "guitar": "acoustic", "romantic": "romantic",
    "tempo": "pace", "rhythm": "pace", "quick": "fast", "rapid": "fast", "slowly": "slow", "medium": "moderate",
    "horns": "brass", "horn": "brass", "percussion": "drums", "drum": "drums", "sax": "saxophone", "vocals": "choir",
}  # fmt: skip

FILLERS = frozenset("a an and at but by for from in into is it its of on or that the then to very with".split())


def nearest_mood(valence: float, arousal: float, skip: frozenset[str] = frozenset()) -> str:
    """The mood word closest to a point of the valence-arousal plane."""
    free = {word: at for word, at in MOODS.items() if word not in skip}
    return min(free, key=lambda word: (free[word][0] - valence) ** 2 + (free[word][1] - arousal) ** 2)


def nearest_pace(arousal: float) -> str:
    """The pace phrase closest to an arousal."""
    return min(PACES, key=lambda phrase: abs(PACES[phrase] - arousal))


def vocabulary() -> list[str]:
    """Every single word of the lexicon, sorted: the embedded tokenizer's table."""
    phrases = [*INSTRUMENTS, *(style.phrase for style in STYLES.values()), *MOODS, *PACES, "with", "and", *STYLES]
    return sorted({word for phrase in phrases for word in phrase.split()})
