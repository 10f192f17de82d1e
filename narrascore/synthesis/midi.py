"""The score as a Standard MIDI File, exact in time: a frame is a whole number of ticks at every tempo there is."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.synthesis import score_codes
from narrascore.synthesis.mixing import PAN, STEMS
from narrascore.synthesis.palette import Palette, PaletteTurns
from narrascore.synthesis.performance import VOICE_BALANCE_DB, Tone, perform
from narrascore.synthesis.score_codes import BASS, COUNTER, DRUMS, INNER, MELODY

TICKS_PER_QUARTER = 480
"""A frame is 480 / 4n ticks for n frames a sixteenth: 60, 40, 30, 24 or 20."""
MICROSECONDS_PER_SIXTEENTH_FRAME = 160_000
_SIGNATURES = {4 * TICKS_PER_QUARTER: (4, 4), 3 * TICKS_PER_QUARTER: (3, 4)}
"""Of a bar that lasts this many ticks."""
_FIRST_TEMPO = 4
"""Frames per sixteenth until the codes say otherwise: 93.75 bpm."""
_CHANNELS = {MELODY: 0, COUNTER: 1, INNER[0]: 2, INNER[1]: 3, INNER[2]: 4, BASS: 5}
_KIT_CHANNEL, _TIMPANI_CHANNEL, _TAIKO_CHANNEL = 9, 6, 7
_HEADER = struct.Struct(">4sLHHH")
_Event = tuple[int, int, bytes]
"""(tick, rank among those of one tick, the message as a file has it)."""


def write_midi(codes: NDArray[np.int16], palette: Palette | PaletteTurns, path: str | Path) -> None:
    """Write `codes [K, T]` as MIDI, format 1: a conductor's track and one track per stem that has notes.

    Tempo is n x 160 000 microseconds a quarter from the pulse codes. It may change at any frame without moving a note:
    whatever a model wrote, each note's time is its frame x 40 ms exactly. A bar whose length is known from two
    neighbouring first sixteenths has its time signature; others keep the one before.

    Raises:
        InputError: if the file cannot be written.
    """
    tempi = _read_tempi(codes)
    # ticks[f] is where frame f begins; ticks[T] is the end of the piece.
    ticks = np.append(0, np.cumsum(TICKS_PER_QUARTER // (4 * tempi))).astype(np.int64)
    tracks = [_track("score", _conduct(codes, tempi, ticks), int(ticks[-1]))]
    for stem, voices in STEMS.items():
        # Each stem is performed by itself and kept as bytes: the messages of a long film would take more memory than
        # all else that grows with it.
        played = _play((tone for tone in perform(codes, palette) if tone.fresh and tone.note.voice in voices), ticks)
        if (first := next(played, None)) is not None:
            tracks.append(_track(stem, chain([first], played), int(ticks[-1])))
    try:
        Path(path).write_bytes(b"".join([_HEADER.pack(b"MThd", 6, 1, len(tracks), TICKS_PER_QUARTER), *tracks]))
    except OSError as error:
        raise InputError(f"{path}: cannot write MIDI: {error.strerror or error}; choose another place") from error


def _read_tempi(codes: NDArray[np.int16]) -> NDArray[np.int64]:
    """Frames per sixteenth in force at each frame: `[T]`; before the first pulse, that pulse's own."""
    said = [score_codes.read_pulse(int(code)) for code in codes[score_codes.PULSE]]
    current = next((pulse[0] for pulse in said if pulse is not None), _FIRST_TEMPO)
    tempi = np.empty(len(said), dtype=np.int64)
    for frame, pulse in enumerate(said):
        current = current if pulse is None else pulse[0]
        tempi[frame] = current
    return tempi


def _conduct(codes: NDArray[np.int16], tempi: NDArray[np.int64], ticks: NDArray[np.int64]) -> Iterable[_Event]:
    changes = np.flatnonzero(np.diff(tempi, prepend=0))
    for frame in changes.tolist():
        tempo = int(tempi[frame]) * MICROSECONDS_PER_SIXTEENTH_FRAME
        yield int(ticks[frame]), 0, _bytes(mido.MetaMessage("set_tempo", tempo=tempo))
    pulses = ((frame, score_codes.read_pulse(code)) for frame, code in enumerate(codes[score_codes.PULSE].tolist()))
    bars = [frame for frame, pulse in pulses if pulse is not None and pulse[1] == 0]
    before = None
    for frame, following in pairwise(bars):
        signature = _SIGNATURES.get(int(ticks[following] - ticks[frame]))
        if signature is not None and signature != before:
            upper, lower = signature
            yield int(ticks[frame]), 1, _bytes(mido.MetaMessage("time_signature", numerator=upper, denominator=lower))
            before = signature


def _play(tones: Iterable[Tone], ticks: NDArray[np.int64]) -> Iterator[_Event]:
    programs: dict[int, int] = {}
    for tone in tones:
        channel, voice, program = _channel(tone), tone.note.voice, tone.sound.program
        if programs.get(channel) != program:
            # A channel's first program is there from the beginning, another one from its first note on.
            tick = int(ticks[tone.note.start]) if channel in programs else 0
            yield tick, 0, _bytes(mido.Message("program_change", channel=channel, program=program))
        if channel not in programs:
            balance, pan = round(127 * 10 ** (VOICE_BALANCE_DB[voice] / 40)), round(64 + 63 * PAN[voice])
            yield 0, 1, _bytes(mido.Message("control_change", channel=channel, control=7, value=balance))
            yield 0, 1, _bytes(mido.Message("control_change", channel=channel, control=10, value=pan))
        programs[channel] = program
        key = {"channel": channel, "note": tone.pitch}
        yield int(ticks[tone.note.start]), 3, _bytes(mido.Message("note_on", velocity=tone.velocity, **key))
        yield int(ticks[_stop_frame(tone, len(ticks) - 1)]), 2, _bytes(mido.Message("note_off", **key))


def _channel(tone: Tone) -> int:
    if tone.sound.drum:
        return _KIT_CHANNEL
    if tone.note.voice in DRUMS:
        return _TIMPANI_CHANNEL if tone.sound.program == 47 else _TAIKO_CHANNEL
    return _CHANNELS[tone.note.voice]


def _stop_frame(tone: Tone, frames: int) -> int:
    """Percussion is struck, not held: its note ends soon, so that no two of a key overlap."""
    if tone.note.voice not in DRUMS:
        return tone.note.stop
    return min(tone.note.start + 1, frames)


def _track(name: str, events: Iterable[_Event], end: int) -> bytes:
    """Events by tick, then rank (settings, ends, onsets), as a track's chunk that lasts to the end of the piece."""
    parts = [_delta(0), _bytes(mido.MetaMessage("track_name", name=name))]
    now, status = 0, 0xFF
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        # Running status: a channel's message of the same kind as the one before leaves its first byte out.
        running = message[0] == status < 0xF0
        parts += _delta(tick - now), message[1:] if running else message
        now, status = tick, message[0]
    parts += _delta(end - now), _bytes(mido.MetaMessage("end_of_track"))
    data = b"".join(parts)
    return b"MTrk" + len(data).to_bytes(4, "big") + data


def _bytes(message: mido.Message | mido.MetaMessage) -> bytes:
    return bytes(message.bytes())


def _delta(ticks: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last have their top bit set."""
    parts = [ticks & 0x7F]
    while ticks := ticks >> 7:
        parts.append(0x80 | ticks & 0x7F)
    return bytes(reversed(parts))
