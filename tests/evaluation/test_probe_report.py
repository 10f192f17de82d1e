"""The report's numbers are torchmetrics'; its rows are what they say: chance near zero, the mean agrees with none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional import concordance_corrcoef, mean_squared_error, pearson_corrcoef

from narrascore.data.films import LabelledFilm
from narrascore.evaluation.probe_report import (
    LINEAR,
    MEAN,
    PROBE,
    SHUFFLED,
    ProbeReport,
    run_probe_report,
    shuffle_labels,
)
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.reading import FilmReading
from narrascore.perception.states import ReadFilm
from narrascore.perception.training import ProbeTrainingSettings, train_probe

ORACLES = {"CCC": concordance_corrcoef, "PCC": pearson_corrcoef, "MSE": mean_squared_error}


def read_film(index: int, split: str, seconds: int = 40) -> ReadFilm:
    """Motion tells arousal, saturation tells valence, with noise; brightness tells nothing; labels wander slowly."""
    random = np.random.default_rng(index)
    waves = [np.sin(np.arange(seconds) / random.uniform(3, 9) + random.uniform(0, 6)) for _ in range(2)]
    labels = (0.8 * np.stack(waves, axis=1)).astype(np.float32)
    states = random.normal(0, 1, (seconds, len(STATE_NAMES))).astype(np.float32)
    states[:, STATE_NAMES.index("saturation")] = labels[:, 0] + random.normal(0, 0.2, seconds)
    states[:, STATE_NAMES.index("motion")] = labels[:, 1] + random.normal(0, 0.2, seconds)
    return ReadFilm(LabelledFilm(f"f{index}", Path("f"), labels, split), FilmReading(states, "cinematic"))


@pytest.fixture(scope="module")
def films() -> list[ReadFilm]:
    splits = ["train"] * 12 + ["validation"] * 4 + ["test"] * 10
    return [read_film(index, split) for index, split in enumerate(splits)]


@pytest.mark.parametrize("measure", list(ORACLES))
def test_measures_are_those_of_torchmetrics_and_their_intervals_hold_them(measure: str) -> None:
    random = np.random.default_rng(1)
    labels = [random.uniform(-1, 1, (n, 2)).astype(np.float32) for n in (20, 45, 33)]
    curves = [0.4 * rows + random.normal(0.1, 0.2, rows.shape).astype(np.float32) for rows in labels]
    labels[1][5:9] = np.nan
    report = ProbeReport(["a", "b", "c"], {PROBE: curves}, labels)
    for column, dimension in enumerate(("valence", "arousal")):
        known = np.isfinite(np.concatenate(labels)[:, column])
        x, y = (torch.from_numpy(np.concatenate(rows)[known, column]) for rows in (curves, labels))
        estimate = report.estimate(PROBE, dimension, measure)
        assert estimate.value == pytest.approx(float(ORACLES[measure](x, y)), abs=1e-5)
        assert estimate.low <= estimate.value <= estimate.high and estimate.n == 3


def test_a_curve_that_never_moves_agrees_with_nothing() -> None:
    labels = [np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)]
    report = ProbeReport(["a"], {MEAN: [np.full((20, 2), 0.3, np.float32)]}, labels)
    assert report.estimate(MEAN, "valence", "CCC").value == 0
    assert report.estimate(MEAN, "valence", "PCC").value == 0


def test_shuffling_gives_every_film_another_ones_labels_within_its_split(films: list[ReadFilm]) -> None:
    original = {film.film.id: film.film for film in films}
    shuffled = shuffle_labels(films, 0)
    assert {film.film.id for film in shuffled} == set(original)
    for split in ("train", "validation", "test"):
        own = [original[film.film.id].labels for film in shuffled if film.film.split == split]
        new = [film.film.labels for film in shuffled if film.film.split == split]
        assert not any(np.array_equal(one, two) for one, two in zip(own, new, strict=True))
        assert sorted(rows.tobytes() for rows in own) == sorted(rows.tobytes() for rows in new)


def test_the_report_tells_a_probe_from_chance_and_from_brightness(films: list[ReadFilm], tmp_path: Path) -> None:
    settings = ProbeTrainingSettings(tmp_path, width=32, epochs=30, patience=10, learning_rate=0.01)
    probe = train_probe(films, settings, {"eye": {"eye": "cinematic"}})
    report, text = run_probe_report(probe, films, films, settings, command="as typed")
    assert list(report.curves) == [PROBE, MEAN, SHUFFLED, LINEAR]
    for dimension in ("valence", "arousal"):
        assert report.estimate(PROBE, dimension, "CCC").value > 0.8
        assert abs(report.estimate(SHUFFLED, dimension, "CCC").value) < 0.2
        assert report.estimate(MEAN, dimension, "CCC").value == 0
        assert report.clear(dimension)
    assert report.estimate(LINEAR, "arousal", "CCC").value > 0.8
    assert report.estimate(LINEAR, "valence", "CCC").value < 0.2
    assert "10 held-out films" in text and "valence yes, arousal yes" in text
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["repeat"]["command"] == "as typed" and saved["repeat"]["probe"]["training"]["width"] == 32
    assert len(saved["records"]) == 4 * 2 * 10
    assert (tmp_path / "report.md").read_text() == text
