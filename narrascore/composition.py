"""The music of a whole film as tokens, with what was done to it since, in one file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from narrascore.affect import AffectCurve
from narrascore.files import array_digest, digest
from narrascore.media.output import replacing
from narrascore.sentences import LocalSentence
from narrascore.spans import Span
from narrascore.synthesis.joining import Patch

COMPOSITION_FILE = "codes.safetensors"


@dataclass(frozen=True, eq=False)
class Composition:
    """What there is to be played.

    Attributes:
        piece: a digest of all that was asked for of the whole film but the curve: another piece has nothing in common
            with this one.
        curve: the curve that it follows.
        codes: `[K, T]`, int16.
        windows: a row for each window of the first composition: where it lies, and what was drawn again in it.
        edits: what was composed anew since then, in order; see `narrascore.editing`.
        patches: new sound over the sound of `codes`, later ones over earlier ones. Notes have none: there the new codes
            stand in `codes` itself.
        cues: the frames that hold music, cue by cue; by default all of them.
        local: the local sentences that it follows.
        takes: that each window of the first composition was chosen from.
    """

    piece: str
    curve: AffectCurve
    codes: Tensor
    windows: tuple[dict[str, Any], ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    patches: tuple[Patch, ...] = ()
    cues: tuple[Span, ...] = ()
    local: tuple[LocalSentence, ...] = ()
    takes: int = 1

    def __post_init__(self) -> None:
        if not self.cues:
            object.__setattr__(self, "cues", (Span(0, self.codes.shape[1]),))

    @property
    def current(self) -> Tensor:
        """The codes that are heard, `[K, T]`: with those of the patches."""
        codes = self.codes.clone()
        for patch in self.patches:
            kept = patch.codes[:, patch.start - patch.left : patch.stop - patch.left]
            codes[:, patch.start : patch.stop] = kept
        return codes

    @property
    def key(self) -> str:
        """A digest of what is heard, however it came to be."""
        patches = [[patch.start, patch.stop, patch.left, array_digest(patch.codes.numpy())] for patch in self.patches]
        return digest([array_digest(self.codes.numpy()), patches])

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"codes": self.codes.contiguous(), "curve": torch.from_numpy(self.curve.values.copy())}
        tensors |= {f"patch {index}": patch.codes for index, patch in enumerate(self.patches)}
        about = {
            "piece": self.piece,
            "rate_hz": self.curve.rate_hz,
            "windows": self.windows,
            "edits": self.edits,
            "local": [vars(each) for each in self.local],
            "takes": self.takes,
            "patches": [[patch.start, patch.stop, patch.left] for patch in self.patches],
            "cues": [[cue.start, cue.stop] for cue in self.cues],
        }
        with replacing(path) as partial:
            # One entry: several are written in any order, and the same music would not be the same bytes.
            partial.write_bytes(save(tensors, {"about": json.dumps(about)}))

    @classmethod
    def load(cls, path: Path) -> Composition | None:
        """Read it back; None if it is absent or damaged: it can be composed again."""
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                patches = [
                    Patch(start, stop, left, file.get_tensor(f"patch {index}"))
                    for index, (start, stop, left) in enumerate(about["patches"])
                ]
                curve = AffectCurve(file.get_tensor("curve").numpy(), float(about["rate_hz"]))
                windows, edits = tuple(about["windows"]), tuple(about["edits"])
                cues = tuple(Span(start, stop) for start, stop in about.get("cues", []))
                local = tuple(LocalSentence(**each) for each in about.get("local", ()))
                codes, takes = file.get_tensor("codes"), int(about.get("takes", 1))
                return cls(about["piece"], curve, codes, windows, edits, tuple(patches), cues, local, takes)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None
