"""The paper's eye against naive overlapped windows: film seconds read per second, peak memory, and where the work goes.

    python benchmarks/eye.py [--windows 8] [--layers 28] [--tower-layers 27] [--dtype bfloat16] [--device cpu]

The shape is VideoLLaMA3-2B's with random weights: language model 1536 wide, 12 query and 2 KV heads, 8960 inside;
vision tower 1152 wide, 16 heads, 4304 inside. The vocabulary is cut from 151936 to 4096 entries: no logits are made,
so only the size of the table changes. Fewer layers, in the same proportion, make it quick. Pictures are made and not
decoded, 1280 x 720, so 112 visual tokens each; clocks have 8 tokens and the primer 110, as in the real tokenizer.

The reference (naive) sends every window by itself through the library's own forward, without a cache: the frames of an
overlap go through the vision tower twice. Each method is a process of its own, one after the other; loading is left out
of its time, and weights are part of its memory. FLOPs are counted as the calls go by: two per weight and position, and
in attention four per unit of width and pair of positions that may see each other. CPU time beside the wall clock tells
whether the machine had other work, which makes the ratio worthless. The last line says how far the states of windows
are from naive's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    Qwen2Config,
    Qwen2Tokenizer,
    VideoLlama3Config,
    VideoLlama3ForConditionalGeneration,
    VideoLlama3VisionConfig,
)

from narrascore.media.frames import Frame
from narrascore.perception.pixels import MERGE, PATCH_PIXELS, frame_size, to_patches, tokens_of
from narrascore.perception.prompts import film_strip, opening
from narrascore.perception.vlm import FrozenVLM, pool_frames
from narrascore.perception.vlm_eye import VlmEye
from narrascore.windows import overlapping_windows

METHODS = ("naive", "windows", "streaming")
WIDTH, HEIGHT = 1280, 720
PRIMER = "a" * 103  # with its turn's marks 110 tokens
VOCABULARY = 4096
WARM_UP_SECONDS = 2


class MadeFilm(SimpleNamespace):
    """Noise of a given length, with what an eye asks of a film."""

    def frames(self, rate_hz: int, *, height: int) -> Iterator[Frame]:
        width = round(self.width * height / self.height)
        for second in range(self.duration_seconds):
            noise = np.random.default_rng(second).integers(0, 256, (height, width, 3), dtype=np.uint8)
            yield Frame(second / rate_hz, noise)


class Work:
    """FLOPs of the vision tower (projector included) and of the language model, counted by hooks."""

    def __init__(self, vlm: FrozenVLM) -> None:
        self.tower = self.language = 0.0
        model = vlm.model.model
        self._text, self._vision = model.config.text_config, model.config.vision_config
        self._text_weights = _matrices(model.language_model.layers)
        self._vision_weights = _matrices(model.vision_model.encoder) + _matrices(model.vision_model.embeddings)
        self._projector_weights = _matrices(model.projector)
        model.vision_model.register_forward_hook(self._see, with_kwargs=True)
        model.language_model.register_forward_hook(self._read, with_kwargs=True)

    def _see(self, module: object, args: object, kwargs: dict[str, Any], output: object) -> None:
        for count, rows, columns in kwargs["grid_thw"].tolist():
            patches = rows * columns
            pairs = self._vision.num_hidden_layers * self._vision.hidden_size * patches**2
            self.tower += count * (2 * patches * self._vision_weights + 4 * pairs)
            self.tower += count * 2 * patches / MERGE**2 * self._projector_weights

    def _read(self, module: object, args: object, kwargs: dict[str, Any], output: Any) -> None:
        new, cache = kwargs["inputs_embeds"].shape[1], kwargs.get("past_key_values")
        past = 0 if cache is None else cache.get_seq_length() - new
        pairs = new * past + new * (new + 1) / 2
        self.language += 2 * new * self._text_weights
        self.language += 4 * pairs * self._text.hidden_size * self._text.num_hidden_layers


def build_vlm(args: argparse.Namespace) -> FrozenVLM:
    """The 2B shape, or part of its layers, with random weights."""
    tokenizer = build_tokenizer()
    text = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=1536, intermediate_size=8960, num_hidden_layers=args.layers,
        num_attention_heads=12, num_key_value_heads=2, max_position_embeddings=32768, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
    )  # fmt: skip
    vision = VideoLlama3VisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=args.tower_layers, num_attention_heads=16,
        patch_size=PATCH_PIXELS,
    )  # fmt: skip
    config = VideoLlama3Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), tie_word_embeddings=True,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, args.dtype))
    model = VideoLlama3ForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    return FrozenVLM(model.to(args.device), tokenizer)


def build_tokenizer() -> Qwen2Tokenizer:
    """A token a byte, but one for `Time`, so that clocks are as long as in the real tokenizer."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>"]
    vocabulary = {token: index for index, token in enumerate([*letters, "Ti", "Tim", "Time", *special])}
    merges: Any = [("T", "i"), ("Ti", "m"), ("Tim", "e")]
    return Qwen2Tokenizer(vocab=vocabulary, merges=merges, additional_special_tokens=special[1:])


