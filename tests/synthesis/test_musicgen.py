"""The frozen backbone: delays of the checkpoint, precision by part, and what never moves."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import MusicgenForConditionalGeneration

from narrascore.errors import InputError
from narrascore.synthesis.codec import EncodecCodec
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.synthesis.tiny import tiny_encodec_musicgen


@pytest.fixture(scope="module", params=["mono", "stereo"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encodec_musicgen(tmp_path_factory.mktemp(request.param), stereo=request.param == "stereo")


def test_delays_are_those_of_the_library(folder: Path) -> None:
    """Its pattern mask shows which frame stands where: the first free place of each codebook is its delay."""
    ours, library = FrozenMusicGen.from_pretrained(folder), MusicgenForConditionalGeneration.from_pretrained(folder)
    start = torch.full((ours.codebooks, 1), ours.bos)
    _, mask = library.decoder.build_delay_pattern_mask(start, pad_token_id=ours.bos, max_length=30)
    assert ours.delays == tuple((row == -1).nonzero()[0].item() - 1 for row in mask)
    assert ours.delays == ((0, 1, 2, 3) if ours.codebooks == 4 else (0, 0, 1, 1, 2, 2, 3, 3))


def test_the_decoder_alone_is_halved_and_the_sentence_stays_in_fp32(folder: Path) -> None:
    whole = FrozenMusicGen.from_pretrained(folder)
    half = FrozenMusicGen.from_pretrained(folder, dtype=torch.bfloat16)
    assert {weight.dtype for weight in half.decoder.parameters()} == {torch.bfloat16}
    for part in (half.text_encoder, half.text_projection):
        assert {weight.dtype for weight in part.parameters()} == {torch.float32}
    states = whole.encode_text(["fast drums"]).states
    assert torch.equal(half.encode_text(["fast drums"]).states, states.bfloat16()), "rounded once, at the end"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(whole.encode_text(["fast drums"]).states, states), "mixed precision leaves it alone"


def test_encodec_never_goes_to_mps_and_does_not_follow_the_decoder(folder: Path) -> None:
    musicgen = FrozenMusicGen.from_pretrained(folder)
    codec = musicgen.codec
    assert isinstance(codec, EncodecCodec)
    assert EncodecCodec(codec.model, codec.codebooks, codec.channels, "mps:0").device == "cpu"
    decoders = {id(weight) for weight in musicgen.parameters()}
    assert not any(id(weight) in decoders for weight in codec.model.parameters())
    musicgen.place("cpu", torch.bfloat16)
    assert {weight.dtype for weight in codec.model.parameters()} == {torch.float32}


def test_nothing_is_trained_and_no_dropout_wakes_up(folder: Path) -> None:
    musicgen = FrozenMusicGen.from_pretrained(folder)
    assert not any(weight.requires_grad for weight in musicgen.parameters())
    assert not any(module.training for module in musicgen.train().modules())


def test_the_revision_of_a_folder_is_the_hash_of_its_weights_in_one_file_or_in_several(
    folder: Path, tmp_path: Path
) -> None:
    whole = FrozenMusicGen.from_pretrained(folder)
    assert whole.origin.revision == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
    library = MusicgenForConditionalGeneration.from_pretrained(folder)
    library.save_pretrained(tmp_path, max_shard_size="50KB")
    whole.tokenizer.save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    shared = FrozenMusicGen.from_pretrained(tmp_path)
    assert len(shared.origin.revision) == 16 and shared.origin.revision != whole.origin.revision
    assert all(torch.equal(a, b) for a, b in zip(shared.decoder.parameters(), whole.decoder.parameters(), strict=True))


def test_a_checkpoint_that_asks_for_kernels_off_the_hub_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "foreign")
    path = tmp_path / "foreign" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["decoder"]["attn_implementation"] = "someone/kernel"
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="which are code"):
        FrozenMusicGen.from_pretrained(tmp_path / "foreign")


def test_a_sentence_without_words_is_a_row_without_words(folder: Path) -> None:
    musicgen = FrozenMusicGen.from_pretrained(folder)
    for sentences in ([""], ["", "calm strings"]):
        text = musicgen.encode_text(sentences)
        assert not text.mask[0].any() and not text.states[0].any()
