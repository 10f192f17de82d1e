"""The composer writes the score's grammar, follows any curve, and makes music rather than notes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.data.shards import ShardSet
from narrascore.lexicon import STYLES, vocabulary
from narrascore.synthesis import score_codes as score
from recipes.embedded import compose, patterns, rules
from recipes.embedded.captions import write_captions
from recipes.embedded.composer import Piece, compose_piece
from recipes.embedded.curves import draw_curve
from recipes.embedded.styles import WRITING
from recipes.embedded.theory import MODES, chord_on, tones_of, voice_chord

BRIGHT, DARK = (4, 9, 11), (3, 8, 10)


def flat(valence: float, arousal: float, seconds: int = 40) -> AffectCurve:
    return AffectCurve(np.tile(np.array([valence, arousal], dtype=np.float32), (seconds, 1)))


def step_curve(before: tuple[float, float], after: tuple[float, float], seconds: int = 40) -> AffectCurve:
    half = seconds // 2
    return AffectCurve(np.array([before] * half + [after] * half, dtype=np.float32))


def pulses(codes: NDArray[np.int16]) -> list[tuple[int, tuple[int, int, int]]]:
    found = ((frame, score.read_pulse(int(code))) for frame, code in enumerate(codes[score.PULSE]))
    return [(frame, pulse) for frame, pulse in found if pulse is not None]


def loudness_per_frame(codes: NDArray[np.int16]) -> NDArray[np.float64]:
    level, levels = 0, []
    for code in codes[score.DYNAMICS]:
        read = score.read_dynamics(int(code))
        level = level if read is None else read
        levels.append(level)
    return np.array(levels, dtype=np.float64)


def per_second(piece: Piece) -> dict[str, NDArray[np.float64]]:
    """Loudness, onsets and brightness (share of E, A, B less that of E flat, A flat, B flat), smoothed over 3 s."""
    seconds = piece.codes.shape[1] // 25
    onsets, bright, count = (np.zeros(seconds) for _ in range(3))
    for note in score.read_notes(piece.codes):
        if note.start // 25 < seconds:
            onsets[note.start // 25] += 1
        if note.voice in score.PITCHED:
            tone = note.pitch % 12
            for second in range(note.start // 25, min(seconds, (note.stop - 1) // 25 + 1)):
                bright[second] += (tone in BRIGHT) - (tone in DARK)
                count[second] += 1
    loud = loudness_per_frame(piece.codes)[: seconds * 25].reshape(seconds, 25).mean(axis=1)
    return {"loudness": loud, "onsets": smooth(onsets), "mode": smooth(bright) / np.maximum(smooth(count), 1e-9)}


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.convolve(np.pad(values, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")


def test_every_style_of_the_lexicon_is_written_and_no_other() -> None:
    assert set(WRITING) == set(STYLES) == set(patterns.PERCUSSION) == set(patterns.FILLS)


@pytest.mark.parametrize("style", WRITING)
def test_every_pattern_fills_its_bar_with_known_strokes(style: str) -> None:
    sixteenths = WRITING[style].sixteenths
    inner = patterns.INNER_3 if sixteenths == 12 else patterns.INNER_4
    bass = patterns.BASS_3 if sixteenths == 12 else patterns.BASS_4
    rows = [row for level in WRITING[style].inner for name in level for row in inner[name]]
    rows += [bass[name] for level in WRITING[style].bass for name in level]
    strokes = [*(pattern for tier in patterns.PERCUSSION[style] for pattern in tier), patterns.FILLS[style]]
    rows += [row for pattern in strokes for row in pattern.values()]
    assert {len(row) for row in rows} == {sixteenths}
    assert {name for pattern in strokes for name in pattern} <= set(score.DRUM_KINDS)


@pytest.mark.parametrize("style", WRITING)
def test_codes_are_the_score_grammar(style: str) -> None:
    piece = compose_piece(draw_curve(3, 30), style, 1, 29.98)
    assert piece.codes.shape == (score.CODEBOOKS, 750) and piece.codes.dtype == np.int16
    assert piece.codes.min() >= 0 and piece.codes.max() < score.TABLE_SIZE
    beats = pulses(piece.codes)
    assert beats[0][0] == 0 and score.read_dynamics(int(piece.codes[score.DYNAMICS, 0])) is not None
    for (frame, (tempo, step, _)), (later, (_, next_step, _)) in pairwise(beats):
        assert later - frame == tempo
        assert next_step == (step + 1) % WRITING[style].sixteenths
    bars = [(frame, place) for frame, (_, step, place) in beats if step == 0]
    assert [place for _, place in bars] == [index % 4 for index in range(len(bars))]
    assert all(score.read_chord(int(piece.codes[score.HARMONY, frame])) for frame, _ in bars)
    again = score.empty_score(750)
    score.write_notes(again, score.read_notes(piece.codes))
    assert np.array_equal(again[score.BASS :], piece.codes[score.BASS :])


def test_tempo_changes_only_at_bar_lines() -> None:
    piece = compose_piece(step_curve((0, -0.9), (0, 0.9)), "drama", 2, 40)
    tempi = [(step, tempo) for _, (tempo, step, _) in pulses(piece.codes)]
    changes = [step for (_, before), (step, tempo) in pairwise(tempi) if tempo != before]
    assert changes and set(changes) == {0}


def test_same_seed_same_piece_other_seed_other_piece() -> None:
    curve = draw_curve(8, 30)
    codes = [compose_piece(curve, "folk", seed, 30).codes for seed in (4, 4, 5)]
    assert np.array_equal(codes[0], codes[1]) and not np.array_equal(codes[0], codes[2])


def test_the_future_does_not_change_the_past() -> None:
    early, late = flat(0.2, 0.1, 60), step_curve((0.2, 0.1), (-0.9, 0.9), 60)
    first, second = (compose_piece(curve, "noir", 3, 60).codes for curve in (early, late))
    assert np.array_equal(first[:, : 25 * 24], second[:, : 25 * 24])


@pytest.mark.parametrize("style", WRITING)
def test_arousal_drives_loudness_tempo_and_onsets(style: str) -> None:
    calm, excited = (compose_piece(flat(0.1, arousal), style, 5, 40) for arousal in (-0.8, 0.8))
    assert loudness_per_frame(excited.codes).mean() - loudness_per_frame(calm.codes).mean() > 8
    assert pulses(calm.codes)[0][1][0] == 6 and pulses(excited.codes)[0][1][0] == 2
    rates = [len(score.read_notes(piece.codes)) / 40 for piece in (calm, excited)]
    assert 0.8 <= rates[0] <= 3 and 9 <= rates[1] <= 18
    assert not any(note.voice in score.DRUMS for note in score.read_notes(calm.codes))


@pytest.mark.parametrize("style", WRITING)
def test_valence_drives_mode(style: str) -> None:
    dark, bright = (per_second(compose_piece(flat(valence, 0.0), style, 6, 40))["mode"] for valence in (-0.8, 0.8))
    assert bright.mean() > 0.2 and dark.mean() < -0.15


def test_held_out_curves_are_followed_within_a_piece() -> None:
    found: dict[str, list[float]] = {"loudness": [], "onsets": [], "mode": []}
    for index in range(12):
        curve = draw_curve((999, index), 60)
        heard = per_second(compose_piece(curve, list(WRITING)[index], index, 60))
        for name, values in heard.items():
            asked = curve.valence if name == "mode" else curve.arousal
            if asked.std() > 0.12:
                found[name].append(float(np.corrcoef(asked, values)[0, 1]))
    assert np.mean(found["loudness"]) > 0.85 and np.mean(found["onsets"]) > 0.7 and np.mean(found["mode"]) > 0.5


def test_notes_keep_to_their_mode() -> None:
    piece = compose_piece(flat(0.9, 0.2), "folk", 7, 40)
    scale = set(MODES["ionian"])
    assert {note.pitch % 12 for note in score.read_notes(piece.codes) if note.voice in score.PITCHED} <= scale


def test_a_theme_returns_note_for_note_in_steady_emotion() -> None:
    piece = compose_piece(flat(0.7, 0.0, 90), "folk", 11, 90)
    forms = [(reason.frame, reason.text) for reason in piece.why if reason.rule == "form"]
    starts = [frame for frame, text in forms if text.startswith("phrase A") and "bar 1 " in text]
    bar = forms[1][0]
    melodies = [
        [
            (note.start - start, note.pitch)
            for note in score.read_notes(piece.codes)
            if note.voice == score.MELODY and start <= note.start < start + bar
        ]
        for start in starts
        if start + bar <= piece.codes.shape[1]
    ]
    rhythms = [[at for at, _ in melody] for melody in melodies]
    assert len(rhythms) >= 3 and all(rhythm == rhythms[0] for rhythm in rhythms)
    assert len({tuple(melody) for melody in melodies}) <= 2


def test_closing_phrases_end_on_the_tonic() -> None:
    piece = compose_piece(flat(0.7, 0.0, 90), "drama", 12, 90)
    ends = [r.frame for r in piece.why if r.rule == "form" and "!" in r.text and "bar 4" in r.text]
    notes = {(note.voice, note.start): note.pitch % 12 for note in score.read_notes(piece.codes)}
    assert ends and all(notes[score.BASS, frame] == 0 for frame in ends)
    assert all(notes[score.MELODY, frame] == 0 for frame in ends if (score.MELODY, frame) in notes)


@pytest.mark.parametrize("mode", MODES)
def test_chords_belong_to_their_mode_and_inner_voices_never_cross(mode: str) -> None:
    voicing = (55, 60, 64)
    for name in ("triad", "seventh", "open", "tense"):
        for degree in range(1, 8):
            chord = chord_on(mode, degree, name)
            if mode != "harmonic minor":
                assert tones_of(chord) <= set(MODES[mode])
            after = voice_chord(chord, voicing, 60)
            assert after[0] < after[1] < after[2]
            assert {pitch % 12 for pitch in after} <= tones_of(chord)
            assert max(abs(a - b) for a, b in zip(after, voicing, strict=True)) <= 9
            voicing = after


def test_borders_are_sticky_but_not_deaf() -> None:
    assert rules.tempo(0.26, 0.0, 4) == 4 and rules.tempo(0.26, 0.0, None) == 3 and rules.tempo(0.31, 0.0, 4) == 3
    assert [rules.loudness(arousal, 0, False) for arousal in (-1, 0, 1)] == [1, 8, 14]


def test_every_bar_says_why() -> None:
    piece = compose_piece(draw_curve(1, 30), "epic", 1, 30)
    bars = [frame for frame, (_, step, _) in pulses(piece.codes) if step == 0]
    for rule in ("form", "tempo", "density", "mode", "harmony", "inner", "bass"):
        assert [reason.frame for reason in piece.why if reason.rule == rule] == bars


def test_curves_cover_the_plane_evenly_and_move() -> None:
    values = np.concatenate([draw_curve(seed, 80).values for seed in range(300)])
    counts, _, _ = np.histogram2d(values[:, 0], values[:, 1], bins=4, range=[[-1, 1]] * 2)
    assert counts.min() > 0.6 * counts.mean() and counts.max() < 1.5 * counts.mean()
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.1


def test_captions_are_made_of_words_the_model_knows() -> None:
    known = set(vocabulary())
    for seed, style in enumerate(WRITING):
        captions = write_captions(draw_curve(seed, 60), style, seed)
        assert len(set(captions)) == 3
        assert captions[0].startswith(f"{STYLES[style].phrase}, with ")
        assert {word for caption in captions for word in caption.replace(",", "").split()} <= known


def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown style"):
        compose_piece(flat(0, 0), "polka", 0, 10)
    with pytest.raises(ValueError, match="duration_seconds"):
        compose_piece(flat(0, 0), "folk", 0, 0)


def test_corpus_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "SHORTEST_SECONDS", 4)
    monkeypatch.setattr(compose, "LONGEST_SECONDS", 6)
    counts = {"train": 70, "validation": 2, "test": 2}
    for split, number in (("train", 0), ("train", 1), ("validation", 0)):
        compose._write_shard(tmp_path, 0, counts, (split, number))
    train, held_out = ShardSet.open(tmp_path, "train"), ShardSet.open(tmp_path, "validation")
    assert len(train) == 70 and len({item.id for item in train}) == 70
    again = compose.compose_item("train", 65, 0)
    assert np.array_equal(train[65].codes, again.codes) and not train.damaged()
    assert not np.array_equal(train[0].curve, held_out[0].curve)
