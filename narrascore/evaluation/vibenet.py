"""vibenet as an embedder: the one listening network whose trained weights come with a package.

It is an EfficientNet distilled on the Free Music Archive (GPL-3.0), and what it needs does not install beside this
stack, so it runs in a Python of its own, which only ever gets clips and gives numbers:

    python -m venv vibenet && vibenet/bin/pip install vibenet       then vibenet_python=vibenet/bin/python
"""

from __future__ import annotations

import struct
import subprocess
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from narrascore.errors import ModelUnavailableError
from narrascore.evaluation import vibenet_child
from narrascore.evaluation.clips import CLIP_SECONDS, Sound
from narrascore.evaluation.embedders import SoundEmbedder

COMMAND = "python -m venv vibenet && vibenet/bin/pip install vibenet, then vibenet_python=vibenet/bin/python"


class Vibenet(SoundEmbedder):
    """The network's seven outputs before they are squeezed into [0, 1], `[7]`: acousticness, danceability, energy,
    instrumentalness, liveness, speechiness, valence.

    As an embedding they tell kinds of music apart. None is a measurement of emotion: on known material its valence was
    no better than chance, and its energy goes with gain.

    Args:
        python: the interpreter of an environment with vibenet; None if there is none.
        window_seconds: of a clip.
    """

    name = "vibenet"
    sample_rate_hz = 16_000

    def __init__(self, python: Path | None = None, window_seconds: float = CLIP_SECONDS) -> None:
        super().__init__(window_seconds)
        self.python = python

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "version": self._process[1]}

    def command(self, folder: Path, reference: Path) -> str:
        return COMMAND

    def embed(self, clip: Sound) -> NDArray[np.float64]:
        process, _ = self._process
        samples = np.ascontiguousarray(clip, dtype="<f4").tobytes()
        process.stdin.write(struct.pack("<I", len(samples)) + samples)
        process.stdin.flush()
        answer = process.stdout.read(8 * vibenet_child.OUTPUTS)
        if len(answer) != 8 * vibenet_child.OUTPUTS:
            raise ModelUnavailableError(f"vibenet in {self.python} ended in the middle of its work; try it by itself")
        return np.frombuffer(answer, dtype="<f8").copy()

    @cached_property
    def _process(self) -> tuple[_Child, str]:
        """The child, and the version of vibenet that it tells first."""
        if self.python is None:
            raise ModelUnavailableError(f"vibenet needs an environment of its own: {COMMAND}")
        try:
            child = _Child(self.python)
        except OSError as error:
            raise ModelUnavailableError(f"vibenet_python={self.python}: {error.strerror}; {COMMAND}") from error
        version = child.stdout.readline().decode().strip()
        if not version:
            raise ModelUnavailableError(f"vibenet_python={self.python} has no vibenet; {COMMAND}")
        return child, version


class _Child:
    """The other Python; it ends when its input does, at the latest with this process."""

    def __init__(self, python: Path) -> None:
        words = [str(python), "-I", vibenet_child.__file__]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
