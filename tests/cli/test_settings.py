"""Settings are checked against the annotations of a dataclass, and a wrong one names its key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from narrascore.cli.settings import read_settings
from narrascore.errors import UsageError


@dataclass(frozen=True)
class Inner:
    rate_hz: float = 1.0


@dataclass(frozen=True)
class Outer:
    seed: int
    audio: Literal["mix", "replace"] | None = None
    force: bool = False
    output: Path | None = None
    epochs: tuple[int, ...] = (1,)
    inner: Inner = Inner()
    span: tuple[int, int] = (0, 1)
    guidance: float | Literal["off"] | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must not be negative: got {self.seed}")


def test_values_come_out_as_the_annotations_say() -> None:
    values = {"seed": 3, "audio": "mix", "output": "x y", "epochs": [4, 5], "inner": {"rate_hz": 2}}
    assert read_settings(Outer, values) == Outer(3, "mix", False, Path("x y"), (4, 5), Inner(2.0))
    assert read_settings(Outer, {"seed": 3, "audio": None, "output": None}) == Outer(3)
    for guidance in (2.5, "off", None):
        assert read_settings(Outer, {"seed": 3, "guidance": guidance}).guidance == guidance
    with pytest.raises(UsageError, match="guidance must be a number"):
        read_settings(Outer, {"seed": 3, "guidance": "on"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": "3"}, "seed must be a whole number: got '3'"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": -1}, "seed must not be negative: got -1"),
        ({"seed": 1, "audio": "loud"}, "audio is one of mix, replace: got loud"),
        ({"seed": 1, "force": 1}, "force must be true or false"),
        ({"seed": 1, "output": ""}, "output must be a path"),
        ({"seed": 1, "epochs": ["a"]}, "epochs must be a whole number"),
        ({"seed": 1, "epochs": 4}, "epochs must be a list, such as epochs=[...]: got 4"),
        ({"seed": 1, "span": [4]}, "span must be a list of 2: got [4]"),
        ({"seed": 1, "inner": {"rate_hz": float("nan")}}, "inner.rate_hz must be a number"),
        ({"seed": 1, "inner": {"rate": 1}}, "no setting inner.rate; did you mean inner.rate_hz"),
        ({"seed": 1, "zzz": 1}, "no setting zzz; there are seed, audio"),
    ],
)
def test_a_wrong_value_names_its_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(Outer, values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
