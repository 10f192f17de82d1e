"""NarraScore: a film goes in, a soundtrack that follows its story comes out.

    from narrascore import Pipeline

    score = Pipeline.from_pretrained("embedded")("film.mp4")
    score.save("film_music")

The letters in which shapes are written everywhere:

    B  examples in a batch            K  codebooks of the music model (with notes: voices)
    F  seconds of film, at 1 Hz       C  channels of sound
    T  frames of music                N  samples of sound
    D  width of a hidden state
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from narrascore.affect import AffectCurve
    from narrascore.anchor import MusicalAnchor
    from narrascore.cues import Cue
    from narrascore.pipeline import Pipeline
    from narrascore.score import Score
    from narrascore.sentences import LocalSentence

__version__ = "0.1.0"
__all__ = ["AffectCurve", "Cue", "LocalSentence", "MusicalAnchor", "Pipeline", "Score", "__version__"]

# Imported when first asked for (PEP 562), so that `import narrascore` and a command's --help stay light.
_HOMES = {
    "AffectCurve": "narrascore.affect",
    "Cue": "narrascore.cues",
    "LocalSentence": "narrascore.sentences",
    "MusicalAnchor": "narrascore.anchor",
    "Pipeline": "narrascore.pipeline",
    "Score": "narrascore.score",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