def read_naively(vlm: FrozenVLM, film: MadeFilm, window_seconds: int, overlap_seconds: int) -> NDArray[np.float32]:
    """States `[R, D]` of overlapped windows, each through the library's video path from pixels to the last layer."""
    size = frame_size(film.width, film.height)
    images = [frame.image for frame in film.frames(1, height=size[0])]
    video_mark, video_id = "<|video_pad|>" * tokens_of(size), vlm.model.config.video_token_id
    rows = []
    for start, stop in overlapping_windows(len(images), window_seconds, overlap_seconds):
        count = stop - start
        strip = film_strip([float(second) for second in range(start, stop)], [video_mark] * count)
        ids = torch.tensor([vlm.tokenizer(opening(PRIMER) + strip, add_special_tokens=False).input_ids])
        patches = torch.cat([to_patches(image, size) for image in images[start:stop]])
        with torch.no_grad():
            read = vlm.model.model(
                input_ids=ids.to(vlm.model.device),
                pixel_values_videos=patches.to(vlm.model.device),
                video_grid_thw=torch.tensor([[count, *(side // PATCH_PIXELS for side in size)]]).to(vlm.model.device),
                video_merge_sizes=torch.tensor([MERGE]).to(vlm.model.device),
                use_cache=False,
            )
        visual = ids[0].to(vlm.model.device) == video_id
        rows.append(pool_frames(read.last_hidden_state[0], visual, [tokens_of(size)] * count).cpu().numpy())
    return np.concatenate(rows)


def run(method: str, args: argparse.Namespace) -> None:
    """One method in this process; prints its figures as JSON and leaves its states in a file."""
    torch.set_num_threads(args.threads)
    vlm = build_vlm(args)

    def read(seconds: int) -> NDArray[np.float32]:
        film: Any = MadeFilm(width=WIDTH, height=HEIGHT, duration_seconds=seconds)
        if method == "naive":
            return read_naively(vlm, film, args.window, args.overlap)
        mode: Any = method
        eye = VlmEye(
            vlm, PRIMER, mode=mode, window_seconds=args.window, overlap_seconds=args.overlap,
            max_frames=args.max_frames[0] if args.max_frames else None,
        )  # fmt: skip
        return eye.read(film).states

    read(WARM_UP_SECONDS)
    work = Work(vlm)
    began, cpu_began = time.perf_counter(), time.process_time()
    states = read(args.seconds)
    wall_seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    np.save(args.states, states)
    cuda_bytes = torch.cuda.max_memory_allocated() if args.device.startswith("cuda") else None
    weights = sum(weight.numel() for weight in vlm.parameters())
    figures = {
        "seconds": wall_seconds,
        "cpu_seconds": cpu_seconds,
        "tower": work.tower,
        "language": work.language,
        "cuda_bytes": cuda_bytes,
        "weights": weights,
    }
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=8, help="overlapped windows; they set the film's length")
    parser.add_argument("--window", type=int, default=30, help="seconds of a window")
    parser.add_argument("--overlap", type=int, default=15, help="seconds shared by neighbours")
    parser.add_argument(
        "--max-frames", type=int, nargs="*", default=[], metavar="N",
        help="also streaming in contexts of so many frames, beside as many as fit",
    )  # fmt: skip
    parser.add_argument("--layers", type=int, default=28, help="of the language model")
    parser.add_argument("--tower-layers", type=int, default=27, help="of the vision tower")
    parser.add_argument("--dtype", choices=("bfloat16", "float32", "float16"), default="bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--method", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--states", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.seconds = args.window + (args.windows - 1) * (args.window - args.overlap)
    if args.method:
        run(args.method, args)
        return
    print(
        f"{args.seconds} s of film in {args.windows} windows of {args.window} s, {args.overlap} s shared; "
        f"{args.layers} + {args.tower_layers} layers, {args.dtype} on {args.device}, {args.threads} threads; torch "
        f"{torch.__version__}; vocabulary cut to {VOCABULARY}"
    )
    print("| method | film s per s | ratio | CPU time | peak memory | tower | language model | TFLOP/s |")
    print("|---|---|---|---|---|---|---|---|")
    states, naive_seconds = {}, 0.0
    rows = [(method, method, None) for method in METHODS]
    rows += [(f"streaming, {frames} frames", "streaming", frames) for frames in args.max_frames]
    with tempfile.TemporaryDirectory() as folder:
        for name, method, frames in rows:
            path = Path(folder) / f"{method}.npy"
            words = [*sys.argv[1:], "--method", method, "--states", str(path), "--max-frames"]
            figures, memory = measure([*words, *([str(frames)] if frames else [])])
            states[method] = np.load(path)
            naive_seconds = naive_seconds or figures["seconds"]
            memory = figures["cuda_bytes"] or memory
            tower, language = (figures[part] / 1e12 for part in ("tower", "language"))
            seconds = figures["seconds"]
            print(
                f"| {name} | {args.seconds / seconds:.3f} | {naive_seconds / seconds:.2f} | "
                f"{figures['cpu_seconds']:.1f} s | {memory >> 20} MiB | "
                f"{tower:.2f} TFLOP | {language:.2f} TFLOP | {(tower + language) / seconds:.3f} |",
                flush=True,
            )
    apart = np.abs(states["windows"] - states["naive"]).max() / states["naive"].std()
    print(
        f"{figures['weights'] / 1e6:.0f} M weights; states of windows and naive differ by at most {apart:.2g} of "
        "their spread"
    )


def measure(words: list[str]) -> tuple[dict[str, Any], int]:
    """What a run in a process of its own printed, and its peak memory in bytes."""
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed with status {os.waitstatus_to_exitcode(status)}")
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures, usage.ru_maxrss * 1024


def _matrices(module: torch.nn.Module) -> int:
    """Weights that are multiplied with every position: biases and norms are left out."""
    weights: list[Tensor] = [weight for weight in module.parameters() if weight.ndim > 1]
    return sum(weight.numel() for weight in weights)


if __name__ == "__main__":
    main()
