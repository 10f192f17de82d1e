from __future__ import annotations

from pathlib import Path

import torch

from narrascore.synthesis.composing import ComposedWindow
from narrascore.units import WindowStore, differences

HERE = {"versions": {"torch": "2.13"}, "engine": "exact", "rows": 1, "threads": 1}
THERE = {"versions": {"torch": "2.12"}, "engine": "exact", "rows": 1, "threads": 2}
WINDOW = ComposedWindow(torch.arange(12, dtype=torch.int16).reshape(3, 4), ("silence from 0.2 s on", "one note held"))


def test_a_window_comes_back_with_all_that_is_told_of_it(tmp_path: Path) -> None:
    WindowStore(tmp_path, HERE).save(3, "key", WINDOW)
    back = WindowStore(tmp_path, HERE).load(3, "key")
    assert back is not None and torch.equal(back.codes, WINDOW.codes) and back.collapses == WINDOW.collapses
    row = WindowStore(tmp_path, HERE).row(3)
    assert row["key"] == "key" and row["collapses"] == list(WINDOW.collapses)


def test_a_window_of_another_key_or_environment_is_not_taken(tmp_path: Path) -> None:
    WindowStore(tmp_path, HERE).save(0, "key", WINDOW)
    assert WindowStore(tmp_path, HERE).load(0, "another") is None
    assert WindowStore(tmp_path, HERE).load(1, "key") is None
    assert WindowStore(tmp_path, THERE).load(0, "key") is None
    assert WindowStore(tmp_path, THERE, [HERE]).load(0, "key") is not None


def test_a_window_is_the_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        WindowStore(tmp_path / folder, HERE).save(0, "key", WINDOW)
    a, b = ((tmp_path / folder / "00000.safetensors").read_bytes() for folder in ("a", "b"))
    assert a == b


def test_environments_differ_in_what_is_not_reused() -> None:
    assert differences(HERE, {**HERE, "threads": 2, "rows": 4}) == []
    assert differences(HERE, {**THERE, "engine": "int8"}) == [
        "engine exact then, int8 now", "torch 2.13 then, 2.12 now",
    ]  # fmt: skip
    assert differences({"dtype": "float32"}, {"dtype": "float32", "engine": "exact"}) == ["engine None then, exact now"]
