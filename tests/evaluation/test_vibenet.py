"""vibenet runs in a Python of its own: NARRASCORE_VIBENET_PYTHON names one that has it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from narrascore.errors import ModelUnavailableError
from narrascore.evaluation.vibenet import COMMAND, Vibenet

PYTHON = os.environ.get("NARRASCORE_VIBENET_PYTHON")


@pytest.mark.parametrize("python", [None, Path("/no/such/python"), Path(sys.executable)])
def test_where_it_is_not_installed_one_line_says_how_it_is(python: Path | None) -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        Vibenet(python).describe()
    assert COMMAND in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(PYTHON is None, reason="NARRASCORE_VIBENET_PYTHON names no Python with vibenet")
def test_clips_one_after_another_are_heard_apart() -> None:
    embedder = Vibenet(Path(str(PYTHON)))
    noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
    tone = 0.1 * np.sin(2 * np.pi * 440 / 16_000 * np.arange(160_000, dtype=np.float32))
    first, second, again = (embedder.embed(clip) for clip in (noise, tone, noise))
    assert first.shape == (7,) and np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0.1
