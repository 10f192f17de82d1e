"""The adapter's two branches, its saved parts, and which blocks it steers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.errors import InputError, UsageError
from narrascore.synthesis.adapter import AffectAdapter, affect_of_frames
from narrascore.synthesis.injection import injected_blocks, shallow_blocks

KEYS = {
    "gates", "projector.0.weight", "projector.0.bias", "projector.3.weight", "projector.3.bias",
    "temporal.output.weight", "temporal.output.bias",
    *(f"temporal.convolutions.{i}.{part}" for i in range(2) for part in ("weight", "bias")),
}  # fmt: skip


def tiny() -> AffectAdapter:
    torch.manual_seed(0)
    return AffectAdapter(16, (0, 1, 2), hidden=8, dilations=(1, 4)).eval()


def test_the_temporal_branch_starts_at_nothing_so_control_is_the_projected_curve() -> None:
    adapter, affect = tiny(), torch.rand(2, 30, 2)
    halo = adapter.halo
    assert halo == 5
    assert torch.equal(adapter(affect), adapter.projector(affect)[:, halo:-halo])
    assert adapter(affect).abs().max() > 0, "control that is zero at the start would never learn"
    assert torch.equal(adapter.gates, torch.zeros(3))


def test_control_hears_exactly_its_receptive_field() -> None:
    adapter = tiny()
    torch.nn.init.normal_(adapter.temporal.output.weight)
    affect = torch.zeros(1, 41, 2, requires_grad=True)
    adapter(affect)[0, 15].sum().backward()  # frame 15 sits at row 20 of the padded curve
    heard = affect.grad.abs().sum(-1)[0].nonzero().flatten().tolist()
    assert heard[0] == 20 - adapter.halo
    assert heard[-1] == 20 + adapter.halo
    assert adapter.receptive_field_seconds(25.0) == (heard[-1] - heard[0] + 1) / 25


def test_the_curve_is_interpolated_by_absolute_frame() -> None:
    curve = AffectCurve(np.array([[0, 0], [1, -1], [1, -1]]))
    rows = affect_of_frames(curve, -2, 9, 4.0)
    np.testing.assert_allclose(rows[:, 0], [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])


def test_only_the_trained_parts_are_saved_and_come_back(tmp_path: Path) -> None:
    adapter = tiny()
    torch.nn.init.normal_(adapter.gates)
    adapter.save(tmp_path, {"corpus": "made here"})
    assert set(adapter.state_dict()) == KEYS
    again = AffectAdapter.load(tmp_path)
    assert not again.training
    assert all(torch.equal(again.state_dict()[key], adapter.state_dict()[key]) for key in KEYS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter.json", "adapter.safetensors"]


def test_a_folder_without_an_adapter_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no adapter\.safetensors"):
        AffectAdapter.load(tmp_path)
    (tmp_path / "adapter.json").write_text("{}")
    (tmp_path / "adapter.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match="adapter in"):
        AffectAdapter.load(tmp_path)


def test_three_quarters_of_musicgen_small_are_blocks_0_to_17() -> None:
    assert shallow_blocks(24, 0.75) == tuple(range(18))
    assert shallow_blocks(8, 0.75) == tuple(range(6))
    with pytest.raises(ValueError, match="injected_share"):
        shallow_blocks(24, 0.0)


def test_blocks_are_a_share_or_named_one_by_one() -> None:
    assert injected_blocks(24, 0.5) == tuple(range(12)) and injected_blocks(24, 1.0) == tuple(range(24))
    assert injected_blocks(24, 0.75, (6, 0, 23)) == (0, 6, 23)
    for wrong in ((), (24,), (-1,), (3, 3)):
        with pytest.raises(UsageError, match="from 0 to 23"):
            injected_blocks(24, 0.75, wrong)
