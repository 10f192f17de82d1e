"""EnCodec behind the codec's contract: exact samples, and chunks that equal the whole away from the ends."""

import pytest
import torch

from narrascore.synthesis.codec import EncodecCodec
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.synthesis.tiny import tiny_encodec_musicgen


@pytest.fixture(scope="module", params=[False, True], ids=["mono", "stereo"])
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncodecCodec:
    folder = tiny_encodec_musicgen(tmp_path_factory.mktemp("encodec"), stereo=request.param)
    loaded = FrozenMusicGen.from_pretrained(folder).codec
    assert isinstance(loaded, EncodecCodec)
    return loaded


@pytest.mark.parametrize("frames", [1, 7, 130])
def test_every_frame_is_its_samples(codec: EncodecCodec, frames: int) -> None:
    codes = torch.randint(0, 64, (codec.codebooks, frames))
    assert codec.decode(codes).shape == (codec.channels, frames * 80)
    assert codec.frame_rate_hz == 100


def test_chunks_equal_the_whole_within_minus_60_db(codec: EncodecCodec) -> None:
    codes = torch.randint(0, 64, (codec.codebooks, 700), generator=torch.Generator().manual_seed(0))
    whole = codec.decode(codes)
    parts = torch.cat(list(codec.decode_chunks(codes, 250)), dim=1)
    assert parts.shape == whole.shape
    error = (parts - whole).pow(2).mean().sqrt() / whole.pow(2).mean().sqrt()
    assert 20 * torch.log10(error + 1e-12) < -60


def test_audio_goes_to_codes_of_its_own_length(codec: EncodecCodec) -> None:
    codes = codec.encode(torch.randn(2, codec.channels, 8000))
    assert codes.shape == (2, codec.codebooks, 100)
