"""Several sentences in one window: what cross-attention reads of each, and how much each counts at every position.

Each sentence is attended to by itself, and what comes of them is added up by their shares. So where one sentence alone
counts, the others add zero times something, and the sum is bit for bit what that sentence gives by itself, in every
engine and whatever stands beside it in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from narrascore.synthesis.decoder import TextCondition


@dataclass(frozen=True, eq=False)
class Wording:
    """What R rows are told at the positions of a window.

    Position p predicts codebook k of frame p - delay[k] and hears the shares of frame p, as it does the control's.

    Attributes:
        sentences: n of them in each row, `[R, W, D]` each; W may differ.
        shares: how much each counts, `[n, R, P]`, summing to one over n; None for one sentence that counts everywhere.
    """

    sentences: tuple[TextCondition, ...]
    shares: Tensor | None = None

    @property
    def rows(self) -> int:
        """R."""
        return len(self.sentences[0].mask)

    @property
    def tokens(self) -> int:
        """W of the longest sentence."""
        return max(sentence.mask.shape[1] for sentence in self.sentences)

    def without_words(self) -> Wording:
        """The same shapes with no sentence in any row."""
        return Wording(tuple(sentence.without_words() for sentence in self.sentences), self.shares)

    def padded(self, tokens: int, positions: int) -> Wording:
        """The same with every sentence of so many tokens, and the last position's shares held for so many."""
        sentences = tuple(_pad(sentence, tokens) for sentence in self.sentences)
        if self.shares is None:
            return Wording(sentences)
        return Wording(sentences, F.pad(self.shares, (0, positions - self.shares.shape[-1]), mode="replicate"))

    @staticmethod
    def stack(parts: Sequence[Wording]) -> Wording:
        """Rows one after the other, their sentences of equal numbers of tokens; a row that has fewer sentences than
        another is told nothing instead, which has no share."""
        count = max(len(part.sentences) for part in parts)
        filled = [_fill(part.sentences, count) for part in parts]
        sentences = tuple(TextCondition.stack(list(each)) for each in zip(*filled, strict=True))
        known = next((part.shares for part in parts if part.shares is not None), None)
        if known is None:
            return Wording(sentences)
        shares = [_fill_shares(part, count, known.shape[-1]) for part in parts]
        return Wording(sentences, torch.cat(shares, dim=1))


def _pad(text: TextCondition, tokens: int) -> TextCondition:
    missing = tokens - text.mask.shape[1]
    return TextCondition(F.pad(text.states, (0, 0, 0, missing)), F.pad(text.mask, (0, missing)))


def _fill(sentences: tuple[TextCondition, ...], count: int) -> list[TextCondition]:
    return [*sentences, *[sentences[0].without_words()] * (count - len(sentences))]


def _fill_shares(part: Wording, count: int, positions: int) -> Tensor:
    shares = torch.zeros(count, part.rows, positions)
    shares[: len(part.sentences)] = 1 if part.shares is None else part.shares
    return shares
