"""Does the probe read affect? Agreement with the labels of held-out films, beside what needs no probe at all.

    probe                  the trained probe
    mean predictor         the training labels' mean, every second: a good MSE, and no agreement
    shuffled labels        the same training on labels that belong to other films: what chance and the set's habits give
    brightness and motion  ridge regression on four columns of the embedded eye: what a light meter would read

Every number is over all labelled seconds of all held-out films, read as the pipeline reads them; intervals resample
whole films, for the seconds of one film are no independent witnesses. A curve that never moves has CCC and PCC 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.evaluation.agreement import MEASURES, Floats, sums_of
from narrascore.evaluation.intervals import Estimate, statistic_of_pieces
from narrascore.evaluation.tables import Table, provenance, write_report, yes_no
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.probe import AffectProbe
from narrascore.perception.states import ReadFilm
from narrascore.perception.training import DIMENSIONS, MONITOR, ProbeTrainingSettings, Progress, train_probe

PROBE, MEAN, SHUFFLED, LINEAR = "probe", "mean predictor", "shuffled labels", "brightness and motion"
LINEAR_COLUMNS = ("brightness", "contrast_change", "motion", "cuts")
RIDGE = 1.0

Curves = Sequence[NDArray[np.float32]]
"""One `[F, 2]` a film."""


@dataclass(frozen=True)
class ProbeReport:
    """Curves of every row for the same held-out films, and their labels.

    Attributes:
        curves: row -> one curve `[F, 2]` a film.
        labels: one `[F, 2]` a film, NaN where there is none.
    """

    films: list[str]
    curves: Mapping[str, Curves]
    labels: Curves
    seed: int = 0

    def estimate(self, row: str, dimension: str, measure: str) -> Estimate:
        """A row's `CCC`, `PCC` or `MSE` in `valence` or `arousal`, with its interval over films."""
        return statistic_of_pieces(self._sums(row, dimension), MEASURES[measure], self.seed)

    def film_values(self, row: str, dimension: str, measure: str) -> list[float]:
        """The same within each film."""
        return [float(MEASURES[measure](sums)) for sums in self._sums(row, dimension)]

    def clear(self, dimension: str) -> bool:
        """Whether the probe's CCC lies above those of the mean predictor and of shuffled labels, interval and all."""
        rivals = [row for row in (MEAN, SHUFFLED) if row in self.curves]
        probe = self.estimate(PROBE, dimension, "CCC")
        return all(probe.above(self.estimate(row, dimension, "CCC")) for row in rivals)

    def _sums(self, row: str, dimension: str) -> Floats:
        column = DIMENSIONS.index(dimension)
        return np.stack([
            sums_of(curve[:, column], labels[:, column])
            for curve, labels in zip(self.curves[row], self.labels, strict=True)
        ])  # fmt: skip


def run_probe_report(
    probe: AffectProbe,
    films: list[ReadFilm],
    cinematic: list[ReadFilm],
    settings: ProbeTrainingSettings,
    *,
    split: str = "test",
    command: str = "",
    progress: Progress | None = None,
) -> tuple[ProbeReport, str]:
    """Measure a trained probe on held-out films.

    Args:
        probe: trained on `films`.
        films: all splits, as its eye reads them.
        cinematic: the same films as the embedded eye reads them.
        settings: with which the probe was trained; the probe of shuffled labels gets the same.
        split: which films are held out.
        command: what was typed, for the record.
        progress: told about the epochs of the training on shuffled labels.

    Returns:
        The measurements, and the Markdown; `settings.out` gets `report.md`, `.csv` and `.json`.

    Raises:
        InputError: if no film is held out.
    """
    held_out = [film for film in films if film.film.split == split and film.film.known.any()]
    if not held_out:
        raise InputError(f"the set has no labelled film in the split {split}; prepare it with one")
    names = {film.film.id for film in held_out}
    seen = [film for film in cinematic if film.film.id in names]
    known = np.concatenate([film.film.labels[film.film.known] for film in films if film.film.split == "train"])
    curves: dict[str, Curves] = {
        PROBE: [read_curve(probe, film) for film in held_out],
        MEAN: [np.tile(known.mean(axis=0), (len(film.reading), 1)) for film in held_out],
    }
    if min(sum(film.film.split == part for film in films) for part in ("train", "validation")) > 1:
        wrong = replace(settings, out=settings.out / "shuffled-labels")
        chance = train_probe(shuffle_labels(films, settings.seed), wrong, {"eye": probe.about.get("eye")}, progress)
        curves[SHUFFLED] = [read_curve(chance, film) for film in held_out]
    curves[LINEAR] = fit_linear([film for film in cinematic if film.film.split == "train"], seen)
    report = ProbeReport(
        [film.film.id for film in held_out], curves, [film.film.labels for film in held_out], settings.seed
    )
    repeat = provenance(command, settings.seed, len(held_out), split=split, probe=probe.about)
    title = "Does the probe read affect?"
    text = write_report(settings.out, "report", title, [_table(report)], _records(report), repeat)
    return report, text


