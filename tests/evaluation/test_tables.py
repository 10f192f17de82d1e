"""Tables: read as text, and nothing that is not a number pretends to be one."""

import csv
import json
import math

import pytest

from narrascore.evaluation.tables import Table, provenance, write_report, yes_no


def test_markdown_is_aligned_and_escaped():
    table = Table("Title", ["a", "long column"], [["1", "x|y"], ["wide cell", "2"]], "A note.")
    lines = table.to_markdown().splitlines()
    assert lines[0] == "## Title" and lines[-1] == "A note."
    assert len({len(line) for line in lines[2:6]}) == 1
    assert "x\\|y" in lines[4]


def test_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="2 columns"):
        Table("Title", ["a", "b"], [["1"]])


def test_what_is_not_a_number_is_null_and_empty(tmp_path):
    records = [{"piece": "one", "value": math.nan}, {"piece": "two", "value": 0.5}]
    write_report(tmp_path, "name", "Title", [Table("T", ["a"], [["1"]])], records, provenance("command", 1, 2, x="y"))
    data = json.loads((tmp_path / "name.json").read_text(encoding="utf-8"))
    assert [record["value"] for record in data["records"]] == [None, 0.5]
    assert data["repeat"]["command"] == "command" and data["repeat"]["x"] == "y"
    with (tmp_path / "name.csv").open(encoding="utf-8", newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["", "0.5"]


def test_records_of_several_kinds_share_a_table(tmp_path):
    records = [{"row": "corpus", "fd": 0.5}, {"row": "model", "command": "fills it"}]
    write_report(tmp_path, "name", "Title", [Table("T", ["a"], [["1"]])], records, provenance("command", 1, 2))
    with (tmp_path / "name.csv").open(encoding="utf-8", newline="") as file:
        assert [list(row.values()) for row in csv.DictReader(file)] == [
            ["corpus", "0.5", ""],
            ["model", "", "fills it"],
        ]


def test_yes_no_and_unknown():
    assert [yes_no(True), yes_no(False), yes_no(None)] == ["yes", "no", "-"]
