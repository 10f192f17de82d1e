"""The example notebook, run from its first cell to its last in a kernel of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.films import write_clip

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"


def test_it_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    ran = [cell for cell in cells if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"])]
    assert cells and ran == []


@pytest.mark.slow
def test_it_runs_and_shows_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    film, results = write_clip(tmp_path / "a & b.mp4"), tmp_path / "results"
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in notebook.cells if "FILM = " in cell.source)
    parameters.source = f"from pathlib import Path\nFILM = Path({str(film)!r})\nRESULTS = Path({str(results)!r})"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = [
        output["data"].get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    first, *_, changed, _ = shown
    for score in (first, changed):
        assert "<audio controls" in score and "<svg" in score and "a &amp; b.mp4" in score
    assert first != changed and "strings and piano" in changed and "strings and piano" not in first
    files = {path.name for path in results.iterdir()}
    assert files == {"music.wav", "music.mid", "curve.csv", "anchor.json", "cues.csv", "film.scored.mp4"}