def run_primer_report(probes: Mapping[str, AffectProbe], out: Path, seed: int, command: str = "") -> str:
    """Primers side by side, by the validation CCC of the probes trained on them: writes `primers.md`, `.csv`, `.json`.

    Returns:
        The Markdown.
    """
    ranked = sorted(probes, key=lambda name: -probes[name].about["metrics"][MONITOR])
    keys = (MONITOR, *(f"{MONITOR}_{dimension}" for dimension in DIMENSIONS), "best_epoch")
    records = [{"primer": name, **{key: probes[name].about["metrics"][key] for key in keys}} for name in ranked]
    rows = [[name, *(f"{probes[name].about['metrics'][key]:.3g}" for key in keys)] for name in ranked]
    note = "CCC over all labelled seconds of the validation films, of each training's best epoch (counted from 0)."
    table = Table("Primers", ["primer", "CCC", *(f"{dimension} CCC" for dimension in DIMENSIONS), "epoch"], rows, note)
    return write_report(out, "primers", "Which primer?", [table], records, provenance(command, seed, len(probes)))


def read_curve(probe: AffectProbe, film: ReadFilm) -> NDArray[np.float32]:
    """A film's curve `[F, 2]`, window by window and cross-faded, as the pipeline reads it."""
    return film.cross_fade(probe(film.reading.states).values)


def shuffle_labels(films: list[ReadFilm], seed: int) -> list[ReadFilm]:
    """The same states with another film's labels, in each split apart; no film keeps its own if there are two."""
    random = np.random.default_rng(seed)
    shuffled = []
    for split in dict.fromkeys(film.film.split for film in films):
        members = [film for film in films if film.film.split == split]
        order = random.permutation(len(members))
        for taker, giver in zip(order, np.roll(order, 1), strict=True):
            film, given = members[taker], members[giver].film.labels
            labels = np.full((len(film.reading), 2), np.nan, dtype=np.float32)
            shared = min(len(labels), len(given))
            labels[:shared] = given[:shared]
            shuffled.append(replace(film, film=replace(film.film, labels=labels)))
    return shuffled


def fit_linear(train: list[ReadFilm], held_out: list[ReadFilm]) -> list[NDArray[np.float32]]:
    """Ridge regression of the labels on brightness, motion and their kin, each standardised: curves `[F, 2]`.

    Args:
        train: as the embedded eye reads them.
        held_out: likewise.
    """
    columns = [STATE_NAMES.index(name) for name in LINEAR_COLUMNS]
    known = [np.isfinite(film.row_labels).all(axis=1) for film in train]
    states = np.concatenate([film.reading.states[rows][:, columns] for film, rows in zip(train, known, strict=True)])
    labels = np.concatenate([film.row_labels[rows] for film, rows in zip(train, known, strict=True)]).astype(np.float64)
    middle, spread = states.mean(axis=0, dtype=np.float64), np.maximum(states.std(axis=0, dtype=np.float64), 1e-6)
    standard, level = (states - middle) / spread, labels.mean(axis=0)
    weights = np.linalg.solve(standard.T @ standard + RIDGE * np.eye(len(columns)), standard.T @ (labels - level))
    return [
        film.cross_fade(
            np.clip((film.reading.states[:, columns] - middle) / spread @ weights + level, -1, 1).astype(np.float32)
        )
        for film in held_out
    ]


def _table(report: ProbeReport) -> Table:
    columns = ["row", *(f"{dimension} {measure}" for dimension in DIMENSIONS for measure in MEASURES)]
    rows = [
        [row, *(f"{report.estimate(row, dimension, measure):.3f}" for dimension in DIMENSIONS for measure in MEASURES)]
        for row in report.curves
    ]
    verdict = ", ".join(f"{dimension} {yes_no(report.clear(dimension))}" for dimension in DIMENSIONS)
    seconds = sum(int(np.isfinite(labels).all(axis=1).sum()) for labels in report.labels)
    note = (
        f"Over {seconds} labelled seconds of {len(report.films)} held-out films, with 95 % bootstrap intervals over "
        "films, which know nothing of the luck of one shuffle. Probe's CCC above the mean predictor's and that of "
        f"shuffled labels, intervals apart: {verdict}."
    )
    return Table("Agreement with the labels", columns, rows, note)


def _records(report: ProbeReport) -> list[dict[str, object]]:
    return [
        {"row": row, "dimension": dimension, "film": film, **{measure: values[measure][i] for measure in MEASURES}}
        for row in report.curves
        for dimension in DIMENSIONS
        for values in [{measure: report.film_values(row, dimension, measure) for measure in MEASURES}]
        for i, film in enumerate(report.films)
    ]
