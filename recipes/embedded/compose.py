"""Compose the corpus: `python recipes/embedded/compose.py --out DIR [--hours 30] [--seed 0] [--workers N]`.

Training pieces, then one hour of validation and one of test pieces under curves and with themes that training never
saw. Shards that are already whole are kept, so the same command goes on where it stopped; the same arguments give the
same tensor files whatever the number of workers.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from narrascore.data.shards import SPLITS, ShardItem, ShardSet, is_written, shard_name, write_shard
from narrascore.synthesis import score_codes as score
from recipes.embedded.captions import write_captions
from recipes.embedded.composer import compose_piece
from recipes.embedded.curves import draw_curve
from recipes.embedded.styles import WRITING

MEAN_PIECE_SECONDS = 105
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 150
HELD_OUT_HOURS = 1.0
PIECES_PER_SHARD = 64

log = logging.getLogger("compose")


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    begun = time.monotonic()
    hours = {"train": options.hours, "validation": HELD_OUT_HOURS, "test": HELD_OUT_HOURS}
    counts = {split: _piece_count(hours[split]) for split in SPLITS}
    jobs = [
        (split, number)
        for split in SPLITS
        for number in range(-(-counts[split] // PIECES_PER_SHARD))
        if not is_written(options.out, shard_name(split, number))
    ]
    log.info("%s pieces, %d shards to write in %s", counts, len(jobs), options.out)
    write = partial(_write_shard, options.out, options.seed, counts)
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for done, name in enumerate(pool.imap_unordered(write, jobs), 1):
            log.info("%s (%d of %d, %.0f s)", name, done, len(jobs), time.monotonic() - begun)
    for split in SPLITS:
        shards = ShardSet.open(options.out, split)
        seconds = sum(item.codes.shape[1] for item in shards) / score.FRAME_RATE_HZ
        log.info("%s: %d pieces, %.2f h", split, len(shards), seconds / 3600)


def compose_item(split: str, index: int, seed: int) -> ShardItem:
    """The piece number `index` of a split; styles take turns, so each split has all of them evenly."""
    which = (seed, SPLITS.index(split), index)
    random = Random(f"corpus/{which}")
    seconds = random.randint(SHORTEST_SECONDS, LONGEST_SECONDS)
    piece_seed = random.getrandbits(48)
    styles = list(WRITING)
    style = styles[index % len(styles)]
    curve = draw_curve(which, seconds)
    piece = compose_piece(curve, style, piece_seed, seconds)
    return ShardItem(
        id=f"{split}-{seed}-{index:06d}",
        codes=piece.codes,
        curve=curve.values,
        caption="\n".join(write_captions(curve, style, piece_seed)),
        split=split,
        source=f"composer/{style}/{piece_seed}",
        silence_share=_silence_share(piece.codes),
    )


def _write_shard(out: Path, seed: int, counts: dict[str, int], job: tuple[str, int]) -> str:
    split, number = job
    first = number * PIECES_PER_SHARD
    indices = range(first, min(first + PIECES_PER_SHARD, counts[split]))
    name = shard_name(split, number)
    write_shard(out, name, [compose_item(split, index, seed) for index in indices])
    return name


def _piece_count(hours: float) -> int:
    """Whole rounds of all styles, at least one."""
    rounds = round(hours * 3600 / MEAN_PIECE_SECONDS / len(WRITING))
    return max(1, rounds) * len(WRITING)


def _silence_share(codes: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> float:
    """Share of the frames in which no pitched voice sounds."""
    sounding = np.zeros(codes.shape[1], dtype=bool)
    for note in score.read_notes(codes):
        if note.voice in score.PITCHED:
            sounding[note.start : note.stop] = True
    return float(1 - sounding.mean())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compose the embedded model's corpus.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--hours", type=float, default=30.0, help="hours of training pieces (default 30)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
