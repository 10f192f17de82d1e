"""Voices are taken out of a stream as the library takes them out of the whole, whatever the pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from narrascore.data.separation import Block, Separator
from narrascore.errors import InputError, ModelUnavailableError
from tests.data.tiny_demucs import SOURCES, export_tiny_htdemucs, tiny_htdemucs

pytest.importorskip("demucs")

RATE_HZ, SEGMENT = 8000, 12_000
ROUNDING = 1e-6


def noise(samples: int, level: float = 0.1) -> Block:
    return (np.random.default_rng(0).standard_normal((2, samples)) * level).astype(np.float32)


def removed(model: Any, *blocks: Block) -> Block:
    return np.concatenate(list(Separator(model).remove_vocals(blocks)), axis=1)


def by_library(model: Any, sound: Block) -> Block:
    """The mixture less the voices that the library finds in the whole of it."""
    from demucs.apply import apply_model

    with torch.inference_mode():
        voices = apply_model(model, torch.from_numpy(sound)[None], shifts=0, overlap=0.25)[0, SOURCES.index("vocals")]
    assert voices.abs().max() > 1000 * ROUNDING
    return sound - voices.numpy()


@pytest.mark.parametrize("samples", [700, SEGMENT, SEGMENT + 1, 40_011])
def test_pieces_give_what_the_library_gives_for_the_whole(samples: int) -> None:
    model, sound = tiny_htdemucs(), noise(samples)
    wanted = by_library(model, sound)
    for pieces in (1, 37):
        got = removed(model, *np.array_split(sound, pieces, axis=1))
        assert got.shape == sound.shape and got.dtype == np.float32
        assert np.abs(got - wanted).max() < ROUNDING


def test_a_hybrid_without_transformer_does_too() -> None:
    from demucs.hdemucs import HDemucs

    torch.manual_seed(0)
    model, sound = HDemucs(SOURCES, channels=4, samplerate=RATE_HZ, segment=2).eval(), noise(50_000)
    assert np.abs(removed(model, *np.array_split(sound, 9, axis=1)) - by_library(model, sound)).max() < ROUNDING


def test_the_loudness_of_the_whole_file_changes_nothing_that_can_be_heard() -> None:
    """The library's front door divides by it first; 60 dB below the voices is far below what Demucs itself errs by."""
    from demucs.api import Separator

    model, sound = tiny_htdemucs(), noise(30_000)
    sound[:, 12_000:] *= 0.2
    separator = Separator("demucs_unittest", device="cpu", shifts=0)
    separator._model, separator._samplerate = model, RATE_HZ
    _, sources = separator.separate_tensor(torch.from_numpy(sound))
    difference = removed(model, sound) - (sound - sources["vocals"].numpy())
    assert 20 * np.log10(difference.std() / sources["vocals"].numpy().std()) < -60


def test_no_more_than_two_segments_are_held() -> None:
    read = 0

    def blocks() -> Iterator[Block]:
        nonlocal read
        for _ in range(100):
            read += 1000
            yield noise(1000)

    given = 0
    for block in Separator(tiny_htdemucs()).remove_vocals(blocks()):
        given += block.shape[1]
        assert read - given <= 2 * SEGMENT
    assert given == 100_000


def test_weights_are_read_from_a_file_or_its_folder(tmp_path: Path) -> None:
    path = export_tiny_htdemucs(tmp_path / "955717e8.safetensors")
    by_file, by_folder = Separator.from_pretrained(path), Separator.from_pretrained(tmp_path)
    assert (by_file.sample_rate_hz, by_file.channels) == (RATE_HZ, 2)
    sound = noise(20_000)
    wanted = removed(tiny_htdemucs(), sound)
    for remover in (by_file, by_folder):
        assert np.array_equal(np.concatenate(list(remover.remove_vocals([sound])), axis=1), wanted)
    assert by_file.name.split("/")[1] == by_folder.name.split("/")[1]


def test_a_file_that_asks_for_a_foreign_class_is_refused(tmp_path: Path) -> None:
    export_tiny_htdemucs(tmp_path / "a.safetensors", klass="os.system", args='["touch was_run"]', kwargs="{}")
    with pytest.raises(InputError, match="not a hybrid Demucs"):
        Separator.from_pretrained(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="it holds 2"):
        Separator.from_pretrained(tmp_path)
    with pytest.raises(InputError, match="not weights"):
        Separator.from_pretrained(tmp_path / "b.safetensors")


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        Separator.from_pretrained(tmp_path / "absent")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailableError, match="separation=none"):
        Separator.from_pretrained("htdemucs", offline=True)


def test_wrong_channels_and_models_without_voices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"blocks must be \[2, n\]"):
        removed(tiny_htdemucs(), noise(10)[:1])
    model = tiny_htdemucs()
    model.sources = ["speech", "rest"]
    with pytest.raises(ValueError, match="must separate vocals"):
        Separator(model)
