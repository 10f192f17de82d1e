"""The musical anchor, read off the keyframes by a language model (paper 3.4 and 3.6)."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.perception.anchor_settings import AnchorSettings, InstructionName
from narrascore.perception.conceive import CinematicAnchorReader, conceive_from_curve
from narrascore.perception.instructions import PLAIN, ask_again, hmc_instruction, lexicon_words
from narrascore.perception.reading import FilmReading
from narrascore.perception.schema import read_caption_reply, read_musical_reply

TRIES = 3  # the first time of asking and two more
KEPT_CHARACTERS = 4000  # of a reply: a model that never ends must not fill the anchor's file


class Answerer(Protocol):
    """A language model that answers about pictures: a frozen backbone, or one behind an endpoint."""

    def answer(
        self, pictures: Sequence[tuple[float, NDArray[np.uint8]]], instruction: str, *, max_new_tokens: int = 256
    ) -> str:
        """The model's words, as they came.

        Args:
            pictures: (film time in seconds, `[h, w, 3]` uint8 RGB), in time order.
            instruction: what is asked, before the pictures.
            max_new_tokens: of the answer.

        Raises:
            ModelUnavailableError: if there is no answer to be had.
        """

    def describe(self) -> Mapping[str, object]:
        """For the manifest: the model, and where it comes from."""


class AnchorReader(Protocol):
    """What a pipeline calls to conceive a film's anchor."""

    def __call__(self, reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
        """What music the whole film asks for."""

    def describe(self) -> dict[str, object]:
        """For the manifest: everything that decides on the words, but the film."""


class NoAnchorReader:
    """Leaves the music without a sentence, for comparison: the curve alone steers it."""

    def __call__(self, reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
        """The empty anchor."""
        return MusicalAnchor(reader="none")

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"reader": "none"}


class LanguageAnchorReader:
    """Has a language model look at the keyframes, checks what it says, and asks again where that cannot be used.

    Args:
        answerer: the model.
        reader: the name it goes by in anchors, such as `vlm`.
        instruction: `hmc` for the four musical fields, `plain` for a caption of what is seen.
        prefer_lexicon: offer the model the lexicon's words, for music that knows no others; of no account in `plain`.
    """

    def __init__(
        self,
        answerer: Answerer,
        reader: str,
        instruction: InstructionName = "hmc",
        *,
        prefer_lexicon: bool = False,
    ) -> None:
        self.answerer = answerer
        self.reader = reader
        self.instruction = instruction
        self.text = PLAIN if instruction == "plain" else hmc_instruction(lexicon_words() if prefer_lexicon else None)
        self._read = read_caption_reply if instruction == "plain" else read_musical_reply

    def __call__(self, reading: FilmReading, curve: AffectCurve) -> MusicalAnchor:
        """The first usable answer of three at most, else words from the curve alone, with a warning in the notes.

        Raises:
            ModelUnavailableError: if there is no answer to be had.
        """
        times = tuple(seconds for seconds, _ in reading.keyframes)
        notes: dict[str, str] = {"instruction": self.instruction}
        faults = ["there are no keyframes to look at"]
        for count in range(TRIES if reading.keyframes else 0):
            reply = self.answerer.answer(reading.keyframes, ask_again(self.text, faults) if count else self.text)
            notes[f"reply {count + 1}"] = reply[:KEPT_CHARACTERS]
            fields, faults = self._read(reply[:KEPT_CHARACTERS])
            if not faults:
                return MusicalAnchor(
                    genre=fields.get("genre", ""),
                    instruments=fields.get("instruments", ""),
                    mood=fields.get("mood", ""),
                    pace=fields.get("pace", ""),
                    caption=fields.get("caption", ""),
                    reader=self.reader,
                    keyframe_seconds=times,
                    notes=notes,
                )
        notes["warning"] = (
            f"the anchor comes from the affect curve alone: the reader {self.reader} gave nothing that can be used "
            f"({'; '.join(faults)}); write one into anchor.json, or give --prompt"
        )
        anchor = conceive_from_curve(curve)
        return dataclasses.replace(anchor, keyframe_seconds=times, notes={**anchor.notes, **notes})

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        text = hashlib.sha256(self.text.encode()).hexdigest()
        about: dict[str, object] = {"reader": self.reader, "instruction": self.instruction, "instruction_sha256": text}
        return {**about, **self.answerer.describe()}


def load_anchor_reader(
    settings: AnchorSettings,
    *,
    eye: str,
    vlm: Answerer | None,
    prefer_lexicon: bool = False,
    offline: bool = False,
    notify: Callable[[str], None] | None = None,
) -> AnchorReader:
    """The reader that the settings ask for.

    Args:
        settings: of the anchor; without a reader's name it is the eye's own.
        eye: the name of the eye, `cinematic` or `vlm`.
        vlm: the frozen model, if it is loaded.
        prefer_lexicon: offer a language model the lexicon's words, for music that knows no others.
        offline: refuse a reader that needs the network.
        notify: told once per film, before its keyframes leave the machine; by default the error stream is.

    Raises:
        UsageError: if the reader does not fit the eye or `offline`.
        ModelUnavailableError: if its model, or the key to it, is not at hand.
    """
    reader = settings.reader or eye
    if reader == "none":
        return NoAnchorReader()
    if reader == "cinematic":
        if eye != "cinematic":
            raise UsageError(
                f"anchor.reader=cinematic reads what the eye cinematic saw, and the eye is {eye}; choose vlm or api"
            )
        return CinematicAnchorReader(settings.instruction)
    if reader == "vlm":
        if vlm is None:
            raise UsageError("anchor.reader=vlm needs VideoLLaMA3, which is not loaded; choose cinematic or api")
        return LanguageAnchorReader(vlm, "vlm", settings.instruction, prefer_lexicon=prefer_lexicon)
    if offline:
        raise UsageError(
            f"anchor.reader=api sends keyframes to {settings.api.host}, and --offline was asked for; leave --offline "
            "out, or choose vlm or cinematic"
        )
    try:
        from narrascore.perception.api_reader import ApiAnswerer
    except ModuleNotFoundError as absent:
        raise UsageError(f"anchor.reader=api needs {absent.name}: pip install 'narrascore[api]'") from absent
    answerer = ApiAnswerer(settings.api, notify or _tell)
    return LanguageAnchorReader(answerer, "api", settings.instruction, prefer_lexicon=prefer_lexicon)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
