"""How well the language model knows held-out music, beside a bigram of each voice.

    python recipes/embedded/validate.py --corpus build/corpus --model build/embedded/model

"Hold" is most of every voice, so the loss over all frames says little. The table splits it: `when` is the surprise, per
frame, at whether something begins; `which` is the surprise at what begins, on the frames where something does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from narrascore.synthesis.decoder import run_decoder
from narrascore.synthesis.delays import teacher_forcing, undelay_codes
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codes import CODEBOOKS, FIRST, TABLE_SIZE, VOICE_NAMES
from recipes.embedded.train import DELAYS, WINDOW_POSITIONS, Pieces


def bigram(pieces: Pieces) -> Tensor:
    """log p(code | the code before it in the same voice), `[K, V, V]`, with half a count everywhere."""
    counts = torch.full((CODEBOOKS, TABLE_SIZE, TABLE_SIZE), 0.5)
    for codes in pieces.codes:
        for k in range(CODEBOOKS):
            voice = torch.from_numpy(codes[k].astype(np.int64))
            pairs = voice[:-1] * TABLE_SIZE + voice[1:]
            counts[k] += torch.bincount(pairs, minlength=TABLE_SIZE**2).view(TABLE_SIZE, TABLE_SIZE)
    return (counts / counts.sum(-1, keepdim=True)).log()


class Surprise:
    """Sums of nats per voice, split into when and which."""

    def __init__(self) -> None:
        self.nats, self.when, self.which = (torch.zeros(CODEBOOKS) for _ in range(3))
        self.frames, self.onsets = torch.zeros(CODEBOOKS), torch.zeros(CODEBOOKS)

    def add(self, log_probabilities: Tensor, codes: Tensor) -> None:
        """`[B, K, T, V]` and the true `[B, K, T]`."""
        true = log_probabilities.gather(-1, codes[..., None])[..., 0]
        begins = codes >= FIRST
        onset = torch.logsumexp(log_probabilities[..., FIRST:], dim=-1)
        still = torch.logsumexp(log_probabilities[..., :FIRST], dim=-1)
        self.nats -= true.sum((0, 2))
        self.when -= torch.where(begins, onset, still).sum((0, 2))
        self.which -= ((true - onset) * begins).sum((0, 2))
        self.frames += codes.shape[0] * codes.shape[2]
        self.onsets += begins.sum((0, 2))

    def rows(self) -> list[tuple[float, float, float]]:
        """(nats per frame, when per frame, which per onset) of each voice."""
        means = (self.nats / self.frames, self.when / self.frames, self.which / self.onsets.clamp(min=1))
        return [tuple(row) for row in torch.stack(means, dim=1).tolist()]


@torch.no_grad()
def compare(corpus: Path, model: Path, windows: int) -> str:
    """The table as Markdown, over `windows` full windows of validation pieces, each with its sentence."""
    musicgen, held_out = FrozenMusicGen.from_pretrained(model), Pieces(corpus, "validation")
    table = bigram(Pieces(corpus, "train"))
    ours, theirs = Surprise(), Surprise()
    for i in range(windows):
        codes, sentences = held_out.batch(f"validate/{i}", 1, WINDOW_POSITIONS)
        inputs, _, _ = teacher_forcing(codes, DELAYS, TABLE_SIZE)
        logits = run_decoder(musicgen.decoder, inputs, musicgen.encode_text(sentences))[0]
        frames = WINDOW_POSITIONS - max(DELAYS)
        aligned = undelay_codes(logits.permute(2, 0, 1), DELAYS, frames).permute(1, 2, 0)[None]
        ours.add(F.log_softmax(aligned[:, :, 1:], dim=-1), codes[..., 1:frames])
        before = codes[0, :, : frames - 1]
        theirs.add(torch.stack([table[k][before[k]] for k in range(CODEBOOKS)])[None], codes[..., 1:frames])
    lines = ["| voice | nats a frame | bigram | when | bigram | which | bigram |", "|---|---|---|---|---|---|---|"]
    for name, a, b in zip(VOICE_NAMES, ours.rows(), theirs.rows(), strict=True):
        cells = [f"{value:.3f}" for pair in zip(a, b, strict=True) for value in pair]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=48)
    args = parser.parse_args()
    print(compare(args.corpus, args.model, args.windows))


if __name__ == "__main__":
    main()
