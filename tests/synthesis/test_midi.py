"""MIDI: every note at its frame's time, tempo and bars as the pulse says, the same bytes twice."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.errors import InputError
from narrascore.lexicon import STYLES
from narrascore.synthesis.midi import write_midi
from narrascore.synthesis.palette import Palette, PaletteTurns
from narrascore.synthesis.score_codes import CODEBOOKS, DRUMS, MELODY, TABLE_SIZE, empty_score, read_notes
from tests.synthesis.score_material import write_piece

PALETTE = Palette(dict(STYLES["drama"].palette), key_semitones=3)


def onsets(file: mido.MidiFile, track: mido.MidiTrack) -> list[tuple[float, int]]:
    """(seconds, key) of each note, with the tempo map of the first track."""
    tempi = []
    tick = 0
    for message in file.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            tempi.append((tick, message.tempo))

    def seconds(at: int) -> float:
        total = 0.0
        for i, (start, tempo) in enumerate(tempi):
            stop = tempi[i + 1][0] if i + 1 < len(tempi) else at
            total += max(0, min(at, stop) - start) * tempo / file.ticks_per_beat / 1e6
        return total

    tick, found = 0, []
    for message in track:
        tick += message.time
        if message.type == "note_on":
            found.append((seconds(tick), message.note))
    return sorted(found)


def all_onsets(path: Path) -> list[float]:
    file = mido.MidiFile(path)
    return sorted(time for track in file.tracks[1:] for time, _ in onsets(file, track))


def changing_tempo() -> NDArray[np.int16]:
    sections = ((4, 16), (6, 12), (2, 16), (5, 16), (3, 12))
    parts = [write_piece(2, frames_per_sixteenth=n, sixteenths=bar) for n, bar in sections]
    return np.concatenate(parts, axis=1)


def test_tempo_is_exact_and_changes_at_bar_lines(tmp_path: Path) -> None:
    write_midi(changing_tempo(), PALETTE, tmp_path / "a.mid")
    conductor = mido.MidiFile(tmp_path / "a.mid").tracks[0]
    tempi = [message.tempo for message in conductor if message.type == "set_tempo"]
    assert tempi == [n * 160_000 for n in (4, 6, 2, 5, 3)]
    ticks = np.cumsum([message.time for message in conductor])
    at = [int(tick) for tick, message in zip(ticks, conductor, strict=True) if message.type == "set_tempo"]
    assert at == [0, 3840, 3840 + 2880, 2 * 3840 + 2880, 3 * 3840 + 2880]
    bars = [(m.numerator, m.denominator) for m in conductor if m.type == "time_signature"]
    assert bars == [(4, 4), (3, 4), (4, 4), (3, 4)]


def test_every_onset_is_at_its_frames_time(tmp_path: Path) -> None:
    codes = changing_tempo()
    write_midi(codes, PALETTE, tmp_path / "a.mid")
    expected = [note.start / 25 for note in read_notes(codes)]
    assert np.abs(np.array(all_onsets(tmp_path / "a.mid")) - expected).max() < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_times_stay_exact_when_the_pulse_is_nonsense(seed: int, tmp_path: Path) -> None:
    codes = np.random.default_rng(seed).integers(0, TABLE_SIZE, (CODEBOOKS, 200)).astype(np.int16)
    write_midi(codes, PALETTE, tmp_path / "a.mid")
    expected = sorted(note.start / 25 for note in read_notes(codes))
    assert np.abs(np.array(all_onsets(tmp_path / "a.mid")) - expected).max() < 1e-6
    assert abs(mido.MidiFile(tmp_path / "a.mid").length - 8.0) < 1e-6


def test_programs_and_key_are_the_palettes(tmp_path: Path) -> None:
    codes = write_piece(2)
    write_midi(codes, PALETTE, tmp_path / "a.mid")
    file = mido.MidiFile(tmp_path / "a.mid")
    assert [track.name for track in file.tracks] == ["score", "melody", "counter", "harmony", "bass", "percussion"]
    programs = {track.name: {m.program for m in track if m.type == "program_change"} for track in file.tracks}
    assert programs["melody"] == {68} and programs["harmony"] == {48} and programs["percussion"] == {48}
    melody = [key for _, key in onsets(file, file.tracks[1])]
    assert melody == [note.pitch + 3 for note in read_notes(codes) if note.voice == MELODY]
    channels = {m.channel for m in file.tracks[5] if m.type == "note_on"}
    assert channels == {9} and any(note.voice in DRUMS for note in read_notes(codes))


def test_the_same_score_gives_the_same_bytes(tmp_path: Path) -> None:
    write_midi(write_piece(2), PALETTE, tmp_path / "a.mid")
    write_midi(write_piece(2), PALETTE, tmp_path / "b.mid")
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_an_empty_score_and_a_bad_path(tmp_path: Path) -> None:
    write_midi(empty_score(0), PALETTE, tmp_path / "empty.mid")
    assert mido.MidiFile(tmp_path / "empty.mid").length == 0
    with pytest.raises(InputError, match="cannot write MIDI"):
        write_midi(empty_score(10), PALETTE, tmp_path / "no" / "such.mid")


def test_another_palette_is_a_program_change_at_its_first_note(tmp_path: Path) -> None:
    other = Palette({**PALETTE.instruments, "melody": "flute"}, PALETTE.key_semitones)
    codes = write_piece(2, frames_per_sixteenth=4)
    border = codes.shape[1] // 2
    write_midi(codes, PaletteTurns(PALETTE, (0, border), (PALETTE, other)), tmp_path / "a.mid")
    file = mido.MidiFile(tmp_path / "a.mid")
    tracks = {track.name: track for track in file.tracks}
    programs, tick = [], 0
    for message in tracks["melody"]:
        tick += message.time
        if message.type == "program_change":
            programs.append((tick, message.program))
    first = min(note.start for note in read_notes(codes) if note.voice == MELODY and note.start >= border)
    ticks_per_frame = file.ticks_per_beat // 16
    assert programs == [(0, PALETTE.program("melody")), (first * ticks_per_frame, other.program("melody"))]
    harmony = [message for message in tracks["harmony"] if message.type == "program_change"]
    assert len(harmony) == 3, "its instruments are the same in both"
