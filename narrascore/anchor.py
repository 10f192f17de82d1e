"""The musical anchor: one sentence on the music the whole film asks for (paper 3.4)."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from narrascore.errors import InputError

FIELDS = ("genre", "instruments", "mood", "pace")
MAX_FIELD_CHARACTERS = 300


@dataclass(frozen=True)
class MusicalAnchor:
    """Four musical dimensions of the whole film and the sentence they make.

    Attributes:
        genre: genre and stylistic context.
        instruments: instrumentation and timbral texture.
        mood: emotional atmosphere.
        pace: rhythmic pacing.
        prompt: a sentence that replaces all others, as given by the user; empty for none.
        caption: what is seen, in words without any musical schema (the paper's "w/o HMC"); it stands in for the four
            fields. Empty for none.
        reader: who wrote it: `cinematic`, `vlm`, `api`, `curve`, `user`, ...; `none` alone may leave it empty.
        not_understood: words of the sentence that the music model does not know.
        keyframe_seconds: film times of the pictures it was read from.
        notes: anything else worth keeping, such as a raw reply; under `warning` what the user should be told.
    """

    genre: str = ""
    instruments: str = ""
    mood: str = ""
    pace: str = ""
    prompt: str = ""
    caption: str = ""
    reader: str = "user"
    not_understood: tuple[str, ...] = ()
    keyframe_seconds: tuple[float, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*FIELDS, "prompt", "caption"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_FIELD_CHARACTERS:
                raise ValueError(f"anchor {name} must be text of at most {MAX_FIELD_CHARACTERS} characters: {value!r}")
        if not all(isinstance(text, str) for text in self.notes.values()):
            raise ValueError(f"anchor notes must be text by name: {self.notes!r}")
        if not self.sentence and self.reader != "none":
            raise ValueError("an anchor needs a prompt, a caption or one of genre, instruments, mood and pace")

    @property
    def sentence(self) -> str:
        """What the music model is told: the user's prompt, else the caption, else the four fields joined, if any."""
        for whole in (self.prompt, self.caption):
            if whole.strip():
                return _one_line(whole)
        instruments = f"with {self.instruments}" if self.instruments.strip() else ""
        parts = (self.genre, instruments, self.mood, self.pace)
        return ", ".join(_one_line(part) for part in parts if part.strip())

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "sentence": self.sentence}, indent=2, ensure_ascii=False) + "\n"

    def _repr_html_(self) -> str:
        """For notebooks."""
        from narrascore.display import show_anchor

        return show_anchor(self)

    @classmethod
    def from_json(cls, path: str | Path) -> MusicalAnchor:
        """Read an anchor back; a hand-edited field counts, the derived `sentence` is ignored.

        Raises:
            InputError: if the file is not an anchor.
        """
        path = Path(path)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("sentence", None)
            for name in ("not_understood", "keyframe_seconds"):
                data[name] = tuple(data.get(name, ()))
            return cls(**data)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"anchor {path.name}: {error}; it needs {', '.join(FIELDS)} as JSON text") from error


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" ,.")
