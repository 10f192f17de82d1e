"""Train the embedded language model on the composer's corpus: music and sentence only, never the curve.

    python recipes/embedded/train.py --corpus build/corpus --out build/embedded [--steps 1400 1100]

Two phases: many short crops first, then crops of the full window that generation uses (sinusoidal positions do not
extrapolate). Half of the crops begin anywhere, as a continued window does; the others begin as a film does, with a
piece or with a bar, at which every voice that sounds begins anew. Data order is a function of (seed, step), so a run
that was stopped goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from narrascore.data.shards import ShardSet
from narrascore.synthesis.decoder import TextCondition, run_decoder
from narrascore.synthesis.delays import musicgen_delays, teacher_forcing
from narrascore.synthesis.score_codes import (
    CODEBOOKS,
    FIRST,
    FRAME_RATE_HZ,
    PITCHED,
    TABLE_SIZE,
    VOICE_NAMES,
    bar_starts,
    cut_out,
    read_notes,
)
from recipes.embedded.model import PROMPT_SECONDS, WINDOW_SECONDS, build_model, build_tokenizer, save_model

DELAYS = musicgen_delays(CODEBOOKS, audio_channels=1)
WINDOW_POSITIONS = int(WINDOW_SECONDS * FRAME_RATE_HZ) + max(DELAYS)
AT_PIECE, AT_BAR = 0.125, 0.375
"""Share of crops that begin where their piece does, and of those cut out at a bar line."""
DROP_SENTENCE, REPLACE_WORD = 0.2, 0.03
"""Share of examples without a sentence (guidance needs that row), and of words shown as `<unk>` (users write some)."""


@dataclass(frozen=True)
class Phase:
    """So many optimiser steps on batches of so many crops of so many frames."""

    steps: int
    batch: int
    frames: int


class Pieces:
    """The corpus in memory: codes `[K, T]` and captions."""

    def __init__(self, folder: Path, split: str) -> None:
        items = list(ShardSet.open(folder, split))
        self.codes = [np.array(item.codes) for item in items]
        self.openings = [openings(codes) for codes in self.codes]
        self.captions = [item.caption.split("\n") for item in items]
        self.seconds = sum(codes.shape[-1] for codes in self.codes) / FRAME_RATE_HZ

    def batch(self, seed: str, size: int, frames: int) -> tuple[Tensor, list[str]]:
        """Crops `[B, K, T]` and a sentence each."""
        rng = random.Random(seed)
        crops: list[Tensor] = []
        captions: list[str] = []
        while len(crops) < size:
            index = rng.randrange(len(self.codes))
            spare = self.codes[index].shape[-1] - frames
            if spare < 0:
                continue
            crops.append(torch.from_numpy(self._crop(rng, index, frames, spare)))
            captions.append("" if rng.random() < DROP_SENTENCE else rng.choice(self.captions[index]))
        return torch.stack(crops).long(), captions

    def _crop(self, rng: random.Random, index: int, frames: int, spare: int) -> NDArray[np.int16]:
        codes, kind = self.codes[index], rng.random()
        if kind < AT_PIECE:
            return codes[:, :frames]
        if kind < AT_PIECE + AT_BAR:
            start = rng.choice([opening for opening in self.openings[index] if opening <= spare])
            return cut_out(codes, start, start + frames)
        start = rng.randint(0, spare)
        return codes[:, start : start + frames]


def openings(codes: NDArray[np.int16]) -> list[int]:
    """Frames of `[K, T]` with which a film could begin: bar lines at which a pitched note sounds."""
    sounding = {frame for note in read_notes(codes) if note.voice in PITCHED for frame in range(note.start, note.stop)}
    return [frame for frame in bar_starts(codes).tolist() if frame in sounding]


class Sentences:
    """Text ids of captions, with a few words hidden."""

    def __init__(self) -> None:
        self.tokenizer = build_tokenizer()

    def __call__(self, captions: list[str], seed: str | None = None) -> tuple[Tensor, Tensor]:
        """Ids and mask `[B, W]`; the mask of an empty caption is all false."""
        encoded = self.tokenizer(captions, return_tensors="pt", padding=True)
        ids, mask = encoded.input_ids, encoded.attention_mask.bool()
        if seed is not None:
            hide = torch.rand(ids.shape, generator=torch.Generator().manual_seed(hash_seed(seed))) < REPLACE_WORD
            ids = torch.where(hide & (ids > 2), torch.full_like(ids, self.tokenizer.unk_token_id), ids)
        return ids, mask & torch.tensor([bool(c) for c in captions])[:, None]


def hash_seed(text: str) -> int:
    return random.Random(text).getrandbits(62)


def token_losses(model: nn.Module, codes: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy of every code `[B, K, T]`, the targets, and the mask `[K, T]` of positions that predict a frame."""
    states = model.enc_to_dec_proj(model.text_encoder(ids, attention_mask=mask.long()).last_hidden_state)
    text = TextCondition(states * mask[..., None], mask)
    inputs, targets, known = teacher_forcing(codes, DELAYS, TABLE_SIZE)
    logits = run_decoder(model.decoder, inputs, text)
    flat = targets.masked_fill(~known, -100)
    losses = F.cross_entropy(logits.reshape(-1, TABLE_SIZE), flat.reshape(-1), ignore_index=-100, reduction="none")
    return losses.view(flat.shape), targets, known


