"""The adapter without labels: directions of valence and arousal, found in the frozen backbone's own hidden states.

Sentences of four corners of the valence-arousal plane are written for several genres, each genre with its own
instruments in all four:

                  calm (a = -1)     driving (a = +1)
    happy (v = +1)   serene            triumphant        valence: mean of the row above - mean of the row below
    sad   (v = -1)   lonely            aggressive        arousal: mean of the right column - mean of the left one

The backbone plays all four for some seconds and then reads each of its own four pieces under each of the four
sentences. The hidden states after each injected block are averaged over the pieces, so that what was played cancels and
only what the sentence changes is left. All blocks hear one control, each through its own gate, so the differences in
means `[L, 2, D]` are fitted as gate times direction by least squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from narrascore.lexicon import STYLES, nearest_mood, nearest_pace
from narrascore.synthesis.adapter import AffectAdapter, Projector
from narrascore.synthesis.composing import noise_of
from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.decoding import generate
from narrascore.synthesis.delays import teacher_forcing
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec

CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
"""(valence, arousal)."""
GENRES = (
    "orchestral film score with strings and brass", "solo piano piece", "electronic music with synthesizers",
    "jazz trio with piano and double bass", "rock band with electric guitar and drums", "acoustic folk guitar",
)  # fmt: skip
WORDS = {
    (1, 1): "happy, joyful and triumphant, major key, fast driving rhythm, loud and energetic",
    (1, -1): "happy, peaceful and warm, major key, slow calm pace, quiet and gentle",
    (-1, 1): "dark, angry and desperate, minor key, fast driving rhythm, loud and energetic",
    (-1, -1): "sad, lonely and mournful, minor key, slow calm pace, quiet and gentle",
}
"""For models that understand any English; the embedded one gets words of its lexicon."""


@dataclass(frozen=True)
class Steering:
    """One direction per axis, shared by the blocks, and each block's scale.

    Attributes:
        directions: of valence and arousal, `[2, D]`, orthogonal and of length 1.
        gates: `[L]`, summing to 1: what the blocks add comes to the whole control after the last one.
        stream_norm: mean length of the hidden state after the last injected block.
        lengths: how far the sentences themselves move it, for valence and for arousal; half the difference in means.
        explained: share of the squared differences that one direction per axis and one scale per block account for.
        cosine: between valence and arousal before arousal was made orthogonal.
    """

    directions: Tensor
    gates: Tensor
    stream_norm: float
    lengths: tuple[float, float]
    explained: float
    cosine: float

    def describe(self) -> dict[str, object]:
        """How it was found, for the saved adapter."""
        return {
            "explained": round(self.explained, 4),
            "cosine_before": round(self.cosine, 4),
            "sentence_lengths": [round(length, 4) for length in self.lengths],
            "stream_norm": round(self.stream_norm, 4),
        }

    def random(self, seed: int) -> Steering:
        """The control of the experiment: orthogonal random directions of the same length, under the same gates."""
        drawn = torch.randn(self.directions.shape, generator=noise_of(f"{seed}/random direction"))
        return replace(self, directions=torch.linalg.qr(drawn.T).Q.T)

    def write_into(self, adapter: AffectAdapter, scale: float) -> None:
        """Make the adapter's control exactly the curve times the directions, and set its gates.

        Args:
            adapter: fresh, so that its temporal branch adds nothing yet.
            scale: a curve at 1 moves the hidden state by this share of its length.
        """
        make_linear(adapter.projector, scale * self.stream_norm * self.directions.T)
        with torch.no_grad():
            adapter.gates.copy_(self.gates)


def find_steering(
    musicgen: FrozenMusicGen,
    blocks: tuple[int, ...],
    *,
    seconds: float = 10.0,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Steering:
    """Measure the directions in a frozen backbone; no data set is read.

    Args:
        musicgen: plays and reads.
        blocks: those that will hear the control.
        seconds: of music for each sentence.
        seed: of the sampling.
        progress: told which genre is played.
    """
    frames = round(min(seconds, musicgen.window_seconds) * musicgen.frame_rate_hz)
    frames = max(frames, max(musicgen.delays) + 1)
    genres = contrast_sentences(musicgen)
    means, norms = [], []
    for number, (genre, sentences) in enumerate(genres.items(), start=1):
        if progress is not None:
            progress(f"steering: {genre}, {number} of {len(genres)}")
        mean, norm = _states_of_corners(musicgen, sentences, blocks, frames, f"{seed}/steering/{genre}")
        means.append(mean)
        norms.append(norm)
    signs = torch.tensor(CORNERS, dtype=torch.float32)
    differences = torch.einsum("cx,cld->lxd", signs, torch.stack(means).mean(0)) / len(CORNERS)
    return fit_shared_directions(differences, float(torch.tensor(norms).mean()))


def contrast_sentences(musicgen: FrozenMusicGen) -> dict[str, list[str]]:
    """Genre -> its four sentences in the order of `CORNERS`, in words that the backbone knows."""
    if not isinstance(musicgen.codec, ScoreCodec):
        return {genre: [f"{genre}, {WORDS[corner]}" for corner in CORNERS] for genre in GENRES}
    sentences = {}
    for name, style in STYLES.items():
        instruments = f"with {style.palette['melody']} and {style.palette['inner']}"
        sentences[name] = [f"{style.phrase}, {instruments}, {_mood(v, a)}, {nearest_pace(a)}" for v, a in CORNERS]
    return sentences


def fit_shared_directions(differences: Tensor, stream_norm: float) -> Steering:
    """Least squares over the blocks: difference (l, x) as scale l times direction x, the best fit of rank one.

    Args:
        differences: half the difference in means of each block and axis, `[L, 2, D]`.
        stream_norm: mean length of the hidden state after the last block.
    """
    blocks, axes, width = differences.shape
    left, values, right = torch.linalg.svd(differences.reshape(blocks, axes * width), full_matrices=False)
    sign = left[:, 0].sum().sign()  # a common sign is free: most gates are to be positive
    scales, (valence, arousal) = sign * left[:, 0], sign * values[0] * right[0].view(axes, width)
    cosine = float(torch.nn.functional.cosine_similarity(valence, arousal, dim=0))
    arousal = arousal - (arousal @ valence) / (valence @ valence) * valence
    directions = torch.nn.functional.normalize(torch.stack([valence, arousal]), dim=1)
    of_valence, of_arousal = differences[-1].norm(dim=1).tolist()
    explained = float(values[0] ** 2 / (values**2).sum())
    return Steering(directions, scales / scales.sum(), stream_norm, (of_valence, of_arousal), explained, cosine)


@torch.no_grad()
def make_linear(projector: Projector, matrix: Tensor) -> None:
    """Set a projector to `curve @ matrix.T` exactly: gelu(x) - gelu(-x) = x.

    Half of its hidden units keep their rows R and the other half take -R, so that the difference of the two halves is
    R @ curve; the output is the least-norm U with U R = matrix. All units take part, so training can go on from here.

    Args:
        projector: with 4 hidden units at least.
        matrix: `[D, 2]`.
    """
    first, last = projector[0], projector[-1]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    half = first.out_features // 2
    rows = first.weight[:half].clone()
    output = matrix.to(rows) @ torch.linalg.pinv(rows)
    first.bias.zero_()
    first.weight[half : 2 * half] = -rows
    last.bias.zero_()
    last.weight.zero_()
    last.weight[:, :half], last.weight[:, half : 2 * half] = output, -output


@torch.inference_mode()
def _states_of_corners(
    musicgen: FrozenMusicGen, sentences: list[str], blocks: tuple[int, ...], frames: int, seed: str
) -> tuple[Tensor, float]:
    """Mean hidden state after each block under each sentence, over the music of all of them.

    Returns:
        `[4, L, D]`, and the mean length of the hidden state after the last block.
    """
    text = musicgen.encode_text(sentences)
    noise = [noise_of(f"{seed}/{corner}") for corner in range(len(sentences))]
    codes = generate(
        musicgen.engine, musicgen.delays, text, frames, noise, musicgen.sampling, held_code=musicgen.codec.held_code
    )
    inputs, _, _ = teacher_forcing(codes, musicgen.delays, musicgen.bos)
    means, norms = [], []
    for corner in range(len(sentences)):
        heard: dict[int, Tensor] = {}

        def listen(hidden: Tensor, block: int, heard: dict[int, Tensor] = heard) -> Tensor:
            heard[block] = hidden[:, max(musicgen.delays) :].float()
            return hidden

        row = slice(corner, corner + 1)
        under = TextCondition.stack([TextCondition(text.states[row], text.mask[row])] * len(codes))
        musicgen(inputs, under, listen)
        means.append(torch.stack([heard[block].mean(dim=(0, 1)) for block in blocks]).cpu())
        norms.append(heard[blocks[-1]].norm(dim=-1).mean().cpu())
    return torch.stack(means), float(torch.stack(norms).mean())


def _mood(valence: float, arousal: float) -> str:
    first = nearest_mood(valence, arousal)
    return f"{first} and {nearest_mood(valence, arousal, frozenset({first}))}"
