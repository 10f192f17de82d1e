"""Makes the README's speed tables from the numbers that the benchmarks left in benchmarks/results.

    python -m benchmarks.tables            writes README.md
    python -m benchmarks.tables --check    says whether README.md is what it would write; exit code 1 if not

Each table stands in the README between `<!-- table NAME -->` and `<!-- /table NAME -->`; the text around it is left as
it is. A table whose numbers are not there says which command makes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import embedded_eye, end_to_end, long

ROOT = Path(__file__).resolve().parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "benchmarks" / "results"
METHODS = ("library", "exact", "bf16", "int8")
DISTURBED = 1.25
"""Wall clock beside CPU time per thread: above this a step waited for other programs."""


def fill(readme: str, results: Path) -> str:
    """A README with its tables as the results say."""
    for name, make in TABLES.items():
        path = results / f"{name}.json"
        if path.is_file():
            table = make(json.loads(path.read_text(encoding="utf-8")))
        else:
            table = f"Not measured yet: `python -m benchmarks.{name}` fills this table."
        before, start, rest = readme.partition(f"<!-- table {name} -->\n")
        _, end, after = rest.partition(f"\n<!-- /table {name} -->")
        if not end:
            raise SystemExit(f"README.md has no place for the table {name}")
        readme = f"{before}{start}{table}{end}{after}"
    return readme


def decode(record: dict[str, Any]) -> str:
    """Steps a second of every method, and how far the engines are from exact."""
    threads = record["threads"]
    lines = [
        f"| model | rows | films | context | {' | '.join(METHODS)} |", f"|{'---|' * (4 + len(METHODS))}"
    ]  # fmt: skip
    for name, cases, cores in (
        ("MusicGen-Small", record["musicgen_small"], threads), ("embedded", record["embedded"], 1)
    ):  # fmt: skip
        points = dict.fromkeys((case["rows"], case["films"], case["context"]) for case in cases)
        for point in points:
            by_method = {
                case["method"]: case for case in cases if (case["rows"], case["films"], case["context"]) == point
            }
            cells = [_steps(by_method[method], cores) for method in METHODS]
            lines.append(f"| {name} | {' | '.join(map(str, point))} | {' | '.join(cells)} |")
    processor = f"{record['processor']}{' with AMX' if record['amx'] else ''}"
    lines += ["", f"Steps a second of all films together, and how many times the library's; {processor}, {threads} "
                  f"threads (the embedded model has one), {record['date']}. `*`: other programs took part of the time."
    ]  # fmt: skip
    if "divergence" in record:
        told = "; ".join(
            f"{name}: KL {each['plain']:.1e} nats a code of the plain row and {each['guided']:.1e} after guidance, the "
            f"likeliest code the same in {each['agreement']:.2%}"
            for name, each in record["divergence"].items()
        )
        lines += ["", f"The embedded model's next code on held-out music, against exact: {told}."]
    return "\n".join(lines)


def _steps(case: dict[str, Any], threads: int) -> str:
    disturbed = "*" if case["wall_seconds"] > DISTURBED * case["cpu_seconds"] / threads else ""
    return f"{case['steps_per_second'] * case['films']:.1f}{disturbed} ({case['ratio']:.1f})"


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "end_to_end": end_to_end.to_markdown,
    "embedded_eye": embedded_eye.to_markdown,
    "decode": decode,
    "long": lambda record: long.to_markdown(record["films"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    before = README.read_text(encoding="utf-8")
    after = fill(before, RESULTS)
    if args.check:
        sys.exit("README.md is not what benchmarks/results say: python -m benchmarks.tables" if after != before else 0)
    README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
