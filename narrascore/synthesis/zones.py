"""What a key of a preset plays: the sound font's samples, each with how it is tuned, shaped and placed.

Names, numbers and units of the generators are those of the SoundFont 2.04 specification, section 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrascore.synthesis.soundfont import SoundFont

DRUM_BANK = 128
SILENT_DB = -100.0
"""A tone that has fallen this far has ended."""
VELOCITY = 100
"""Which of a font's layers is played; loudness itself is the performance's."""

_START, _END, _LOOP_START, _LOOP_END, _START_COARSE = 0, 1, 2, 3, 4
_ENVELOPE_TO_CUTOFF, _CUTOFF, _RESONANCE = 11, 8, 9
_END_COARSE, _PAN, _VIBRATO_CENTS, _VIBRATO_DELAY, _VIBRATO_RATE = 12, 17, 6, 23, 24
_MODULATION_SUSTAIN = 29
_DELAY, _ATTACK, _HOLD, _DECAY, _SUSTAIN = 33, 34, 35, 36, 37
_KEY_TO_HOLD, _KEY_TO_DECAY = 39, 40
_INSTRUMENT, _KEY_RANGE, _VELOCITY_RANGE = 41, 43, 44
_LOOP_START_COARSE, _ATTENUATION, _LOOP_END_COARSE = 45, 48, 50
_COARSE_TUNE, _FINE_TUNE, _SAMPLE, _LOOPS, _SCALE, _ROOT = 51, 52, 53, 54, 56, 58
_DEFAULTS = {
    _CUTOFF: 13_500, _VIBRATO_DELAY: -12_000, _DELAY: -12_000, _ATTACK: -12_000, _HOLD: -12_000, _DECAY: -12_000,
    _SCALE: 100, _ROOT: -1,
}  # fmt: skip
_NOT_ADDED = frozenset({
    _INSTRUMENT, _KEY_RANGE, _VELOCITY_RANGE, _SAMPLE, _LOOPS, _ROOT, _START, _END, _LOOP_START, _LOOP_END,
    _START_COARSE, _END_COARSE, _LOOP_START_COARSE, _LOOP_END_COARSE,
})  # fmt: skip
"""What only an instrument says; a preset's other generators are added to the instrument's."""
_ATTENUATION_SHARE = 0.4
"""Fonts are written for the EMU8000, which attenuates by 0.4 of what the font says; players follow it."""


@dataclass(frozen=True)
class Zone:
    """One sample as one key plays it.

    Attributes:
        points: 16 bit samples; `loop` (start, stop) within them, or None if it is played once.
        rate_hz: of the points, tuning to the key included: they are read at this rate.
        gain: amplitude.
        pan: -1 left to 1 right.
        attack_seconds, hold_seconds, decay_seconds, sustain_db: of the volume envelope; decay is the time of a fall by
            100 dB; delay_seconds comes before.
        cutoff_hz, resonance_db: of a low-pass, where its envelope comes to rest; None for none.
        vibrato: (cents up and down, rate in Hz, seconds before it begins).
    """

    points: NDArray[np.int16]
    loop: tuple[int, int] | None
    rate_hz: float
    gain: float
    pan: float
    delay_seconds: float
    attack_seconds: float
    hold_seconds: float
    decay_seconds: float
    sustain_db: float
    cutoff_hz: float | None
    resonance_db: float
    vibrato: tuple[float, float, float]

    @property
    def lasts_seconds(self) -> float:
        """When a held key has fallen silent; infinite if it never does."""
        shaped_seconds = self.attack_seconds + self.hold_seconds + self.decay_seconds
        played_seconds = len(self.points) / self.rate_hz * 2 ** (abs(self.vibrato[0]) / 1200)
        envelope_ends = shaped_seconds if self.sustain_db <= SILENT_DB else float("inf")
        return self.delay_seconds + min(envelope_ends, played_seconds if self.loop is None else float("inf")) + 0.01


def find_zones(font: SoundFont, bank: int, program: int, key: int) -> list[Zone]:
    """All that sounds when a key is struck; empty if the font has no such preset or nothing on the key."""
    presets = font.tables["phdr"][:-1]
    at = np.flatnonzero((presets["bank"] == bank) & (presets["preset"] == program))
    if not len(at):
        return []
    zones = []
    for preset in _rows(font, "phdr", "pbag", "pgen", int(at[0]), _INSTRUMENT, key):
        if not 0 <= preset[_INSTRUMENT] < len(font.tables["inst"]) - 1:
            continue
        for instrument in _rows(font, "inst", "ibag", "igen", preset[_INSTRUMENT], _SAMPLE, key):
            if 0 <= instrument[_SAMPLE] < len(font.tables["shdr"]) - 1:
                generators = {**_DEFAULTS, **instrument}
                for operator, amount in preset.items():
                    if operator not in _NOT_ADDED:
                        generators[operator] = generators.get(operator, 0) + amount
                zone = _zone(font, generators, key)
                if zone is not None:
                    zones.append(zone)
    return zones


def _rows(
    font: SoundFont, header: str, bags: str, gens: str, index: int, target: int, key: int
) -> list[dict[int, int]]:
    """Generators of each of a preset's or an instrument's zones on this key, its global zone's filled in."""
    first, last = (int(font.tables[header][index + i]["bag"]) for i in (0, 1))
    common: dict[int, int] = {}
    found = []
    for bag in range(first, min(last, len(font.tables[bags]) - 1)):
        start, stop = (int(font.tables[bags][bag + i]["generator"]) for i in (0, 1))
        rows = font.tables[gens][start:stop]
        own = dict(zip(rows["operator"].tolist(), rows["amount"].tolist(), strict=True))
        if target not in own:
            common = own if bag == first else common
            continue
        zone = {**common, **own}
        if _within(zone.get(_KEY_RANGE), key) and _within(zone.get(_VELOCITY_RANGE), VELOCITY):
            found.append(zone)
    return found


