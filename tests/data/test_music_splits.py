"""A recording has one split, whichever set it stands in, and songs that two sets share are named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from narrascore.data.music_splits import (
    SUMMARY_FILE,
    PreparedSong,
    origin_of,
    read_prepared,
    say_shared,
    split_of,
)
from narrascore.errors import InputError


def test_emomusic_and_merp_share_their_origin_with_deam() -> None:
    assert origin_of("deam", "115") == origin_of("emomusic", "115") == origin_of("merp", "deam_115") == "deam:115"
    assert origin_of("merp", "00_35") == "merp:00_35"
    assert origin_of("pmemo", "115") != origin_of("deam", "115")


def test_splits_have_their_shares_and_depend_on_seed_and_recording_alone() -> None:
    drawn = [split_of(f"deam:{n}", 0, 0.1, 0.2) for n in range(4000)]
    shares = {split: count / 4000 for split, count in Counter(drawn).items()}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.1, "test": 0.2}, abs=0.02)
    assert drawn == [split_of(f"deam:{n}", 0, 0.1, 0.2) for n in range(4000)]
    assert drawn != [split_of(f"deam:{n}", 1, 0.1, 0.2) for n in range(4000)]


def test_shared_songs_are_named_by_id_and_by_bytes_and_leaks_among_them(tmp_path: Path) -> None:
    ours = {
        "1": PreparedSong("deam:1", "aa", "train"),
        "2": PreparedSong("deam:2", "bb", "test"),
        "3": PreparedSong("deam:3", "cc", "train"),
    }
    theirs = {"x": PreparedSong("merp:x", "bb", "train"), "deam_1": PreparedSong("deam:1", "zz", "train")}
    (tmp_path / SUMMARY_FILE).write_text(json.dumps({"songs": {name: vars(song) for name, song in theirs.items()}}))
    assert read_prepared(tmp_path) == theirs
    warning = say_shared(ours, tmp_path, read_prepared(tmp_path))
    assert warning is not None and "2 songs are in" in warning and "(1, 2)" in warning
    assert "1 of them in another split" in warning and "held-out songs (2)" in warning
    assert say_shared({"3": ours["3"]}, tmp_path, theirs) is None
    with pytest.raises(InputError, match="prepare it first"):
        read_prepared(tmp_path / "absent")
