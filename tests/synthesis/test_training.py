"""Training moves the adapter alone, in two stages, and goes on from a stop as if there had been none (Eq. 7)."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.data.module import CropBatch
from narrascore.data.shards import ShardItem, write_shards
from narrascore.errors import InputError, UsageError
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
def stereo_musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    return FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path_factory.mktemp("stereo"), stereo=True))


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
        corpus,
        corpus / "out",
        stage_epochs=(2, 2),
        crops_per_epoch=8,
        batch_size=4,
        hidden=8,
        dilations=(1, 2),
        learning_rate=0.02,
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
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = train_adapter(musicgen, replace(settings, out=tmp_path / "one", stage_epochs=(2, 0)))
    fresh = AffectAdapter(**{**one.settings, "blocks": one.blocks, "dilations": (1, 2)})
    assert torch.equal(one.temporal.output.weight, torch.zeros_like(one.temporal.output.weight))
    affect = torch.rand(1, 40, 2)
    halo = one.halo
    assert torch.equal(one(affect), one.projector(affect)[:, halo:-halo])
    begun = []
    original = AdapterTraining.on_train_epoch_start

    def look(self: AdapterTraining) -> None:
        original(self)
        begun.append((self.adapter(affect).detach(), self.adapter.gates.detach().clone()))  # as training sees it

    monkeypatch.setattr(AdapterTraining, "on_train_epoch_start", look)
    two = train_adapter(musicgen, replace(settings, out=tmp_path / "one"))
    control, gates = begun[0]
    assert torch.equal(control, one(affect)), "no dropout, and a temporal branch that adds nothing yet"
    assert torch.equal(gates, one.gates)
    assert all(torch.equal(a, b) for a, b in zip(one.projector.parameters(), two.projector.parameters(), strict=True))
    assert not torch.equal(two.temporal.output.weight, fresh.temporal.output.weight)


@pytest.mark.parametrize(("stage", "branches"), [(1, {"projector"}), (2, {"temporal"}), (0, {"projector", "temporal"})])
def test_gradients_exist_on_exactly_what_the_stage_trains(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, stage: int, branches: set[str]
) -> None:
    adapter = open_adapter(musicgen)
    batch = CropBatch(torch.randint(0, 64, (2, 4, 12)), torch.rand(2, 12 + 2 * adapter.halo, 2), ["calm", ""])
    AdapterTraining(musicgen, adapter, stage, settings).losses(batch, batch.affect).backward()
    with_gradient = {name for name, weight in adapter.named_parameters() if weight.grad is not None}
    assert with_gradient == {
        name for name, _ in adapter.named_parameters() if name.split(".")[0] in branches | {"gates"}
    }
    assert all(weight.grad is None for weight in musicgen.parameters())


def test_one_stage_trains_all_parts_together_for_the_epochs_of_both(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = []

    def track(adapter: AffectAdapter) -> str:
        looked.append(adapter.training)
        return "well enough"

    adapter = train_adapter(musicgen, replace(settings, out=tmp_path, stages=1, track_every=2), track=track)
    start = AffectAdapter(**{**adapter.settings, "blocks": adapter.blocks, "dilations": (1, 2)})
    assert adapter.temporal.output.weight.abs().max() > 0
    assert not torch.equal(adapter.projector[3].weight, start.projector[3].weight)
    assert looked == [False, False], "after epochs 2 and 4 of 4, in evaluation mode"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["logs", "one_stage"]
    said = capsys.readouterr().out
    trained = sum(weight.numel() for weight in adapter.parameters())
    assert f"stage one: {trained:,} parameters learn (projector, temporal, gates)" in said
    assert "control hears 0.07 s of the curve and goes into blocks [0, 1, 2] of 4" in said
    assert said.count("follows: well enough") == 2 and "shuffled" in said


def test_training_goes_on_from_steering(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings, out=tmp_path / "as it is", init="steering", steering_seconds=0.2)
    steered = train_adapter(musicgen, replace(chosen, train=False))
    begun = []
    original = AdapterTraining.on_train_epoch_start
    monkeypatch.setattr(
        AdapterTraining,
        "on_train_epoch_start",
        lambda self: (original(self), begun.append({k: v.clone() for k, v in self.adapter.state_dict().items()})),
    )
    train_adapter(musicgen, replace(chosen, out=tmp_path / "trained", stage_epochs=(1, 0)))
    for name, tensor in steered.state_dict().items():
        assert torch.equal(begun[0][name], tensor), name


def test_small_batches_accumulated_are_one_large_batch(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    plain = replace(settings, stage_epochs=(2, 0), dropout=0.0)
    large = train_adapter(musicgen, replace(plain, out=tmp_path / "large", batch_size=4))
    small = train_adapter(musicgen, replace(plain, out=tmp_path / "small", batch_size=2, accumulate=2))
    for name, tensor in large.state_dict().items():
        torch.testing.assert_close(small.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_a_training_does_not_go_on_with_other_settings(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    begun = replace(settings, out=tmp_path, stage_epochs=(1, 0))
    train_adapter(musicgen, begun)
    with pytest.raises(UsageError, match=r"begun with hidden=8; give the same"):
        train_adapter(musicgen, replace(begun, hidden=16))
    with pytest.raises(UsageError, match=r"begun with epochs=1"):
        train_adapter(musicgen, replace(begun, stage_epochs=(2, 0)))
    again = train_adapter(musicgen, replace(begun, track_every=1))
    assert json.loads((tmp_path / "adapter.json").read_text())["validation"]["true"] > 0, "kept with the checkpoint"
    assert torch.equal(again.gates, AffectAdapter.load(tmp_path).gates)


def test_a_corpus_that_does_not_fit_is_one_line(
    musicgen: FrozenMusicGen, stereo_musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="4 codebooks, and those of the music model have 8"):
        train_adapter(stereo_musicgen, replace(settings, out=tmp_path))
    with pytest.raises(InputError, match="8 windows fills no batch of 9"):
        train_adapter(musicgen, replace(settings, out=tmp_path, batch_size=9))
    with pytest.raises(UsageError, match="a training needs a corpus"):
        train_adapter(musicgen, replace(settings, out=tmp_path, corpus=None))
    with pytest.raises(UsageError, match="strategy=none_such: "):
        train_adapter(musicgen, replace(settings, out=tmp_path / "new", strategy="none_such"))


def test_checkpoints_hold_the_adapter_alone(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, tmp_path: Path
) -> None:
    adapter = train_adapter(musicgen, replace(settings, out=tmp_path, stage_epochs=(1, 0)))
    kept = torch.load(tmp_path / "stage1" / "last.ckpt", weights_only=True)["state_dict"]
    assert set(kept) == {f"adapter.{name}" for name in adapter.state_dict()}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_in_bf16_learns_as_much(settings: AdapterTrainingSettings, tmp_path: Path, precision: str) -> None:
    """With the decoder in bf16, or in fp32 under mixed precision; the adapter's weights stay in fp32."""
    folder = tiny_encodec_musicgen(tmp_path / "model")
    (folder / "narrascore.json").write_text(CARD)
    half = FrozenMusicGen.from_pretrained(folder, dtype=torch.bfloat16 if precision == "32-true" else torch.float32)
    trained = replace(settings, out=tmp_path, stage_epochs=(4, 0), crops_per_epoch=32, precision=precision)
    adapter = train_adapter(half, trained)
    assert {weight.dtype for weight in adapter.parameters()} == {torch.float32}
    losses = json.loads((tmp_path / "adapter.json").read_text())["validation"]
    assert losses["true"] < losses["none"] - 0.01


