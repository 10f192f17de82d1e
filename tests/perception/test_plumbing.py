"""Plumbing check: the real command on real frames through a tiny frozen VideoLLaMA3 with random weights.

It shows that the path from film to probe learns, not that it feels: a random network has no idea of either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from narrascore.data.made_films import make_films
from tests.perception.tiny_vlm import tiny_vlm_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_plumbing_check_beats_the_mean_predictor_and_shuffled_labels_on_held_out_films(tmp_path: Path) -> None:
    """Valence, which is colour, comes through random weights at this size; arousal needs more films (README)."""
    make_films(tmp_path / "films", 30, 15)
    vlm = tiny_vlm_folder(tmp_path / "vlm", context_tokens=4096)
    words = [f"eye={vlm}", "vlm.dtype=float32", "vlm.frame_pixels=18816", "epochs=60", "learning_rate=0.003",
             f"data.root={tmp_path / 'films'}", f"output={tmp_path / 'out'}"]  # fmt: skip
    script = [sys.executable, str(ROOT / "scripts" / "train_probe.py"), *words]
    subprocess.run(script, check=True, capture_output=True, cwd=tmp_path)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (table,) = report["tables"]
    assert {row[0] for row in table["rows"]} >= {"probe", "mean predictor", "shuffled labels"}
    assert "valence yes" in table["note"], table["rows"]
    about = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert about["eye"]["eye"] == "vlm" and about["eye"]["mode"] == "windows"