def _within(limits: int | None, value: int) -> bool:
    return limits is None or (limits & 0xFF) <= value <= ((limits >> 8) & 0xFF)


def _zone(font: SoundFont, generators: dict[int, int], key: int) -> Zone | None:
    def value(operator: int) -> int:
        return generators.get(operator, 0)

    sample = font.tables["shdr"][generators[_SAMPLE]]
    if int(sample["type"]) & 0x8000 or not sample["rate_hz"]:
        return None
    start = int(sample["start"]) + value(_START) + 32_768 * value(_START_COARSE)
    end = int(sample["end"]) + value(_END) + 32_768 * value(_END_COARSE)
    start, end = max(start, 0), min(end, len(font.points))
    loop = (int(sample["loop_start"]) + value(_LOOP_START) + 32_768 * value(_LOOP_START_COARSE) - start,
            int(sample["loop_end"]) + value(_LOOP_END) + 32_768 * value(_LOOP_END_COARSE) - start)  # fmt: skip
    if end - start < 8:
        return None
    loops = value(_LOOPS) in (1, 3) and 0 <= loop[0] < loop[1] - 1 and loop[1] <= end - start
    root = value(_ROOT) if 0 <= value(_ROOT) <= 127 else int(sample["key"]) if sample["key"] <= 127 else 60
    cents = (
        (key - root) * value(_SCALE) + 100 * value(_COARSE_TUNE) + value(_FINE_TUNE) + int(sample["correction_cents"])
    )
    cutoff = value(_CUTOFF) + value(_ENVELOPE_TO_CUTOFF) * (1 - min(max(value(_MODULATION_SUSTAIN), 0), 1000) / 1000)
    return Zone(
        points=font.points[start:end],
        loop=loop if loops else None,
        rate_hz=float(sample["rate_hz"]) * 2 ** (min(max(cents, -12_000), 12_000) / 1200),
        gain=10 ** (-_ATTENUATION_SHARE * max(value(_ATTENUATION), 0) / 200),
        pan=min(max(value(_PAN) / 500, -1), 1),
        delay_seconds=_seconds(value(_DELAY)),
        attack_seconds=_seconds(value(_ATTACK)),
        hold_seconds=_seconds(value(_HOLD) + value(_KEY_TO_HOLD) * (60 - key)),
        decay_seconds=_seconds(value(_DECAY) + value(_KEY_TO_DECAY) * (60 - key)),
        sustain_db=-min(max(value(_SUSTAIN), 0), 1440) / 10,
        cutoff_hz=8.176 * 2 ** (max(cutoff, 1_500) / 1200) if cutoff < 13_000 else None,
        resonance_db=min(max(value(_RESONANCE), 0), 960) / 10,
        vibrato=(
            float(value(_VIBRATO_CENTS)),
            8.176 * 2 ** (value(_VIBRATO_RATE) / 1200),
            _seconds(value(_VIBRATO_DELAY)),
        ),
    )


def _seconds(timecents: int) -> float:
    """2 ^ (timecents / 1200), at most 100 s; the least value means at once."""
    return 0.0 if timecents <= -12_000 else float(2 ** (min(timecents, 8_000) / 1200))