@pytest.mark.slow
def test_two_processes_train_what_one_does(settings: AdapterTrainingSettings, tmp_path: Path) -> None:
    """The command itself under `strategy=ddp devices=2`, half the batch in each process, against one process."""
    model = tiny_encodec_musicgen(tmp_path / "model")
    (model / "narrascore.json").write_text(CARD)
    words = [
        "train-adapter", "--music", str(model), "--data", str(settings.corpus), "--device", "cpu", "hidden=8",
        "dilations=[1,2]", "stage_epochs=[2,1]", "crops_per_epoch=8", "dropout=0", "learning_rate=0.02",
    ]  # fmt: skip
    for name, more in (("one", ["batch_size=4"]), ("two", ["batch_size=2", "strategy=ddp", "devices=2"])):
        command = [sys.executable, "-m", "narrascore.cli.main", *words, "-o", str(tmp_path / name), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ}, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = AffectAdapter.load(tmp_path / "one"), AffectAdapter.load(tmp_path / "two")
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_the_loss_is_the_mean_over_codebooks_of_the_delayed_cross_entropy(
    musicgen: FrozenMusicGen, stereo_musicgen: FrozenMusicGen, settings: AdapterTrainingSettings, layout: str
) -> None:
    """A loop over positions and codebooks, written apart, gives the same number."""
    model, delays = (musicgen, (0, 1, 2, 3)) if layout == "mono" else (stereo_musicgen, (0, 0, 1, 1, 2, 2, 3, 3))
    adapter = open_adapter(model)
    module = AdapterTraining(model, adapter, 1, settings)
    codes = torch.randint(0, 64, (2, len(delays), 12), generator=torch.Generator().manual_seed(2))
    affect = torch.rand(2, 12 + 2 * adapter.halo, 2)
    with torch.no_grad():
        got = module.losses(CropBatch(codes, affect, ["calm", ""]), affect)
        inputs = torch.full((2, len(delays), 12), model.bos)
        for p in range(1, 12):
            for k, delay in enumerate(delays):
                if p - 1 - delay >= 0:
                    inputs[:, k, p] = codes[:, k, p - 1 - delay]
        steer = inject(all_gates(adapter), adapter(affect))
        logits = model(inputs, model.encode_text(["calm", ""]), steer).log_softmax(-1)
        per_codebook = [
            torch.stack([-logits[b, k, p, codes[b, k, p - delay]] for b in range(2) for p in range(delay, 12)]).mean()
            for k, delay in enumerate(delays)
        ]
    torch.testing.assert_close(got, torch.stack(per_codebook).mean())


def test_gradient_checkpointing_changes_memory_and_nothing_else(
    musicgen: FrozenMusicGen, settings: AdapterTrainingSettings
) -> None:
    adapter, grads, kept = open_adapter(musicgen), [], []
    batch = CropBatch(torch.randint(0, 64, (1, 4, 30)), torch.rand(1, 30 + 2 * adapter.halo, 2), ["calm"])
    for checkpointing in (False, True):
        module = AdapterTraining(musicgen, adapter, 0, replace(settings, checkpointing=checkpointing))
        adapter.zero_grad()
        held: dict[int, int] = {}

        def keep(tensor: torch.Tensor, held: dict[int, int] = held) -> torch.Tensor:
            held[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = module.losses(batch, batch.affect)
        kept.append(sum(held.values()))
        loss.backward()
        grads.append([p.grad.clone() for p in adapter.parameters()])
    for plain, recomputed in zip(*grads, strict=True):
        torch.testing.assert_close(plain, recomputed)
    assert kept[1] < kept[0] / 2, "what the forward pass keeps for the backward pass"
