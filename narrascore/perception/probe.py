"""The affect probe: valence and arousal off a frozen eye's states (paper 3.3, Eq. 3 and 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from narrascore.affect import AffectCurve
from narrascore.checkpoint import load_part, save_part
from narrascore.errors import InputError
from narrascore.files import array_digest, digest

EYE_ITSELF = ("eye", "vlm", "revision")
"""What of an eye's description tells it from another eye; the rest is the mode in which it looks."""
NEITHER = ("dtype", "licence")
"""What may differ: it moves the states' last digits at most."""


class AffectProbe(nn.Module):
    """e_t = Clip[-1, 1](MLP(mean of the frame's visual tokens)), the mean being the eye's work (Eq. 3).

    Args:
        width: D, of the eye's states.
        hidden: width between the two layers.
        dropout: of the hidden layer, in training and for `spread`.

    Attributes:
        mean, scale: `[D]`, by which states are standardised; set from the training set by `standardise`.
        about: what it was trained on and for, as `load` found it; empty for a new one.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, hidden: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.settings = {"width": width, "hidden": hidden, "dropout": dropout}
        self.about: dict[str, Any] = {}
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.hidden = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 2)

    @overload
    def __call__(self, states: Tensor) -> Tensor: ...

    @overload
    def __call__(self, states: NDArray[np.float32]) -> AffectCurve: ...

    def __call__(self, states: Tensor | NDArray[np.float32]) -> Tensor | AffectCurve:
        """Read a window's states `[n, D]` as a pipeline does, array in and curve out; a tensor goes to `forward`.

        Raises:
            ValueError: if the states are not of this probe's width.
        """
        if isinstance(states, Tensor):
            affect: Tensor = super().__call__(states)
            return affect
        return AffectCurve(_read(self, states).numpy())

    def forward(self, states: Tensor) -> Tensor:
        """Valence and arousal of each frame (Eq. 3).

        Args:
            states: pooled states `[..., D]`.

        Returns:
            `[..., 2]` in [-1, 1].
        """
        affect: Tensor = clip_towards_inside(self.output(self.dropout(self._activate(states))))
        return affect

    def spread(self, states: NDArray[np.float32], passes: int = 32, seed: int = 0) -> NDArray[np.float32]:
        """How unsure the probe is of each second: the standard deviation under dropout (Gal & Ghahramani 2016).

        A pass leaves out one set of hidden units for all seconds, so it is one thinned network read throughout.

        Args:
            states: of a window, `[n, D]`.
            passes: thinned networks.
            seed: which ones; no other random number is touched.

        Returns:
            `[n, 2]`, of valence and arousal.
        """
        random = torch.Generator().manual_seed(seed)
        kept = 1 - self.dropout.p
        with torch.no_grad():
            masks = torch.rand(passes, 1, self.output.in_features, generator=random) < kept
            units = self._activate(_on(self, states)) * masks.to(self.mean.device) / kept
            drawn: NDArray[np.float32] = clip_towards_inside(self.output(units)).std(0, correction=0).cpu().numpy()
        return drawn

    def describe(self) -> dict[str, object]:
        """For the manifest: what it was trained on, and a witness of its weights."""
        weights = {name: array_digest(tensor.cpu().numpy()) for name, tensor in self.state_dict().items()}
        return {"probe": "trained", "data": self.about.get("data"), "weights": digest(weights)}

    def standardise(self, states: NDArray[np.float32]) -> None:
        """Take mean and standard deviation of training states `[R, D]`; a column that never moves is left as it is."""
        spread = states.std(axis=0, dtype=np.float64)
        self.mean.copy_(torch.from_numpy(states.mean(axis=0, dtype=np.float64)))
        self.scale.copy_(torch.from_numpy(np.where(spread > 1e-6, spread, 1.0)))

    def save(self, folder: str | Path, about: Mapping[str, object]) -> None:
        """Write `probe.safetensors` and `probe.json`.

        Args:
            folder: made if need be.
            about: data, metrics, and under `eye` the description of the eye whose states it reads.
        """
        save_part(folder, "probe", self.state_dict(), {**about, "settings": self.settings})

    @classmethod
    def load(
        cls, folder: str | Path, eye: Mapping[str, object] | None = None, *, allow_mode_mismatch: bool = False
    ) -> AffectProbe:
        """Read a probe back.

        Args:
            folder: what `save` wrote.
            eye: description of the eye that it shall read; None asks nothing.
            allow_mode_mismatch: read the same eye in another mode than it was trained with (another primer, other
                windows); never another eye, whose states mean something else.

        Raises:
            InputError: if the folder holds none, or one for another eye or mode.
        """
        tensors, about = load_part(folder, "probe")
        try:
            probe = cls(**about["settings"])
            probe.load_state_dict(tensors)
            if not all(tensor.isfinite().all() for tensor in tensors.values()):
                raise ValueError("some weights are not finite")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"probe in {Path(folder).name}: {error}; train it again") from error
        probe.about = about
        if eye is not None:
            _require_eye(Path(folder), about.get("eye"), eye, allow_mode_mismatch)
        return probe.eval()

    def _activate(self, states: Tensor) -> Tensor:
        return F.gelu(self.hidden((states - self.mean) / self.scale))


class ProbeEnsemble:
    """Several probes trained apart, read as one: their mean, and how far they disagree.

    Raises:
        ValueError: if there are fewer than two.
    """

    def __init__(self, probes: Sequence[AffectProbe]) -> None:
        if len(probes) < 2:
            raise ValueError(f"an ensemble is at least two probes: got {len(probes)}")
        self.probes = list(probes)

    def __call__(self, states: NDArray[np.float32]) -> AffectCurve:
        """The mean of the members' curves for a window's states `[n, D]`."""
        return AffectCurve(self._members(states).mean(axis=0))

    def spread(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Their standard deviation in each second, `[n, 2]`."""
        return np.asarray(self._members(states).std(axis=0))

    def describe(self) -> dict[str, object]:
        """For the manifest: every member."""
        return {"probe": "ensemble", "members": [probe.describe() for probe in self.probes]}

    def _members(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([probe(states).values for probe in self.probes])


def clip_towards_inside(values: Tensor) -> Tensor:
    """Clip[-1, 1] of Eq. 3, with a gradient that leads values beyond the bounds back into the range."""
    clipped: Tensor = _ClipTowardsInside.apply(values)  # type: ignore[no-untyped-call]
    return clipped


def affect_loss(affect: Tensor, labels: Tensor, l1_weight: float = 1.0) -> Tensor:
    """Squared plus lambda times absolute error, summed over both dimensions, mean over labelled seconds (Eq. 4).

    Args:
        affect: as read, `[..., 2]`.
        labels: `[..., 2]`; a second counts if neither of its labels is NaN.
        l1_weight: lambda.

    Returns:
        A scalar; zero where nothing is labelled.
    """
    known = labels.isfinite().all(-1)
    error = affect[known] - labels[known]
    per_second = error.square().sum(-1) + l1_weight * error.abs().sum(-1)
    return per_second.sum() / max(1, len(per_second))


class _ClipTowardsInside(torch.autograd.Function):
    """Clip to [-1, 1]. Its own gradient beyond the bounds is zero, so a prediction that left them would never return:

    value -----(-1)=========(1)-----     a step that leads back inside passes, one that leads further out does not
               -->  free  <--
    """

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        context.save_for_backward(values)
        return values.clamp(-1, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (values,) = context.saved_tensors
        # Descent moves against the gradient: beyond 1 a negative one, beyond -1 a positive one would lead further out.
        outwards = ((values > 1) & (gradient < 0)) | ((values < -1) & (gradient > 0))
        return gradient.masked_fill(outwards, 0)


def _read(probe: AffectProbe, states: NDArray[np.float32]) -> Tensor:
    """Valence and arousal without dropout, whatever mode the module is in."""
    with torch.no_grad():
        return clip_towards_inside(probe.output(probe._activate(_on(probe, states)))).cpu()


def _on(probe: AffectProbe, states: NDArray[np.float32]) -> Tensor:
    width = probe.settings["width"]
    if states.ndim != 2 or states.shape[1] != width:
        raise ValueError(f"this probe reads states [n, {width}]: got {states.shape}; another eye needs its own probe")
    return torch.tensor(states, device=probe.mean.device)


def _require_eye(folder: Path, trained: object, asked: Mapping[str, object], allow_mode_mismatch: bool) -> None:
    if not isinstance(trained, Mapping):
        raise InputError(f"probe in {folder.name}: does not say which eye it was trained with; train it again")
    asked = json.loads(json.dumps(asked))  # as it would have been written
    keys = [key for key in {**trained, **asked} if key not in NEITHER]
    differing = [key for key in keys if trained.get(key) != asked.get(key)]
    itself = [key for key in differing if key in EYE_ITSELF]
    if not differing or (allow_mode_mismatch and not itself):
        return
    has, wants = (", ".join(f"{key} {_short(eye.get(key))}" for key in differing) for eye in (trained, asked))
    way_out = "train a probe for this eye" if itself else "look in that mode, train a probe for this one, or allow it"
    raise InputError(f"probe in {folder.name}: trained with {has}, but the eye at hand has {wants}; {way_out}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."
