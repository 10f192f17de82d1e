"""What an eye saw of a film: a row of states for each second of each window, and a few pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from narrascore.errors import InputError

STATES_FILE = "reading.safetensors"
CONFIG_FILE = "reading.json"


@dataclass(frozen=True, eq=False)
class FilmReading:
    """A film as an eye read it, the same for every eye.

    Attributes:
        states: `[R, D]` float32, the rows of all windows one after another; what the D columns mean is the eye's
            business and that of its probe.
        eye: the name of the eye, such as `cinematic`.
        keyframes: at most 32 (film time in seconds, `[h, w, 3]` uint8 RGB), in time order.
        windows: seconds (start, stop) of each window, a row each; together they cover the F = ceil(duration) seconds
            of the film. An eye that needs no windows has one, which is the default: row f is second [f, f + 1).

    Raises:
        ValueError: if the states are not a finite `[R, D]` with R >= 1, if the windows do not fit them, or if the
            keyframes are not in time order.
    """

    states: NDArray[np.float32]
    eye: str
    keyframes: list[tuple[float, NDArray[np.uint8]]] = field(default_factory=list)
    windows: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        states = np.array(self.states, dtype=np.float32)
        if states.ndim != 2 or 0 in states.shape:
            raise ValueError(f"states are [R, D] with R >= 1 and D >= 1: got {states.shape}")
        if not np.isfinite(states).all():
            raise ValueError("states must be finite: some are NaN or infinite")
        times = [seconds for seconds, _ in self.keyframes]
        if times != sorted(times):
            raise ValueError(f"keyframes must be in time order: got {times}")
        windows = self.windows or ((0, len(states)),)
        if sum(stop - start for start, stop in windows) != len(states):
            raise ValueError(f"windows must have a row of states for each second: got {windows} and {states.shape}")
        states.setflags(write=False)
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "windows", windows)

    def __len__(self) -> int:
        """F, the film's length in seconds."""
        return max(stop for _, stop in self.windows)

    def by_window(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(the second at which it starts, its states `[n, D]`) of each window."""
        row = 0
        for start, stop in self.windows:
            yield start, self.states[row : row + stop - start]
            row += stop - start

    def save(self, folder: str | Path) -> None:
        """Write the reading as `reading.safetensors` and `reading.json` into `folder`, made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, NDArray[np.generic]] = {"states": self.states}
        for index, (_, image) in enumerate(self.keyframes):
            tensors[f"keyframes/{index}"] = np.ascontiguousarray(image)
        # Not `save_file`, which tells of a full disk in words of its own.
        (folder / STATES_FILE).write_bytes(save(tensors))
        seconds = [seconds for seconds, _ in self.keyframes]
        config = {"eye": self.eye, "windows": self.windows, "keyframe_seconds": seconds}
        (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> FilmReading:
        """Read back what `save` wrote.

        Raises:
            InputError: if the folder holds no such reading.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
            tensors = load_file(folder / STATES_FILE)
            times = [float(seconds) for seconds in config["keyframe_seconds"]]
            keyframes = [(seconds, tensors[f"keyframes/{index}"]) for index, seconds in enumerate(times)]
            windows = tuple((int(start), int(stop)) for start, stop in config["windows"])
            return cls(tensors["states"], str(config["eye"]), keyframes, windows)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise InputError(
                f"reading in {folder.name}: cannot be used ({error}); delete {STATES_FILE} and {CONFIG_FILE} there to "
                "read the film again"
            ) from error
