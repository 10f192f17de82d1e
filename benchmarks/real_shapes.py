"""Seconds and memory at the real sizes, with random weights: one training step of the adapter, and one short window.

    python benchmarks/real_shapes.py [--window-seconds 4] [--dtype float32] [--checkpointing] [--phase train] ...

MusicGen-Small's decoder (24 blocks, width 1024, 4 codebooks of 2048), the 32 kHz EnCodec (stride 640) and an encoder of
T5-base's shape are built from their configurations, so nothing is fetched; the music is noise, the plumbing is real. A
stand-in tokenizer knows four words. Every phase is a process of its own: its peak memory holds building, too, which in
fp32 takes the weights once. Threads are torch's own default unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)

from narrascore.affect import AffectCurve
from narrascore.data.module import CropBatch
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.codec import EncodecCodec
from narrascore.synthesis.composing import compose_window
from narrascore.synthesis.injection import shallow_blocks
from narrascore.synthesis.musicgen import MUSICGEN_WINDOW, Backbone, FrozenMusicGen
from narrascore.synthesis.training import AdapterTraining
from narrascore.synthesis.training_settings import AdapterTrainingSettings
from narrascore.windows import Window

PHASES = ("build", "train", "compose")
T = TypeVar("T")


def build_musicgen_small(dtype: torch.dtype) -> FrozenMusicGen:
    """The real shapes under random weights; the text encoder in fp32, the decoder in `dtype`."""
    text = T5Config(
        vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0,
    )  # fmt: skip
    codec = EncodecConfig(
        sampling_rate=32000, audio_channels=1, num_filters=64, upsampling_ratios=[8, 5, 4, 4], codebook_size=2048,
        codebook_dim=128, hidden_size=128, num_lstm_layers=2, target_bandwidths=[2.2], use_causal_conv=False,
        norm_type="weight_norm", normalize=False,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=2048, num_codebooks=4, audio_channels=1, hidden_size=1024, num_hidden_layers=24,
        num_attention_heads=16, ffn_dim=4096, pad_token_id=2048, bos_token_id=2048, max_position_embeddings=2048,
    )  # fmt: skip
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())
    model = MusicgenForConditionalGeneration(config)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "calm": 2, "<unk>": 3}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    sound = EncodecCodec(model.audio_encoder, 4, 1)
    origin = Backbone("random weights in MusicGen-Small's shape", "", "none")
    return FrozenMusicGen(model, tokenizer, sound, MUSICGEN_WINDOW, origin).place("cpu", dtype)


def build_adapter(musicgen: FrozenMusicGen) -> AffectAdapter:
    """The paper's share of blocks, with open gates."""
    adapter = AffectAdapter(musicgen.width, shallow_blocks(musicgen.blocks, 0.75))
    torch.nn.init.constant_(adapter.gates, 0.1)
    return adapter


def train_step(musicgen: FrozenMusicGen, frames: int, settings: AdapterTrainingSettings) -> dict[str, float]:
    """One forward and backward pass of all parts together, and one step of the optimiser."""
    adapter = build_adapter(musicgen)
    module = AdapterTraining(musicgen, adapter, 0, settings)
    codes = torch.randint(0, 2048, (settings.batch_size, musicgen.codebooks, frames))
    affect = torch.rand(settings.batch_size, frames + 2 * adapter.halo, 2) * 2 - 1
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=1e-4)
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16-mixed"):
        loss = module.losses(CropBatch(codes, affect, ["calm"] * settings.batch_size), affect)
    forward = time.perf_counter() - began
    loss.backward()
    optimiser.step()
    return {"loss": float(loss.detach()), "forward": forward, "step": time.perf_counter() - began}


def compose(musicgen: FrozenMusicGen, frames: int) -> dict[str, float]:
    """One window under text guidance, then its sound, in fp32 as it is played and once more in bf16; and both side by
    side, as a film's next window would be composed while the one before is decoded."""
    curve, adapter = AffectCurve(np.linspace(-1, 1, 10)[:, None].repeat(2, axis=1)), build_adapter(musicgen).eval()

    def play() -> Tensor:
        return compose_window(musicgen, adapter, "calm", curve, Window(0, 0, frames, 0), None, "benchmark").codes

    compose_window(musicgen, adapter, "calm", curve, Window(0, 0, 10, 0), None, "the engine is made")
    codes, composed = timed(play)
    sound, decoded = timed(lambda: musicgen.codec.decode(codes))
    assert sound.shape == (1, frames * 640) and bool(torch.isfinite(sound).all())
    with torch.autocast("cpu", torch.bfloat16):
        halved, decoded_bf16 = timed(lambda: musicgen.codec.decode(codes))
    with ThreadPoolExecutor(1) as beside:
        _, side_by_side = timed(lambda: (beside.submit(musicgen.codec.decode, codes), play())[0].result())
    return {
        "steps_per_second": (frames + 3) / composed,
        "compose": composed,
        "decode": decoded,
        "decode_bf16": decoded_bf16,
        "bf16_off_db": 20 * float(torch.log10((halved - sound).norm() / sound.norm())),
        "side_by_side": side_by_side,
    }


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and the seconds it took."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def run_phase(phase: str, args: argparse.Namespace) -> dict[str, float]:
    """Seconds of one phase, and the most memory its process has taken."""
    torch.manual_seed(0)
    began = time.perf_counter()
    musicgen = build_musicgen_small(getattr(torch, args.dtype))
    result = {"build": time.perf_counter() - began}
    frames = round(args.window_seconds * musicgen.frame_rate_hz)
    if phase == "train":
        settings = AdapterTrainingSettings(
            None, Path(tempfile.gettempdir()), batch_size=args.batch_size, precision=args.precision,
            checkpointing=args.checkpointing,
        )  # fmt: skip
        result |= train_step(musicgen, frames, settings)
    elif phase == "compose":
        result |= compose(musicgen, frames)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {**result, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def main() -> None:
    defaults = asdict(AdapterTrainingSettings(None, Path()))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--window-seconds", type=float, default=4.0)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of the frozen decoder")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), default=defaults["precision"])
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--phase", choices=PHASES, action="append", help="all three by default")
    args = parser.parse_args()
    print(f"window {args.window_seconds:g} s, batch {args.batch_size}, decoder {args.dtype}, {args.precision}, "
          f"checkpointing {args.checkpointing}, {torch.get_num_threads()} threads")  # fmt: skip
    for phase in args.phase or PHASES:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            result = process.submit(run_phase, phase, args).result()
        print(f"{phase}: " + ", ".join(f"{name} {value:.2f}" for name, value in result.items()), flush=True)


if __name__ == "__main__":
    main()
