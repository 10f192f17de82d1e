"""Features of sounds that are known exactly: sines, clicks and their mixtures."""

import numpy as np
import pytest
import torch

from narrascore.evaluation.sound_features import SOUND_UNITS, chroma, read_sound, sound_tempo

RATE_HZ = 8000
C, E_FLAT, E, F_SHARP, G = (261.63 * 2 ** (semitones / 12) for semitones in (0, 3, 4, 6, 7))


def tones(*frequencies_hz, seconds=8, gain=0.2):
    time = np.arange(seconds * RATE_HZ) / RATE_HZ
    return torch.from_numpy(gain * sum(np.sin(2 * np.pi * hz * time) for hz in frequencies_hz)[None]).float()


def clicks(bpm, seconds=20):
    sound = torch.zeros(1, seconds * RATE_HZ)
    burst = torch.randn(160, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 0, 160)
    for beat in np.arange(0.5, seconds - 0.1, 60 / bpm):
        sound[0, round(beat * RATE_HZ) :][:160] += 0.5 * burst
    return sound


def test_every_feature_has_a_row_for_each_second_begun():
    for samples, rows in ((100, 1), (RATE_HZ, 1), (RATE_HZ + 1, 2), (10 * RATE_HZ, 10)):
        features = read_sound(torch.rand(2, samples) - 0.5, RATE_HZ)
        assert list(features) == list(SOUND_UNITS)
        assert {len(feature) for feature in features.values()} == {rows}
        assert all(np.isfinite(feature).all() for feature in features.values())


def test_silence_says_nothing():
    features = read_sound(torch.zeros(2, 3 * RATE_HZ), RATE_HZ)
    assert all(not feature.any() for name, feature in features.items() if name != "loudness")


def test_centroid_of_one_tone_is_its_frequency():
    assert read_sound(tones(1000), RATE_HZ)["centroid"] == pytest.approx(np.full(8, 1000), rel=0.02)
    higher = read_sound(tones(1000, 2000), RATE_HZ)["centroid"]
    assert higher[2:-2] == pytest.approx(np.full(4, 1500), rel=0.02)


def test_only_loudness_changes_with_the_gain():
    music = tones(C, E, G) * (1 + clicks(120, seconds=8))
    soft, loud = (read_sound(gain * music, RATE_HZ) for gain in (0.1, 0.8))
    assert loud["loudness"] - soft["loudness"] == pytest.approx(np.full(8, 20 * np.log10(8)), abs=1e-3)
    for name in SOUND_UNITS:
        if name != "loudness":
            assert soft[name] == pytest.approx(loud[name], rel=1e-3, abs=1e-6), name


def test_flux_is_what_changes_and_a_held_tone_does_not():
    held = read_sound(tones(C), RATE_HZ)["flux"][2:-2].mean()
    moving = torch.cat([tones(hz, seconds=1) for hz in (C, E, G, E, C, E, G, E)], dim=1)
    assert read_sound(moving, RATE_HZ)["flux"][2:-2].mean() > 5 * held


@pytest.mark.parametrize("bpm", [75, 100, 125, 150])
def test_tempo_of_clicks(bpm):
    assert np.median(sound_tempo(clicks(bpm), RATE_HZ)) == pytest.approx(bpm, rel=0.03)


def test_chroma_names_the_pitch_classes_that_sound():
    weights = chroma(tones(C, E, G), RATE_HZ)[5:-5].mean(axis=0)
    assert set(np.argsort(weights)[-3:].tolist()) == {0, 4, 7}
    assert weights[[0, 4, 7]].sum() == pytest.approx(1, abs=0.05)


def test_major_is_above_minor_and_a_third_above_a_tritone():
    major, minor = (read_sound(tones(C, third, G), RATE_HZ)["sound mode"].mean() for third in (E, E_FLAT))
    assert major > 0 > minor
    third, tritone = (read_sound(tones(C, other), RATE_HZ)["sound consonance"].mean() for other in (E, F_SHARP))
    assert third > 0.9 and tritone < 0.1
