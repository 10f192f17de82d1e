"""The reader of the rules: learns arousal from a handful of pieces, does not hear the gain, and says what it is."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from narrascore.data.shards import ShardItem
from narrascore.errors import InputError, UsageError
from narrascore.evaluation.curves import evaluation_curves
from narrascore.evaluation.music import find_composer
from narrascore.evaluation.rules import FILE, RuleReader, run_rules
from narrascore.evaluation.sound_features import read_sound
from narrascore.synthesis.score_codec import ScoreCodec

PLAYER = SimpleNamespace(writes_notes=True, musicgen=SimpleNamespace(codec=ScoreCodec()))


def written(n, seed):
    compose = find_composer(Path(__file__).parents[2])
    return [
        ShardItem(f"{seed}-{i}", compose(asked.curve, asked.style, asked.seed, asked.duration_seconds).codes,
                  asked.curve.values, asked.anchor.sentence)
        for i, asked in enumerate(evaluation_curves(n, seed, (14, 16)))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    made, text = run_rules(PLAYER, written(18, 1), written(4, 2), folder, n=4)
    return folder, made, text


def test_arousal_is_learned_and_the_caveat_stands_beside_it(reader):
    _, made, text = reader
    assert (made.trained_on, made.held_out) == (18, 4)
    assert made.agreement["arousal"]["value"] > 0.4
    assert "not accuracy of emotion" in made.caveat and made.caveat in text


def test_a_saved_reader_reads_the_same_at_any_gain(reader):
    folder, made, _ = reader
    [item] = written(2, 3)[:1]
    waveform = PLAYER.musicgen.codec.decode(torch.from_numpy(item.codes.astype(np.int64)))
    heard, softer = (made(read_sound(gain * waveform, 48_000)) for gain in (1.0, 0.2))
    again = RuleReader.load(folder)(read_sound(waveform, 48_000))
    for name in ("ruled valence", "ruled arousal"):
        assert np.array_equal(again[name], heard[name])
        assert np.abs(heard[name]).max() <= 1
        assert softer[name] == pytest.approx(heard[name], abs=0.01)


def test_another_file_is_refused(reader, tmp_path):
    folder, _, _ = reader
    with pytest.raises(InputError, match="metrics=rules"):
        RuleReader.load(tmp_path)
    kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
    (tmp_path / FILE).write_text(json.dumps({**kept, "mean": kept["mean"][1:]}), encoding="utf-8")
    with pytest.raises(InputError, match="weights must be"):
        RuleReader.load(tmp_path)
    with pytest.raises(UsageError, match="trains on a corpus"):
        run_rules(PLAYER, [], [], tmp_path)
