"""What a language model is told before it sees a film's keyframes (paper 3.4, Holistic Musical Conceptualization).

`hmc` asks for a translation from one sense to another: understand what is seen, write down only what is heard, in the
four dimensions of the paper. `plain` asks for a caption of what is seen, the paper's "w/o HMC".

No answer is given as an example: small models copy it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from narrascore.lexicon import INSTRUMENTS, MOODS, PACES, STYLES

DIMENSIONS = {
    "genre": "genre and stylistic context",
    "instruments": "instrumentation and timbral texture",
    "mood": "emotional atmosphere",
    "pace": "rhythmic pacing",
}
"""The fields of an anchor and what the paper calls them."""

MAX_WORDS = 25
"""Of one field: four of them still make a sentence."""

HMC = """\
You are a composer for film. The pictures are keyframes of one film, in order, each after its time. Understand from \
them the story of the whole film and what it feels like. Then turn what is seen into what is heard: imagine the one \
piece of music that goes with the whole film, and describe only that music.

Answer in English, in exactly these four lines and nothing else, each of at most {max_words} words:
{lines}

Write only what an ear could tell. Name no person, animal, thing, place or action of the film, and say nothing of \
camera, shots, cutting, screen or picture."""

PREFERRED = """

Choose from these words wherever one comes close to what you mean:
{lines}"""

PLAIN = """\
The pictures are keyframes of one film, in order, each after its time. Describe in one or two plain English sentences \
what is seen in the film as a whole: who or what is there, where, and what happens. Write nothing else."""

AGAIN = """

An earlier answer could not be used: {faults}. Answer anew and keep to everything asked for above."""


def hmc_instruction(preferred: Mapping[str, Sequence[str]] | None = None) -> str:
    """The structured instruction.

    Args:
        preferred: field -> words that the music model knows, for one that does not know all of English.
    """
    lines = "\n".join(f"{field}: <{meaning}>" for field, meaning in DIMENSIONS.items())
    text = HMC.format(max_words=MAX_WORDS, lines=lines)
    if preferred:
        text += PREFERRED.format(lines="\n".join(f"{field}: {', '.join(words)}" for field, words in preferred.items()))
    return text


def lexicon_words() -> dict[str, list[str]]:
    """Field -> the phrases of the lexicon that belong there: all that the embedded music model knows."""
    return {
        "genre": [style.phrase for style in STYLES.values()],
        "instruments": list(INSTRUMENTS),
        "mood": list(MOODS),
        "pace": list(PACES),
    }


def ask_again(instruction: str, faults: Sequence[str]) -> str:
    """The same instruction, with what was wrong with the last answer."""
    return instruction + AGAIN.format(faults="; ".join(faults))
