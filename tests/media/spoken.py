"""A synthetic voice: eSpeak NG, where the package espeakng-loader is installed; it needs no network and no weights."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrascore.media.samples import resampled
from tests.media.films import Sound

TEXT = (
    "Nobody had told her that the letter would come on a Sunday. She read it twice, and then she put it in the fire. "
    "It was still raining, and the road below the house had turned into a river."
)
SYNCHRONOUS, UTF8 = 2, 1


def spoken(seconds: float, *, level: float = 0.5, channels: int = 2, rate_hz: int = 48_000) -> Sound:
    """`[C, n]`: three English sentences, from the start again where they are too short.

    Raises:
        ModuleNotFoundError: if the package is not installed.
    """
    voice, voice_hz = _say(TEXT)
    wave = np.concatenate(list(resampled([voice], "mono", voice_hz, rate_hz)), axis=1)[0]
    wave = np.resize(wave, round(seconds * rate_hz)) * np.float32(level / np.abs(wave).max())
    return np.tile(wave.astype(np.float32), (channels, 1))


def _say(text: str) -> tuple[Sound, int]:
    """`[1, n]`, and the library's rate in Hz."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = int(library.espeak_Initialize(SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), 0))
    pieces: list[NDArray[np.int16]] = []

    def take(wave: Any, samples: int, events: object) -> int:
        if samples > 0:
            pieces.append(np.ctypeslib.as_array(wave, (samples,)).copy())
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback, words = kind(take), text.encode()
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(b"en")
    library.espeak_Synth(words, ctypes.c_size_t(len(words) + 1), 0, 0, 0, UTF8, None, None)
    library.espeak_Terminate()
    return (np.concatenate(pieces) / 32_768).astype(np.float32)[None], rate_hz