@torch.no_grad()
def validate(model: nn.Module, pieces: Pieces, sentences: Sentences, batches: int) -> dict[str, float]:
    """Nats per codebook on fixed full windows: over all frames, and over onset frames alone."""
    total, onset = torch.zeros(CODEBOOKS), torch.zeros(CODEBOOKS)
    count, onsets = torch.zeros(CODEBOOKS), torch.zeros(CODEBOOKS)
    for i in range(batches):
        codes, captions = pieces.batch(f"validation/{i}", 4, WINDOW_POSITIONS)
        losses, targets, known = token_losses(model, codes, *sentences(captions))
        begins = (targets >= FIRST) & known
        total += losses.sum((0, 2))
        count += known.sum(1) * len(codes)
        onset += (losses * begins).sum((0, 2))
        onsets += begins.sum((0, 2))
    means, at_onsets = total / count, onset / onsets.clamp(min=1)
    rows = {"loss": float(means.mean()), "onset_loss": float(at_onsets.mean())}
    for k, name in enumerate(VOICE_NAMES):
        rows[name], rows[f"{name} onsets"] = float(means[k]), float(at_onsets[k])
    return rows


def learning_rate(step: int, total: int, peak: float, warm_up: int = 150) -> float:
    """Linear warm-up, then a cosine to 3 % of the peak."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    share = (step - warm_up) / max(1, total - warm_up)
    return peak * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def train(corpus: Path, out: Path, phases: list[Phase], peak: float, seed: int, every: int) -> None:
    """Run the phases, log to `log.csv`, keep `last.pt` for resuming, and write the checkpoint folder `model/`."""
    out.mkdir(parents=True, exist_ok=True)
    pieces, held_out, sentences = Pieces(corpus, "train"), Pieces(corpus, "validation"), Sentences()
    model = build_model(seed=seed).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.95), weight_decay=0.05)
    total, done = sum(phase.steps for phase in phases), 0
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        done = int(state["step"])
    bf16 = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    print(f"{len(pieces.codes)} pieces, {pieces.seconds / 3600:.1f} h; bf16 {bf16}; step {done} of {total}", flush=True)
    schedule = [phase for phase in phases for _ in range(phase.steps)]
    began, running = time.time(), 0.0
    for step in range(done, total):
        phase = schedule[step]
        codes, captions = pieces.batch(f"{seed}/{step}", phase.batch, phase.frames)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, total, peak)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            losses, _, known = token_losses(model, codes, *sentences(captions, f"{seed}/{step}"))
        loss = losses.sum() / (known.sum() * len(codes))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        running = loss.item() if running == 0 else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 50 == 0:
            pace = (time.time() - began) / (step + 1 - done)
            left = pace * (total - step - 1) / 60
            print(f"step {step + 1} loss {running:.4f} {pace:.2f} s/step, {left:.0f} min left", flush=True)
        if (step + 1) % every == 0 or step + 1 == total:
            rows = {"step": step + 1, "train_loss": running, **validate(model.eval(), held_out, sentences, 6)}
            model.train()
            _log(out / "log.csv", rows)
            _save(out / "last.pt", model, optimiser, step + 1)
    save_model(model.eval(), out / "model", card())


def card() -> dict[str, object]:
    """What the checkpoint plays best with, chosen on validation curves (the model card has the table)."""
    return {
        "name": "narrascore-embedded",
        "licence": "Apache-2.0",
        "window_seconds": WINDOW_SECONDS,
        "prompt_seconds": PROMPT_SECONDS,
        "sampling": {
            "top_k": 40,
            "temperature": 0.8,
            "text_guidance": 2.0,
            "control_guidance": [3.0, 6.0, 3.0] + 8 * [2.0],  # pulse, harmony, dynamics; the voices
            "plausibility": 0.05,
        },
    }


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})
    print({name: round(value, 3) for name, value in row.items()}, flush=True)


def _save(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, nargs=2, default=(1400, 1100), metavar=("SHORT", "FULL"))
    parser.add_argument("--peak", type=float, default=1.5e-3, help="learning rate after the warm-up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=300, help="steps between validations and checkpoints")
    args = parser.parse_args()
    phases = [Phase(args.steps[0], 8, 256), Phase(args.steps[1], 4, WINDOW_POSITIONS)]
    train(args.corpus, args.out, phases, args.peak, args.seed, args.every)


if __name__ == "__main__":
    main()
