"""Sentences for a piece, in the words and the shape of the anchor (`MusicalAnchor.sentence`)."""

from __future__ import annotations

from random import Random

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.lexicon import INSTRUMENTS, STYLES, Role, nearest_mood, nearest_pace

CAPTIONS_PER_PIECE = 3


def write_captions(curve: AffectCurve, style: str, seed: int) -> list[str]:
    """`CAPTIONS_PER_PIECE` different sentences: the first whole, the others sometimes shorter or in another order.

    Mood and pace are read from the curve's mean, with some jitter: a sentence speaks of the whole piece, and a person
    would not always choose the nearest word. Instruments come mostly from the style's own palette.
    """
    random = Random(f"{seed}/{style}/captions")
    whole = _draw_anchor(random, curve, style)
    captions = [whole.sentence]
    while len(captions) < CAPTIONS_PER_PIECE:
        sentence = _loosen(random, _draw_anchor(random, curve, style))
        if sentence not in captions:
            captions.append(sentence)
    return captions


def _draw_anchor(random: Random, curve: AffectCurve, style: str) -> MusicalAnchor:
    valence, arousal = (float(x) for x in curve.values.mean(axis=0))
    first = nearest_mood(valence + random.gauss(0, 0.12), arousal + random.gauss(0, 0.12))
    moods = first
    if random.random() < 0.7:
        second = nearest_mood(valence + random.gauss(0, 0.15), arousal + random.gauss(0, 0.15), skip=frozenset({first}))
        moods = f"{first} and {second}"
    return MusicalAnchor(
        genre=STYLES[style].phrase,
        instruments=_join(_draw_instruments(random, style)),
        mood=moods,
        pace=nearest_pace(arousal + random.gauss(0, 0.1)),
    )


def _draw_instruments(random: Random, style: str) -> list[str]:
    """Two to four of the palette's, each now and then replaced by another that can take its voice."""
    palette = STYLES[style].palette
    roles: list[Role] = list(palette)
    chosen: list[str] = []
    for role in random.sample(roles, random.randint(2, 4)):
        name = palette[role]
        if random.random() < 0.2:
            name = random.choice([other for other, about in INSTRUMENTS.items() if role in about.roles])
        if name not in chosen:
            chosen.append(name)
    return chosen


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _loosen(random: Random, anchor: MusicalAnchor) -> str:
    """The sentence with fields missing or in another order, so that short prompts are understood too."""
    fields = [anchor.genre, f"with {anchor.instruments}", anchor.mood, anchor.pace]
    manner = random.random()
    if manner < 0.3:
        return anchor.sentence
    if manner < 0.65:
        kept = sorted(random.sample(range(4), random.randint(1, 3)))
        fields = [fields[i] for i in kept]
    elif manner < 0.85:
        random.shuffle(fields)
    else:
        fields = random.sample(fields, random.randint(1, 3))
    return ", ".join(field.removeprefix("with ") if i == 0 else field for i, field in enumerate(fields))
