"""The README's speed tables are what the committed results say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.tables import README, RESULTS, TABLES, fill

TEXT = README.read_text(encoding="utf-8")


def test_the_readme_equals_what_is_made_from_the_results() -> None:
    assert fill(TEXT, RESULTS) == TEXT, "python -m benchmarks.tables writes it anew"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_place_and_names_its_command_while_there_are_no_numbers(tmp_path: Path, name: str) -> None:
    empty = fill(TEXT, tmp_path)
    found = re.search(rf"<!-- table {name} -->\n(.*?)\n<!-- /table {name} -->", empty, re.DOTALL)
    assert found and found[1] == f"Not measured yet: `python -m benchmarks.{name}` fills this table."


def test_another_number_is_another_readme(tmp_path: Path) -> None:
    record = json.loads((RESULTS / "decode.json").read_text(encoding="utf-8"))
    record["embedded"][0]["steps_per_second"] *= 2
    (tmp_path / "decode.json").write_text(json.dumps(record), encoding="utf-8")
    assert fill(TEXT, tmp_path) != fill(TEXT, RESULTS)
