"""The musical anchor: one sentence on the music the whole film asks for (paper 3.4), and others on stretches of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from narrascore.errors import InputError
from narrascore.sentences import LocalSentence, Sentences

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
        local: sentences that hold instead over single stretches, later ones where two meet.
        reader: who wrote it: `cinematic`, `vlm`, `api`, `curve`, `user`, ...; `none` alone may leave it empty.
        not_understood: words of the sentences that the music model does not know.
        keyframe_seconds: film times of the pictures it was read from.
        notes: anything else worth keeping, such as a raw reply; under `warning` what the user should be told.
    """

    genre: str = ""
    instruments: str = ""
    mood: str = ""
    pace: str = ""
    prompt: str = ""
    caption: str = ""
    local: tuple[LocalSentence, ...] = ()
    reader: str = "user"
    not_understood: tuple[str, ...] = ()
    keyframe_seconds: tuple[float, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*FIELDS, "prompt", "caption"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_FIELD_CHARACTERS:
                raise ValueError(f"anchor {name} must be text of at most {MAX_FIELD_CHARACTERS} characters: {value!r}")
        for each in self.local:
            if not isinstance(each.sentence, str) or not 0 < len(_one_line(each.sentence)) <= MAX_FIELD_CHARACTERS:
                raise ValueError(
                    f"a local sentence must be text of 1 to {MAX_FIELD_CHARACTERS} characters: {each.sentence!r}"
                )
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

    def sentences(self, duration_seconds: float) -> Sentences:
        """Which sentence counts when in a film of this length."""
        local = (replace(each, sentence=_one_line(each.sentence)) for each in self.local)
        return Sentences(self.sentence, tuple(local), duration_seconds)

    def seen_from(self, seconds: float) -> MusicalAnchor:
        """The anchor of a film that begins at this moment of this one."""
        local = (
            LocalSentence(max(0.0, each.start_seconds - seconds), each.stop_seconds - seconds, each.sentence)
            for each in self.local
            if each.stop_seconds > seconds
        )
        return replace(self, local=tuple(local))

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
            data["local"] = tuple(LocalSentence(**each) for each in data.get("local", ()))
            return cls(**data)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"anchor {path.name}: {error}; it needs {', '.join(FIELDS)} as JSON text") from error


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" ,.")
