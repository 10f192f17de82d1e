"""Training moves the adapter alone, in two stages, and goes on from a stop as if there had been none (Eq. 7)."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.data.module import CropBatch
from narrascore.data.shards import ShardItem, write_shards
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.injection import all_gates, inject
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.training import AdapterTraining, train_adapter
from narrascore.synthesis.training_settings import AdapterTrainingSettings
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen

CARD = '{"licence": "none", "window_seconds": 0.4, "prompt_seconds": 0.1}'


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    folder = tiny_encodec_musicgen(tmp_path_factory.mktemp("musicgen"))
    (folder / "narrascore.json").write_text(CARD)
    return FrozenMusicGen.from_pretrained(folder)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> AdapterTrainingSettings:
    """Codes that follow the curve: high arousal takes high codes, so there is something to learn."""
    corpus, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)

    def items(split: str, count: int) -> list[ShardItem]:
        made = []
        for i in range(count):
            curve = np.repeat(rng.uniform(-1, 1, (4, 2)), 1, axis=0).astype(np.float32)
            arousal = np.repeat(curve[:, 1], 100)[:400]
            codes = (32 + 28 * arousal + rng.integers(-3, 4, (4, 400))).astype(np.int16)
            made.append(ShardItem(f"{split}{i}", codes, curve, "calm strings\nfast drums", split, "made here"))
        return made

    write_shards(corpus, [*items("train", 10), *items("validation", 4)])
    return AdapterTrainingSettings(
        corpus, corpus / "out", stage_epochs=(2, 2), crops_per_epoch=8, batch_size=4, hidden=8, dilations=(1, 2), learning_rate=0.02
    )


def digest(module: torch.nn.Module) -> str:
    state = sorted(module.state_dict().items())
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for _, tensor in state)).hexdigest()


def test_training_lowers_the_loss_moves_only_the_adapter_and_leaves_the_backbone_alone(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    before = digest(musicgen)
    adapter = train_adapter(musicgen, replace(settings, out=tmp_path, stage_epochs=(6, 3), crops_per_epoch=64))
    assert digest(musicgen) == before
    assert all(parameter.grad is None for parameter in musicgen.parameters())
    assert adapter.gates.abs().min() > 0
    assert adapter.temporal.output.weight.abs().max() > 0
    saved = AffectAdapter.load(tmp_path)
    assert all(torch.equal(saved.state_dict()[name], tensor) for name, tensor in adapter.state_dict().items())
    about = json.loads((tmp_path / "adapter.json").read_text())
    assert about["validation"]["true"] < about["validation"]["none"] - 0.01
    assert about["validation"]["true"] < about["validation"]["shuffled"] - 0.01


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_adapter(musicgen, replace(settings, out=tmp_path / "whole"))

    begun = []
    original = AdapterTraining.on_train_epoch_start

    def stop_in_second_epoch(self: AdapterTraining) -> None:
        original(self)
        begun.append(self.stage)
        if len(begun) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(AdapterTraining, "on_train_epoch_start", stop_in_second_epoch)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train_adapter(musicgen, replace(settings, out=tmp_path / "resumed"))
    monkeypatch.undo()
    assert (tmp_path / "resumed" / "stage1" / "last.ckpt").is_file()

    again = []

    def count(self: AdapterTraining) -> None:
        original(self)
        again.append((self.stage, self.trainer.current_epoch))

    monkeypatch.setattr(AdapterTraining, "on_train_epoch_start", count)
    resumed = train_adapter(musicgen, replace(settings, out=tmp_path / "resumed"))
    assert again == [(1, 1), (2, 0), (2, 1)], "the first epoch must not be trained twice"
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_stages_train_their_own_branch_and_stage_two_begins_with_stage_ones_control(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    one = train_adapter(musicgen, replace(settings, out=tmp_path / "one", stage_epochs=(2, 0)))
    fresh = AffectAdapter(**{**one.settings, "blocks": one.blocks, "dilations": (1, 2)})
    assert torch.equal(one.temporal.output.weight, torch.zeros_like(one.temporal.output.weight))
    affect = torch.rand(1, 40, 2)
    halo = one.halo
    assert torch.equal(one(affect), one.projector(affect)[:, halo:-halo])
    two = train_adapter(musicgen, replace(settings, out=tmp_path / "one"))
    assert all(torch.equal(a, b) for a, b in zip(one.projector.parameters(), two.projector.parameters(), strict=True))
    assert not torch.equal(two.temporal.output.weight, fresh.temporal.output.weight)


def test_the_loss_is_the_mean_over_codebooks_of_the_delayed_cross_entropy(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings
) -> None:
    """A loop over positions and codebooks, written apart, gives the same number."""
    adapter = open_adapter(musicgen)
    module = AdapterTraining(musicgen, adapter, 1, settings)
    codes = torch.randint(0, 64, (2, 4, 12), generator=torch.Generator().manual_seed(2))
    affect = torch.rand(2, 12 + 2 * adapter.halo, 2)
    with torch.no_grad():
        got = module.losses(CropBatch(codes, affect, ["calm", ""]), affect)
        control = adapter(affect)
        per_codebook = []
        inputs = torch.full((2, 4, 12), musicgen.bos)
        for p in range(1, 12):
            for k in range(4):
                if p - 1 - k >= 0:
                    inputs[:, k, p] = codes[:, k, p - 1 - k]
        steer = inject(all_gates(adapter), control)
        logits = musicgen(inputs, musicgen.encode_text(["calm", ""]), steer).log_softmax(-1)
        for k in range(4):
            terms = [-logits[b, k, p, codes[b, k, p - k]] for b in range(2) for p in range(k, 12)]
            per_codebook.append(torch.stack(terms).mean())
    torch.testing.assert_close(got, torch.stack(per_codebook).mean())


def test_gradient_checkpointing_changes_memory_and_nothing_else(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings
) -> None:
    adapter, grads = open_adapter(musicgen), []
    batch = CropBatch(torch.randint(0, 64, (1, 4, 10)), torch.rand(1, 10 + 2 * adapter.halo, 2), ["calm"])
    for checkpointing in (False, True):
        module = AdapterTraining(musicgen, adapter, 0, replace(settings, checkpointing=checkpointing))
        adapter.zero_grad()
        module.losses(batch, batch.affect).backward()
        grads.append([p.grad.clone() for p in adapter.parameters()])
    for plain, recomputed in zip(*grads, strict=True):
        torch.testing.assert_close(plain, recomputed)
