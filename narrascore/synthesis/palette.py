"""The palette: which instrument plays each voice and in which key, read off the anchor's sentences by a stated rule."""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_right
from dataclasses import dataclass, replace

from narrascore.anchor import MusicalAnchor
from narrascore.lexicon import INSTRUMENTS, MOODS, PACES, STYLES, SYNONYMS, Role

ROLES: tuple[Role, ...] = ("melody", "counter", "inner", "bass", "percussion")
LOWEST_KEY, KEYS = -5, 12
"""The tonic lies 5 semitones below C to 6 above."""
_SHORT_NAMES = {"guitar": "acoustic guitar", "bass": "double bass", "pad": "warm pad", "lead": "synth lead",
                "contrabass": "double bass", "cellos": "cello", "violins": "violin", "horns": "french horn",
                "horn": "french horn", "flutes": "flute", "synthesizer": "synth pad", "vocals": "choir",
                "percussion": "drums", "drum": "drums", "sax": "saxophone"}  # fmt: skip
_COMMON_WORDS = frozenset({"score"})


@dataclass(frozen=True)
class Palette:
    """An instrument of the lexicon for each role, and the key.

    Attributes:
        instruments: role -> name in `lexicon.INSTRUMENTS`.
        key_semitones: what is added to the codes' tonic C, -5 to 6.
        style: the lexicon's style that filled the roles the sentence left open.
    """

    instruments: dict[Role, str]
    key_semitones: int = 0
    style: str = "drama"

    def __post_init__(self) -> None:
        for role in ROLES:
            name = self.instruments.get(role)
            if name is None or name not in INSTRUMENTS:
                raise ValueError(f"a palette needs an instrument of the lexicon for {role}: got {name!r}")
            if (role == "percussion") != ("percussion" in INSTRUMENTS[name].roles):
                raise ValueError(f"{name} cannot play {role}: it takes {', '.join(INSTRUMENTS[name].roles)}")
        if not LOWEST_KEY <= self.key_semitones < LOWEST_KEY + KEYS:
            raise ValueError(f"key_semitones must be in [-5, 6]: got {self.key_semitones}")

    def at(self, frame: int) -> Palette:
        """What plays the notes that begin in a frame: always this."""
        return self

    def begun_at(self, frame: int) -> Palette:
        """The palette of what begins with this frame: always this."""
        return self

    def program(self, role: Role) -> int:
        """The General MIDI program, 0 to 127, of a role's instrument."""
        return INSTRUMENTS[self.instruments[role]].program

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "style": self.style,
            "key_semitones": self.key_semitones,
            "instruments": {role: self.instruments[role] for role in ROLES},
            "programs": {role: self.program(role) for role in ROLES},
        }


@dataclass(frozen=True)
class PaletteTurns:
    """Palettes that take turns, in one key. A note is played by the one in whose turn it begins, and rings out.

    Attributes:
        film: the film's own.
        starts: the frames in which the turns begin, the first of them 0.
        palettes: of the turns.
    """

    film: Palette
    starts: tuple[int, ...]
    palettes: tuple[Palette, ...]

    def at(self, frame: int) -> Palette:
        """What plays the notes that begin in a frame."""
        return self.palettes[bisect_right(self.starts, frame) - 1]

    def begun_at(self, frame: int) -> PaletteTurns:
        """The turns of what begins with this frame."""
        now = bisect_right(self.starts, frame) - 1
        starts = (0, *(start - frame for start in self.starts[now + 1 :]))
        return PaletteTurns(self.film, starts, self.palettes[now:])

    def describe(self) -> dict[str, object]:
        """For the manifest: the film's own palette, and the turns by their first frames."""
        turns = zip(self.starts, self.palettes, strict=True)
        return {**self.film.describe(), "turns": {f"frame {start}": each.describe() for start, each in turns}}


def palettes_for(anchor: MusicalAnchor, frame_rate_hz: float) -> Palette | PaletteTurns:
    """The anchor's palette, and where it has local sentences theirs, in the film's key: a turn begins with the frame
    nearest to its border, in the middle of the sentences' cross-fade."""
    film = palette_for(anchor)
    if not anchor.local:
        return film
    starts, palettes = [], []
    for start_seconds, sentence in anchor.sentences(math.inf).turns():
        starts.append(round(start_seconds * frame_rate_hz))
        own = film if sentence == anchor.sentence else palette_for(MusicalAnchor(prompt=sentence))
        palettes.append(replace(own, key_semitones=film.key_semitones))
    return PaletteTurns(film, tuple(starts), tuple(palettes))


def palette_for(anchor: MusicalAnchor) -> Palette:
    """The anchor's palette, from its sentence alone.

    1. Style: the one whose phrase shares the most words with the sentence; between equals, and if none is named, the
       one nearest to the sentence's moods and pace.
    2. Instruments named in the sentence, the longest names first found: one that the style uses takes its place there;
       then those that can take the fewest roles choose first, in the order of the sentence, each the first role
       of its own that is still free.
    3. Roles still free are filled by the style.
    4. Key: SHA-256 of the sentence in lower case, modulo 12, from 5 semitones below C to 6 above.
    """
    words = _words(anchor.sentence)
    style = _style_of(words)
    free = dict(STYLES[style].palette)
    taken: dict[Role, str] = {}
    named = _instruments_in(words)
    at_home = [(role, name) for name in named for role in ROLES if free[role] == name]
    # A style may use one instrument in two places, such as bassoon in comedy: it keeps both.
    taken.update(dict(at_home))
    placed = {name for _, name in at_home}
    for name in sorted((name for name in named if name not in placed), key=lambda name: len(INSTRUMENTS[name].roles)):
        role = next((role for role in INSTRUMENTS[name].roles if role not in taken), None)
        if role is not None:
            taken[role] = name
    digest = hashlib.sha256(anchor.sentence.lower().encode()).digest()
    return Palette({**free, **taken}, LOWEST_KEY + int.from_bytes(digest[:8], "big") % KEYS, style)


def _words(sentence: str) -> list[str]:
    return re.findall(r"[a-z]+", sentence.lower())


def _instruments_in(words: list[str]) -> list[str]:
    """Names of instruments in the order of the sentence, each once; at each place the longest name wins."""
    found: list[str] = []
    at = 0
    while at < len(words):
        for length in (3, 2, 1):
            phrase = " ".join(words[at : at + length])
            name = phrase if phrase in INSTRUMENTS else _SHORT_NAMES.get(phrase)
            if name is not None:
                found.append(name)
                at += length
                break
        else:
            at += 1
    return list(dict.fromkeys(found))


def _style_of(words: list[str]) -> str:
    known = set(words) | {SYNONYMS[word] for word in words if word in SYNONYMS}
    points = [MOODS[word] for word in words if word in MOODS]
    points += [MOODS[SYNONYMS[word]] for word in words if SYNONYMS.get(word) in MOODS]
    valence = sum(point[0] for point in points) / max(len(points), 1)
    arousals = [point[1] for point in points] + [PACES[phrase] for phrase in PACES if phrase in " ".join(words)]
    arousal = sum(arousals) / max(len(arousals), 1)

    def rank(name: str) -> tuple[int, float]:
        shared = len(({name, *STYLES[name].phrase.split()} & known) - _COMMON_WORDS)
        at = STYLES[name].affect
        return shared, -((at[0] - valence) ** 2) - (at[1] - arousal) ** 2

    return max(STYLES, key=rank)
