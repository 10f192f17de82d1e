"""Shards give back what was put in, whole or not at all."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from narrascore.data.shards import COLUMNS, ShardItem, ShardSet, is_written, shard_name, write_shard, write_shards
from narrascore.errors import InputError


def make_item(index: int, split: str = "train") -> ShardItem:
    random = np.random.default_rng(index)
    codes = random.integers(0, 128, (11, 40 + index)).astype(np.int16)
    curve = random.uniform(-1, 1, (3, 2)).astype(np.float32)
    return ShardItem(f"{split}-{index}", codes, curve, f"one {index}\ntwo", split, "made up", 1.5, 0.25)


def test_items_come_back_whole_and_in_order(tmp_path: Path) -> None:
    items = [make_item(index) for index in range(5)] + [make_item(9, "test")]
    paths = write_shards(tmp_path, items, per_shard=2)
    assert [path.name for path in paths][:2] == ["train-00000.safetensors", "train-00001.safetensors"]
    train = ShardSet.open(tmp_path, "train")
    assert len(train) == 5 and len(ShardSet.open(tmp_path, "test")) == 1
    for wanted, got in zip(items, train, strict=False):
        assert np.array_equal(wanted.codes, got.codes) and np.array_equal(wanted.curve, got.curve)
        assert (wanted.id, wanted.caption, wanted.source, wanted.split) == (got.id, got.caption, got.source, got.split)
        assert (wanted.start_seconds, wanted.silence_share) == (got.start_seconds, got.silence_share)
    assert train[-1].id == items[4].id and not train.damaged()
    assert pickle.loads(pickle.dumps(train))[3].id == items[3].id


def test_manifest_is_one_table_with_the_stated_columns(tmp_path: Path) -> None:
    write_shards(tmp_path, [make_item(0), make_item(1, "validation")])
    assert tuple(pd.read_parquet(tmp_path / "manifest").columns) == COLUMNS


def test_same_items_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_shard(tmp_path / name, "train-00000", [make_item(0), make_item(1)]) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_shard_without_its_manifest_does_not_count(tmp_path: Path) -> None:
    name = shard_name("train", 0)
    write_shard(tmp_path, name, [make_item(0)])
    assert is_written(tmp_path, name)
    (tmp_path / "manifest" / f"{name}.parquet").unlink()
    assert not is_written(tmp_path, name)
    with pytest.raises(InputError, match="no train shards"):
        ShardSet.open(tmp_path, "train")


def test_changed_codes_are_found_and_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = write_shard(tmp_path, "train-00000", [make_item(0), make_item(1)])
    content = path.read_bytes()
    at = content.rindex(make_item(1).codes.tobytes())
    path.write_bytes(content[:at] + b"\x07\x00" * 8 + content[at + 16 :])
    assert ShardSet.open(tmp_path, "train").damaged() == ["train-1"]
    path.write_bytes(content[:-50])
    with pytest.raises(InputError, match="prepare it again"):
        ShardSet.open(tmp_path, "train")[0]


def test_wrong_shapes_and_repeated_ids_are_refused(tmp_path: Path) -> None:
    item = make_item(0)
    with pytest.raises(ValueError, match="int16"):
        ShardItem("x", item.codes.astype(np.int32), item.curve, "")
    with pytest.raises(ValueError, match="same id"):
        write_shard(tmp_path, "train-00000", [item, item])
