"""Where the composer's pieces lie; a checkout makes them on first use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import narrascore
from narrascore.errors import InputError, UsageError

RECIPE = Path("recipes", "embedded", "compose.py")
HOURS = 12
"""Composed for a bare training of the adapter; the embedded model's own corpus is larger."""


def find_checkout() -> Path | None:
    """The folder that holds the recipes, or None for an installed package."""
    root = Path(narrascore.__file__).resolve().parent.parent
    return root if (root / RECIPE).is_file() else None


def find_corpus(data: Mapping[str, object]) -> Path:
    """The folder of shards that the settings name, else the checkout's `build/corpus`, composed if it is not there.

    Raises:
        UsageError: if none is named and there is no checkout to compose one in.
        InputError: if the folder named does not exist, or composing failed.
    """
    if data["root"] is not None:
        root = Path(str(data["root"])).expanduser()
        if not root.is_dir():
            raise InputError(f"data.root {root}: no such folder; make one with {RECIPE.as_posix()} of a checkout")
        return root
    checkout = find_checkout()
    if checkout is None:
        raise UsageError("no corpus is named and this is not a checkout; give a folder of shards by data.root=FOLDER")
    corpus = checkout / "build" / "corpus"
    print(f"composing {HOURS} h of pieces into {corpus}, unless they are there", flush=True)
    words = [sys.executable, "-m", ".".join(RECIPE.with_suffix("").parts), "--out", str(corpus), "--hours", str(HOURS)]
    if subprocess.run(words, cwd=checkout, check=False).returncode != 0:
        raise InputError(
            f"composing into {corpus} failed, for the reason above; give another folder by data.root=FOLDER"
        )
    return corpus
