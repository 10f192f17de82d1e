"""One finding about an installation or the machine that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from narrascore.errors import InputError, NarraScoreError


@dataclass(frozen=True)
class Check:
    """What was looked at and what was found.

    Attributes:
        name: what was looked at, in a word or two.
        state: `ok`; `note`, something to know that the default system works without; `problem`, it does not.
        found: in words.
        advice: what to do, where there is something to do.
        fails_as: of a problem: the error that scoring a film would end with.
    """

    name: str
    state: Literal["ok", "note", "problem"]
    found: str
    advice: str = ""
    fails_as: type[NarraScoreError] = InputError
