"""Decoding steps a second beside the library's decoder and beside what the memory allows, all from one run.

    python benchmarks/decode.py [--contexts 600 1050 1500] [--steps 20] [--batches 1 2 4] [--layers 24] [--threads N]
    python benchmarks/decode.py --steps 3 --contexts 600 --batches 1 --layers 4      a short look
    python benchmarks/decode.py ... --corpus FOLDER        also how far bf16 and int8 are from exact on held-out music

MusicGen-Small's decoder with random weights (24 blocks of width 1024, 4 codebooks of 2048), and the embedded model as
it is shipped. A step is complete: guidance, top-k and sampling. A context is put into the cache as noise, so that every
method begins with the same number of positions; the steps timed are the next ones. The reference, `library`, is
transformers' own decoder over its own cache, fed the same rows; its `generate` adds to that. `allowed` is the rate at
which the weights and the cache that a step reads once would come through the memory, as fast as this run read a large
matrix; a small model's weights stay in the processor's cache and may come faster. The methods take turns of a few
steps, and the median step counts.
CPU seconds beside wall seconds tell whether the machine had other work, which makes the wall clock worthless.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, EncoderDecoderCache, MusicgenDecoderConfig, MusicgenForCausalLM

from narrascore.affect import AffectCurve
from narrascore.data.shards import ShardSet
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.composing import noise_of
from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.decoding import Drawing, Guidance, Sampling, log_waiting_times, sample
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.fidelity import Divergence, divergence
from narrascore.synthesis.matrices import LARGE, MIDDLE
from narrascore.synthesis.musicgen import EMBEDDED_FOLDER, FrozenMusicGen
from narrascore.synthesis.passage import Passage

RESULTS = Path(__file__).parent / "results" / "decode.json"
ENGINES = ("exact", "bf16", "int8")
WORDS = 16
WARM_UP, TURN = 2, 4
"""Steps: the first ones of each method, which are not counted, and those it takes before the next has its turn."""
GUIDED = {2: Sampling(250, 1.0, 3.0, 1.0), 3: Sampling(250, 1.0, 3.0, 2.0)}
"""Rows -> the sampling that needs them."""
Step = Callable[[int], None]


def musicgen_small(layers: int) -> MusicgenForCausalLM:
    config = MusicgenDecoderConfig(
        vocab_size=2048, num_codebooks=4, hidden_size=1024, num_hidden_layers=layers, num_attention_heads=16,
        ffn_dim=4096, max_position_embeddings=2048, pad_token_id=2048, bos_token_id=2048, dropout=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    return MusicgenForCausalLM(config).eval()


def library_step(model: MusicgenForCausalLM, guidance: Guidance, batch: int, context: int) -> Step:
    """One step of transformers' decoder with guidance and sampling, over a cache of `context` positions of noise."""
    config, text = model.config, made_text(model, guidance, batch)
    cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))
    shape = (len(text.mask), config.num_attention_heads, context, config.hidden_size // config.num_attention_heads)
    for layer in range(config.num_hidden_layers):
        cache.self_attention_cache.update(torch.randn(shape), torch.randn(shape), layer)
    noise = log_waiting_times([noise_of(str(item)) for item in range(batch)], config.num_codebooks, config.vocab_size)
    codes = torch.zeros(batch, config.num_codebooks, 1, dtype=torch.long)

    def step(position: int) -> None:
        logits = model(
            input_ids=codes.repeat(len(guidance.rows), 1, 1).flatten(0, 1), past_key_values=cache,
            encoder_hidden_states=text.states, encoder_attention_mask=text.mask.long(), use_cache=True,
        ).logits  # fmt: skip
        combined = guidance.combine(logits.view(len(text.mask), config.num_codebooks, -1))
        codes.copy_(sample(combined, guidance.sampling, next(noise))[..., None])

    return step


def engine_step(engine: Engine, model: MusicgenForCausalLM, guidance: Guidance, batch: int, context: int) -> Step:
    """The same by ours."""
    delays, frames = tuple(range(engine.codebooks)), context + 1000
    passage = Passage(engine, made_text(model, guidance, batch), frames + max(delays))
    passage.fill_with_noise(context)
    noise = [noise_of(str(item)) for item in range(batch)]
    drawing = Drawing(passage, guidance, noise, delays, frames, None, None)

    def step(position: int) -> None:
        drawing.take_noise()
        drawing.go_on(position)

    return step


def made_text(model: MusicgenForCausalLM, guidance: Guidance, batch: int) -> TextCondition:
    states = torch.randn(batch, WORDS, model.config.hidden_size)
    text = TextCondition(states, torch.ones(batch, WORDS, dtype=torch.bool))
    return TextCondition.stack([text if worded else text.without_words() for worded, _ in guidance.rows])


def measure(steps: dict[str, Step], context: int, count: int) -> dict[str, tuple[float, float]]:
    """Median (wall, CPU) seconds of a step of each method. They take turns, so that what else the machine does, and
    how fast its memory is meanwhile, falls on all of them alike."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for begin in range(0, WARM_UP + count, TURN):
        for name, step in steps.items():
            for number in range(begin, min(begin + TURN, WARM_UP + count)):
                wall, cpu = time.perf_counter(), time.process_time()
                step(context + number)
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: medians(taken[WARM_UP:]) for name, taken in times.items()}


def medians(taken: list[tuple[float, float]]) -> tuple[float, float]:
    wall, cpu = (statistics.median(each) for each in zip(*taken, strict=True))
    return wall, cpu


def bytes_of_step(model: MusicgenForCausalLM, name: str, rows: int, context: int) -> int:
    """What a step must read: each matrix once, the heads in fp32, and the filled part of every row's cache."""
    config = model.config
    width, layers = int(config.hidden_size), int(config.num_hidden_layers)
    # Per block: queries, keys and values in one; output; queries and output of the text; two matrices inside.
    matrices = [3 * width**2, *[width**2] * 3, *[width * int(config.ffn_dim)] * 2]
    heads = int(config.num_codebooks * config.vocab_size) * width
    each = {"exact": 4, "library": 4, "bf16": 2, "int8": 1}[name]
    weights = sum(size * (2 if name == "int8" and MIDDLE <= size < LARGE else each) for size in matrices)
    cached = 4 if name in ("exact", "library") else 2
    return layers * weights + heads * 4 + rows * context * layers * 2 * width * cached


def read_bandwidth() -> float:
    """Bytes a second of reading a matrix of 512 MiB, the fastest of several times."""
    matrix, vector = torch.ones(2**15, 2**12), torch.ones(2**12)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        torch.mv(matrix, vector)
        best = max(best, matrix.nbytes / (time.perf_counter() - began))
    return best


def compare(
    title: str, model: MusicgenForCausalLM, cases: list[tuple[int, int, int]], steps: int, bandwidth: float
) -> Iterator[dict[str, Any]]:
    """All methods at each (rows of guidance, batch, context); prints a row each."""
    print(f"\n{title}\n")
    print("| rows | films | context | method | steps/s | film-steps/s | ratio | wall ms | CPU ms | allowed/s | share |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    engines = {name: Engine(model, name) for name in ENGINES}
    for rows, batch, context in cases:
        guidance, reference = Guidance(GUIDED[rows], steered=True), 0.0
        with engines["exact"].own_threads():  # the library, too, is fastest with one where the decoder is small
            made = {"library": library_step(model, guidance, batch, context)}
            made |= {name: engine_step(engine, model, guidance, batch, context) for name, engine in engines.items()}
            taken = measure(made, context, steps)
        for name, (wall, cpu) in taken.items():
            reference = reference or wall
            allowed = bandwidth / bytes_of_step(model, name, rows * batch, context)
            print(
                f"| {rows} | {batch} | {context} | {name} | {1 / wall:.1f} | {batch / wall:.1f} | "
                f"{reference / wall:.2f} | {wall * 1e3:.2f} | {cpu * 1e3:.2f} | {allowed:.1f} | "
                f"{1 / wall / allowed:.0%} |",
                flush=True,
            )
            yield {
                "rows": rows, "films": batch, "context": context, "method": name, "steps_per_second": 1 / wall,
                "ratio": reference / wall, "wall_seconds": wall, "cpu_seconds": cpu, "allowed_per_second": allowed,
            }  # fmt: skip


def fidelity(corpus: Path, windows: int) -> dict[str, Divergence]:
    """Mean divergence of the embedded model's engines on windows of held-out pieces, under their own curves."""
    musicgen, adapter = FrozenMusicGen.from_pretrained(engine="exact"), AffectAdapter.load(EMBEDDED_FOLDER)
    told: dict[str, list[Divergence]] = {"bf16": [], "int8": []}
    engines = {name: Engine(musicgen.decoder, name) for name in told}
    frames = musicgen.window_frames
    pieces = [item for item in ShardSet.open(corpus, "validation") if item.codes.shape[-1] >= frames]
    for item in pieces[:windows]:
        codes = torch.from_numpy(item.codes[None, :, :frames].astype(np.int64))
        control = adapter.control(AffectCurve(item.curve), 0, frames, musicgen.frame_rate_hz)[None]
        sentence = item.caption.split("\n")[0]
        for name, engine in engines.items():
            told[name].append(divergence(musicgen, engine, musicgen.engine, codes, sentence, adapter, control))
    print(f"\nNext code of the embedded model against exact, {len(told['bf16'])} held-out windows of {frames} frames\n")
    print("| engine | KL, one row | KL, guided | likeliest code the same |\n|---|---|---|---|")
    means = {}
    for name, found in told.items():
        columns = ([each.plain, each.guided, each.agreement] for each in found)
        mean = means[name] = Divergence(*(statistics.fmean(column) for column in zip(*columns, strict=True)))
        print(f"| {name} | {mean.plain:.2e} | {mean.guided:.2e} | {mean.agreement:.2%} |")
    return means


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).is_file():
        name = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), name
        )
    return {
        "date": datetime.now(UTC).date().isoformat(), "processor": name, "threads": torch.get_num_threads(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(), "amx": torch.cpu._is_amx_tile_supported(),
        "versions": {name: version(name) for name in ("torch", "transformers")} | {"python": platform.python_version()},
    }  # fmt: skip


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, nargs="+", default=[600, 1050, 1500], metavar="N")
    parser.add_argument("--embedded-contexts", type=int, nargs="+", default=[320, 530, 740], metavar="N")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4], metavar="FILMS")
    parser.add_argument("--steps", type=int, default=20, help="timed steps at each point")
    parser.add_argument("--layers", type=int, default=24, help="fewer than MusicGen-Small's make it quick")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--corpus", type=Path, help="held-out pieces, for the divergence of bf16 and int8")
    parser.add_argument("--windows", type=int, default=8, help="of the corpus")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    told: dict[str, Any] = machine()
    bandwidth = told["read_bytes_per_second"] = read_bandwidth()
    print(
        f"{told['processor']}, {args.threads} threads, {bandwidth / 1e9:.1f} GB/s of reads, torch {torch.__version__}"
    )
    cases = [(rows, batch, context) for rows in GUIDED for batch in args.batches for context in args.contexts]
    title = f"MusicGen-Small's shape, {args.layers} of 24 blocks, random weights"
    told["layers"] = args.layers
    told["musicgen_small"] = list(compare(title, musicgen_small(args.layers), cases, args.steps, bandwidth))
    embedded = FrozenMusicGen.from_pretrained().decoder
    cases = [(3, 1, context) for context in args.embedded_contexts]
    title = "The embedded model (9.4 M), as it is played: three rows, one film, one thread"
    told["embedded"] = list(compare(title, embedded, cases, args.steps * 5, bandwidth))
    if args.corpus is not None:
        told["divergence"] = {name: vars(mean) for name, mean in fidelity(args.corpus, args.windows).items()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\n{args.out}")


if __name__ == "__main__":
    main()
