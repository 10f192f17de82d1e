"""What a comparison of systems comes to: cells that say how they were measured or why they were not, and a table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from narrascore.evaluation.cells import Missing as Missing
from narrascore.evaluation.intervals import NOTHING, Estimate
from narrascore.evaluation.tables import DASH, Table

REFERENCE = "reference against reference"
READING = (
    "FD, FD-infinity and KAD: less is closer. Value and 95 % of what resampling whole pieces moves it by, where there "
    f"are several. {REFERENCE.capitalize()}: random halves, so no music can be asked to lie closer at that number of "
    "clips; for pairs, the reference's own. *: fewer clips than 2 D, so mostly bias: read FD-infinity and KAD."
)
"""Stands under every table."""


@dataclass(frozen=True)
class Measurement:
    """One cell.

    Attributes:
        system: name, or `REFERENCE` for the floor.
        metric: `FD`, `FD-infinity`, `KAD`, `density`, `coverage`, `KLD` or `similarity`.
        backend: the embedder's name.
        result: over clips for metrics between sets, over pieces for metrics of pairs; its interval comes of resampling
            whole pieces.
        reference_n: clips of the reference that were compared with; pieces, for pairs.
        dimension: D of the features; 0 where there are none.
        sample_rate_hz, window_seconds: of what the embedder looked at.
    """

    system: str
    metric: str
    backend: str
    result: Estimate | Missing
    reference_n: int
    dimension: int
    sample_rate_hz: int
    window_seconds: float

    @property
    def too_few(self) -> bool:
        """Whether a covariance is estimated from fewer clips than twice its width: the distance is mostly bias then."""
        if not self.metric.startswith("FD") or isinstance(self.result, Missing):
            return False
        return min(self.result.n, self.reference_n) < 2 * self.dimension


@dataclass(frozen=True)
class ComparisonReport:
    """Every system under every metric of every backend, the reference against itself first."""

    measurements: tuple[Measurement, ...]

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(cell.system for cell in self.measurements))

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(metric, backend)."""
        return list(dict.fromkeys((cell.metric, cell.backend) for cell in self.measurements))

    def at(self, system: str, metric: str, backend: str) -> Measurement:
        """One cell.

        Raises:
            KeyError: if nothing of that name was asked for.
        """
        for cell in self.measurements:
            if (cell.system, cell.metric, cell.backend) == (system, metric, backend):
                return cell
        raise KeyError(f"no {metric} ({backend}) of {system}")

    def table(self, title: str = "Distances") -> Table:
        """Systems down, metrics across; an asterisk marks a Fréchet distance of too few clips."""
        cells = {(cell.system, cell.metric, cell.backend): cell for cell in self.measurements}
        rows = [[system, *(_shown(cells[system, *column]) for column in self.columns)] for system in self.systems]
        return Table(
            title, ["music", *(f"{metric} ({backend})" for metric, backend in self.columns)], rows, _note(self)
        )

    def records(self) -> list[dict[str, object]]:
        """Every cell as a flat record, for CSV and JSON."""
        return [_record(cell) for cell in self.measurements]


def _shown(cell: Measurement) -> str:
    if isinstance(cell.result, Missing):
        return DASH
    has_interval = math.isfinite(cell.result.low)
    return (f"{cell.result:.3f}" if has_interval else f"{cell.result.value:.3f}") + ("*" if cell.too_few else "")


def _note(report: ComparisonReport) -> str:
    """Under the table: how to read it, what each backend looked at, and what would fill each dash."""
    backends: dict[str, str] = {}
    sizes: list[str] = []
    for cell in report.measurements:
        if isinstance(cell.result, Missing):
            continue
        listened = f"at {cell.sample_rate_hz} Hz in clips of {cell.window_seconds:g} s, D = {cell.dimension}"
        backends[cell.backend] = f"{cell.backend} {listened}"
        if cell.metric == "FD":
            sizes.append(f"{cell.system}, {cell.backend}: {cell.result.n} and {cell.reference_n}")
    parts = [READING]
    parts += [f"Backends: {'; '.join(backends.values())}."] if backends else []
    parts += [f"Clips, and clips of the reference: {'; '.join(sizes)}."] if sizes else []
    dashes = _dashes(report)
    parts += [f"Dashes: {'; '.join(dashes)}."] if dashes else []
    return " ".join(parts)


def _dashes(report: ComparisonReport) -> list[str]:
    """What one command would fill stands together, and so does what is missing for one reason."""
    groups: dict[str, list[Measurement]] = {}
    for cell in report.measurements:
        if isinstance(cell.result, Missing):
            way = f"`{cell.result.command}` fills them" if cell.result.command else cell.result.why
            groups.setdefault(way, []).append(cell)
    lines = []
    for way, cells in groups.items():
        systems = list(dict.fromkeys(cell.system for cell in cells))
        backends = list(dict.fromkeys(cell.backend for cell in cells))
        whose = "" if systems == report.systems else f" of {', '.join(systems)}"
        lines.append(f"{', '.join(backends)}{whose}: {way}")
    return lines


def _record(cell: Measurement) -> dict[str, object]:
    number = NOTHING if isinstance(cell.result, Missing) else cell.result
    missing = cell.result if isinstance(cell.result, Missing) else Missing("")
    return {
        "system": cell.system,
        "metric": cell.metric,
        "backend": cell.backend,
        "value": number.value,
        "low": number.low,
        "high": number.high,
        "n": number.n,
        "reference_n": cell.reference_n,
        "dimension": cell.dimension,
        "sample_rate_hz": cell.sample_rate_hz,
        "window_seconds": cell.window_seconds,
        "too_few": cell.too_few,
        "missing": missing.why,
        "command": missing.command,
    }
