"""Features that the field's av-benchmark harness has extracted: the backends of the published tables.

VGGish, PANNs, PaSST and ImageBind cannot be installed beside this package or are non-commercial, so they run there
(github.com/hkchengrex/av-benchmark, `evaluate.py` and `extract_video.py`) and their caches are read here. As its
`av_bench/extract.py` and `extract_video.py` write them (read at commit 050a5cd), a folder of audio gets `cache/` with

    vggish_features.pth         file's name without suffix -> [pieces of 0.96 s, 128]
    pann_features.pth           ... -> {"2048": [2048], "logits": [527]}
    passt_features_embed.pth    ... -> [768]
    passt_logits.pth            ... -> [527]
    imagebind_audio.pth         ... -> [1024]
    imagebind_video.pth         ... -> [1024], of the film, in the reference's cache alone

each a pickled dict of tensors, loaded with `weights_only=True`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrascore.errors import InputError, ModelUnavailableError
from narrascore.evaluation.distances import Features
from narrascore.evaluation.embedders import Kind
from narrascore.evaluation.feature_store import FeatureSet, Progress
from narrascore.media.opening import require_regular_file

CACHE_FOLDER = "cache"
EXTRACT = "python evaluate.py --gt_audio {reference} --pred_audio {folder} --audio_length=10"
EXTRACT_VIDEO = "python extract_video.py --gt_cache {reference}/cache --video_path FILMS --audio_length=10"
"""The harness's own commands, which fill the caches of both folders, and the film's."""


@dataclass(frozen=True)
class HarnessFeatures:
    """One of the harness's caches as an embedder.

    Attributes:
        name: of the network, as it stands beside the number.
        kind: what the features are good for.
        file: in the music's cache.
        sample_rate_hz: at which the network listens.
        reference_file: in the reference's cache; the same by default.
        key: of the tensor, where a clip has several.
        window_seconds: how much of a file the harness looks at; it takes one clip a file.
    """

    name: str
    kind: Kind
    file: str
    sample_rate_hz: int
    reference_file: str = ""
    key: str = ""
    window_seconds: float = 10.0

    def features(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        """The music's features, out of the harness's cache beside it; nothing is written to `cache`."""
        return read_harness_cache(folder / CACHE_FOLDER / self.file, self.key)

    def reference(self, folder: Path, cache: Path, progress: Progress | None = None) -> FeatureSet:
        return read_harness_cache(folder / CACHE_FOLDER / (self.reference_file or self.file), self.key)

    def command(self, folder: Path, reference: Path) -> str:
        first = f"{EXTRACT_VIDEO} && " if self.reference_file else ""
        return (first + EXTRACT).format(folder=shlex.quote(str(folder)), reference=shlex.quote(str(reference)))


PAPER_FEATURES = (
    HarnessFeatures("VGGish", "embedding", "vggish_features.pth", 16_000),
    HarnessFeatures("PANNs", "embedding", "pann_features.pth", 16_000, key="2048"),
    HarnessFeatures("PANNs", "logits", "pann_features.pth", 16_000, key="logits"),
    HarnessFeatures("PaSST", "embedding", "passt_features_embed.pth", 32_000),
    HarnessFeatures("PaSST", "logits", "passt_logits.pth", 32_000),
    HarnessFeatures("ImageBind", "paired", "imagebind_audio.pth", 16_000, reference_file="imagebind_video.pth"),
)
"""Everything that the published tables are made of. The harness calls a Fréchet distance over VGGish FAD."""


def read_harness_cache(path: Path, key: str = "") -> FeatureSet:
    """Read one of the harness's files.

    Args:
        path: the `.pth`.
        key: of the tensor, where a clip has a dict of them.

    Returns:
        One row a tensor `[D]`, or a row for each of a tensor `[pieces, D]`.

    Raises:
        ModelUnavailableError: if it is not there.
        InputError: if it is not what the harness writes.
    """
    if not path.exists():
        raise ModelUnavailableError(f"{path}: not there; the av-benchmark harness writes it")
    path = require_regular_file(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a stranger's bytes, read as a pickle's opcodes, can raise anything
        raise InputError(f"{path.name}: not a cache of the harness; have it written anew") from error
    if not isinstance(found, dict) or not found:
        raise InputError(f"{path.name}: the harness writes a dict, file's name -> features; this holds none")
    rows: list[Features] = []
    names: list[str] = []
    places: list[int] = []
    for name in sorted(found, key=str):
        entry = found[name].get(key) if key and isinstance(found[name], dict) else found[name]
        if not isinstance(entry, Tensor) or entry.ndim not in (1, 2) or not entry.isfinite().all():
            wanted = f"a dict with {key!r}" if key else "a tensor [D] or [pieces, D]"
            raise InputError(f"{path.name}: {name!s:.80} should be {wanted} of finite numbers")
        values = entry.double().reshape(-1, entry.shape[-1]).numpy()
        rows.append(values)
        names += [str(name)] * len(values)
        places += range(len(values))
    if len({values.shape[1] for values in rows}) != 1:
        raise InputError(f"{path.name}: features of several widths in one file; have it written anew")
    return FeatureSet(np.concatenate(rows), names, places)
