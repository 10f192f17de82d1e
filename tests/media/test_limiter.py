"""The limiter: under its ceiling between samples too, soft sound untouched, the same whatever the blocks."""

import numpy as np
import pytest

from narrascore.media.limiter import Limiter, limited
from narrascore.media.loudness import measure_loudness
from tests.media.films import Sound

CEILING_DB = -1.4


def bursts(channels: int = 2) -> Sound:
    """A tenth of a second each of soft, far too loud, soft and soft noise."""
    noise = np.random.default_rng(0)
    sizes = np.repeat([0.05, 2.0, 0.05, 0.05], 4_800)
    sound: Sound = (noise.standard_normal((channels, 19_200)) * sizes).astype(np.float32)
    return sound


def cut(sound: Sound, samples: int) -> list[Sound]:
    return [sound[:, at : at + samples] for at in range(0, sound.shape[1], samples)]


def run(sound: Sound, block_samples: int = 4_800) -> Sound:
    return np.concatenate(list(limited(cut(sound, block_samples), len(sound), CEILING_DB)), axis=1)


def test_the_limiter_keeps_under_the_ceiling_and_leaves_soft_sound_alone() -> None:
    out = run(bursts())
    assert out.shape == (2, 19_200)
    assert np.abs(out).max() <= 0.86
    assert measure_loudness([out], 48_000, "stereo").true_peak_dbtp <= -1
    assert np.array_equal(out[:, :2_400], bursts()[:, :2_400])
    soft = bursts()[:, 9_600:]
    assert np.array_equal(run(soft), soft)


@pytest.mark.parametrize("block_samples", [100, 239, 4_801, 19_200])
def test_blocks_of_any_length_give_the_same(block_samples: int) -> None:
    sound = bursts()[:, 3_000:17_001]
    assert np.array_equal(run(sound, block_samples), run(sound))


def test_every_channel_gets_the_same_gain() -> None:
    sound = bursts(6)
    sound[3:] *= 0.01  # these alone would not be limited
    gain = run(sound) / sound
    assert np.abs(gain - gain[:1]).max() < 1e-4
    assert gain.min() < 0.5


def test_nothing_in_gives_nothing_out() -> None:
    assert Limiter(2, CEILING_DB).flush().shape == (2, 0)
