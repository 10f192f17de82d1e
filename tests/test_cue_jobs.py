"""Jobs with cues: exact silence, only what changed composed anew, and what a kill in between leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from narrascore import AffectCurve, Cue, MusicalAnchor, Pipeline
from narrascore.composition import Composition
from narrascore.cues import CSV_COLUMNS
from narrascore.directions import parse_directions
from narrascore.errors import InputError, InterruptedJobError, UsageError
from narrascore.job import ScoreOptions, score_film
from narrascore.media.film import Film
from narrascore.rendering import write_music
from narrascore.spans import Span
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec
from tests.films import write_clip
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen
from tests.systems import tiny_pipeline

SECONDS, RATE_HZ = 4, 8000
TWO = "0.5,1.5,0.1,0.2\n2.5,4,0,0\n"
PLAIN = ScoreOptions(audio="music-only", prompt="calm strings")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", SECONDS, sound=False)


@pytest.fixture
def film(clip: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "a.mp4"
    copy.write_bytes(clip.read_bytes())
    return copy


def asked(folder: Path, rows: str) -> ScoreOptions:
    return replace(PLAIN, cues_path=table(folder / "asked.csv", rows))


def table(path: Path, rows: str) -> Path:
    path.write_text(",".join(CSV_COLUMNS) + "\n" + rows, encoding="utf-8")
    return path


def music(folder: Path) -> NDArray[np.int32]:
    samples: NDArray[np.int32] = soundfile.read(folder / "music.wav", dtype="int32", always_2d=True)[0][:, 0]
    return samples


def composition(folder: Path) -> Composition:
    kept = Composition.load(folder / "windows" / "codes.safetensors")
    assert kept is not None
    return kept


def manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return data


def silent_outside(sound: NDArray[np.int32], *heard: tuple[float, float]) -> bool:
    outside = np.ones(len(sound), dtype=bool)
    for start, stop in heard:
        inside = slice(round(start * RATE_HZ), round(stop * RATE_HZ))
        outside[inside] = False
        assert sound[inside].any()
    return not sound[outside].any()


def test_there_is_music_in_the_cues_and_not_one_sample_outside(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, asked(film.parent, TWO)).folder
    sound, rows = music(folder), manifest(folder)
    assert len(sound) == SECONDS * RATE_HZ and silent_outside(sound, (0.5, 1.5), (2.5, 4.0))
    assert [(row["in_seconds"], row["fade_out_seconds"]) for row in rows["cues"]] == [(0.5, 0.2), (2.5, 0.0)]
    # Each cue is a chain of its own, and nothing of the gaps is composed.
    assert [row["start_seconds"] for row in rows["windows"]] == [0.5, 0.9, 1.15, 1.4, 2.5, 2.9, 3.15, 3.4, 3.65, 3.9]
    assert [row["index"] for row in rows["windows"]] == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    codes = composition(folder).codes
    assert not codes[:, :50].any() and not codes[:, 150:250].any()
    assert (folder / "cues.csv").read_text(encoding="utf-8").splitlines()[1:] == ["0.5,1.5,0.1,0.2", "2.5,4,0,0"]


def test_without_cues_the_music_is_what_it_always_was(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, PLAIN).folder
    assert (folder / "cues.csv").read_text(encoding="utf-8").splitlines()[1:] == ["0,4,0,0"]
    curve, anchor = AffectCurve.from_csv(folder / "curve.csv"), MusicalAnchor(prompt="calm strings")
    codes = pipeline.compose(SECONDS, curve, anchor, seed=0, film_key=Film.open(film).key)
    assert torch.equal(composition(folder).codes, codes)
    blocks = pipeline.render(codes, anchor, SECONDS)  # no cues at all: one stream, decoded as it is
    plain = write_music(film.with_name("plain.wav"), blocks, pipeline.codec_for(anchor), SECONDS)
    assert plain.read_bytes() == (folder / "music.wav").read_bytes()
    assert score_film(pipeline, film, PLAIN).already_finished


def test_a_fade_is_heard_inside_its_cue(pipeline: Pipeline, film: Path) -> None:
    hard = music(score_film(pipeline, film, asked(film.parent, "1,3,0,0\n")).folder)
    result = score_film(pipeline, film, asked(film.parent, "1,3,0.5,1\n"))
    soft = music(result.folder)
    assert set(result.stage_seconds) == {"cues", "render", "figure"}  # nothing is composed for it
    at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    gain = np.sin(np.pi / 2 * np.clip((at - 1) / 0.5, 0, 1)) ** 2 * np.sin(np.pi / 2 * np.clip(3 - at, 0, 1)) ** 2
    assert np.abs(soft - gain * hard).max() <= 2**31 / 5000  # the last sample of a fade is a step nearer to nothing


def test_an_edited_table_composes_only_what_it_changes(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, asked(film.parent, TWO)).folder
    options, before = asked(film.parent, TWO), composition(folder).codes
    table(folder / "cues.csv", "0.5,1.5,0.1,0.2\n1.8,2.2,0,0\n2.5,3.5,0,0.1\n")
    result = score_film(pipeline, film, options)
    after = composition(folder)
    assert silent_outside(music(folder), (0.5, 1.5), (1.8, 2.2), (2.5, 3.5))
    assert torch.equal(after.current[:, :150], before[:, :150])
    # The last cue ends earlier now, so its last window's worth of music is another: an ending.
    assert torch.equal(after.current[:, 250:325], before[:, 250:325])
    assert not torch.equal(after.current[:, 325:350], before[:, 325:350])
    (edit,) = after.edits
    assert (edit["why"], edit["frames"]) == ("cues", [[180, 220], [325, 350]])
    assert manifest(folder)["made_from"]["cues.csv"]["source"] == "edited"
    assert result.version is not None and len(music(result.version)) == SECONDS * RATE_HZ
    assert score_film(pipeline, film, options).already_finished

    # Asked for something else, the job makes the table anew and keeps the edited one beside the old music.
    again = score_film(pipeline, film, PLAIN)
    assert again.version is not None and "1.8,2.2" in (again.version / "cues.csv").read_text(encoding="utf-8")
    assert composition(folder).cues == (Span(0, 400),)


@pytest.mark.slow
def test_a_hole_leaves_the_music_around_it(pipeline: Pipeline, film: Path) -> None:
    folder = score_film(pipeline, film, asked(film.parent, "0,4,0,0\n")).folder
    before = composition(folder).codes
    table(folder / "cues.csv", "0,1.5,0,0.2\n2.2,4,0.1,0\n")
    score_film(pipeline, film, asked(film.parent, "0,4,0,0\n"))
    after = composition(folder)
    assert silent_outside(music(folder), (0, 1.5), (2.2, 4))
    assert torch.equal(after.current[:, :125], before[:, :125])
    assert torch.equal(after.current[:, 220:], before[:, 220:])
    assert [edit["frames"] for edit in after.edits] == [[[125, 150]]]
    # And back: only the hole and the ending before it are composed, up to a join in the music behind it.
    table(folder / "cues.csv", "0,4,0,0\n")
    score_film(pipeline, film, asked(film.parent, "0,4,0,0\n"))
    healed = composition(folder)
    join = round(healed.edits[-1]["spans"][0]["join_seconds"] * 100)
    assert healed.edits[-1]["frames"] == [[125, 220]] and 220 <= join < 240
    assert torch.equal(healed.current[:, :125], before[:, :125])
    assert torch.equal(healed.current[:, join:], before[:, join:])
    assert music(folder)[round(1.6 * RATE_HZ) : round(2.1 * RATE_HZ)].any()


def test_a_killed_run_goes_on_to_the_same_bytes(pipeline: Pipeline, film: Path, tmp_path: Path) -> None:
    def kill_after(frames: int, film: Path, options: ScoreOptions) -> None:
        def kill(stage: str, done: float, total: float) -> None:
            if stage == "compose" and done > frames:
                raise KeyboardInterrupt

        with pytest.raises(InterruptedJobError):
            score_film(pipeline, film, options, progress=kill)

    options = asked(tmp_path, TWO)
    kill_after(130, film, options)
    first = film.with_name("a.narrascore") / "windows" / "cue-50" / "00000.safetensors"
    written = first.stat().st_mtime_ns
    folder = score_film(pipeline, film, options).folder
    assert first.stat().st_mtime_ns == written

    edited = "0.5,1.2,0,0\n1.8,2.2,0,0\n2.5,4,0,0\n"
    table(folder / "cues.csv", edited)
    kill_after(30, film, options)
    score_film(pipeline, film, options)

    (tmp_path / "whole").mkdir()
    copy = tmp_path / "whole" / "a.mp4"
    copy.write_bytes(film.read_bytes())
    whole = score_film(pipeline, copy, options).folder
    table(whole / "cues.csv", edited)
    score_film(pipeline, copy, options)
    for name in ("music.wav", "windows/codes.safetensors", "figure.png"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_redo_curve_and_part_keep_to_the_cues(pipeline: Pipeline, film: Path) -> None:
    options = asked(film.parent, TWO)
    folder = score_film(pipeline, film, options).folder
    before = composition(folder).codes
    # A span that reaches over the gap is drawn again in the cues alone.
    score_film(pipeline, film, replace(options, redo=((Fraction("1.3"), Fraction("2.6")),)))
    redone = composition(folder)
    assert redone.edits[-1]["frames"] == [[130, 150], [250, 260]]
    assert torch.equal(redone.current[:, :130], before[:, :130])
    assert silent_outside(music(folder), (0.5, 1.5), (2.5, 4.0))
    with pytest.raises(UsageError, match="without music"):
        score_film(pipeline, film, replace(options, redo=((Fraction(2), Fraction("2.4")),)))

    part = score_film(pipeline, film, replace(options, part=(Fraction(1), Fraction(3)))).folder
    sound = music(part)
    assert len(sound) == 2 * RATE_HZ and silent_outside(sound, (0, 0.5), (1.5, 2))
    rows = manifest(folder)["spans"][f"spans/{part.name}"]["windows"]
    assert min(row["start_seconds"] for row in rows) >= 0.5
    quiet = score_film(pipeline, film, replace(options, part=(Fraction("1.6"), Fraction("2.4")))).folder
    assert len(music(quiet)) == 0.8 * RATE_HZ and not music(quiet).any()

    # A curve that changes where there is no music and none looks at it changes nothing.
    curve = folder / "curve.csv"
    lines = curve.read_text(encoding="utf-8").splitlines()
    curve.write_text("\n".join([*lines[:-1], "3,0.9,0.9"]) + "\n", encoding="utf-8")
    kept = composition(folder).current
    score_film(pipeline, film, options)
    steered = composition(folder)
    assert torch.equal(steered.current[:, :150], kept[:, :150])
    assert steered.edits[-1]["why"] == "curve"
    assert all(start >= 250 for start, _ in steered.edits[-1]["frames"])


def test_music_off_cuts_a_hole_with_fades(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 10, sound=False, rate_hz=5)
    options = replace(PLAIN, at=parse_directions(["4-5 music=off"]))
    folder = score_film(pipeline, film, options).folder
    assert silent_outside(music(folder), (0, 4), (5, 10))
    assert (folder / "cues.csv").read_text(encoding="utf-8").splitlines()[1:] == ["0,4,0,2", "5,10,1,0"]
    for wish, said in (("0-10 music=off", "no music at all"), ("10-12 music=off", "behind the film's end at 10 s")):
        with pytest.raises(UsageError, match=said):
            score_film(pipeline, film, replace(PLAIN, at=parse_directions([wish])))


def test_what_cannot_be_done_with_cues_is_said(pipeline: Pipeline, film: Path) -> None:
    with pytest.raises(UsageError, match="ask for one of them"):
        score_film(pipeline, film, replace(asked(film.parent, TWO), spot="auto"))
    with pytest.raises(InputError, match=r"cues asked.csv, line 2: .* ends at 4 s"):
        score_film(pipeline, film, asked(film.parent, "1,9,0,0\n"))
    folder = score_film(pipeline, film, PLAIN).folder
    before = (folder / "music.wav").read_bytes()
    table(folder / "cues.csv", "1,2,0,0\n1.5,3,0,0\n")
    with pytest.raises(InputError, match=r"cues cues.csv, line 3: .* is over"):
        score_film(pipeline, film, PLAIN)
    assert (folder / "music.wav").read_bytes() == before


def test_hours_of_silence_come_in_pieces(pipeline: Pipeline) -> None:
    codec = pipeline.musicgen.codec
    blocks = pipeline.render(codec.silence(720_000), MusicalAnchor(prompt="calm"), 7200, cues=[Cue(7000, 7001, 0, 0)])
    sizes = [(block.shape[1], bool(block.any())) for block in blocks]
    assert sum(size for size, _ in sizes) == 7200 * RATE_HZ and max(sizes)[0] <= 10 * RATE_HZ
    assert [size for size, sounds in sizes if sounds] == [RATE_HZ]  # only the cue was decoded


def test_no_note_hangs_over_into_a_gap(tmp_path: Path) -> None:
    system = tiny_score_musicgen(tmp_path / "tiny", window_seconds=1.2, prompt_seconds=0.4)
    open_adapter(FrozenMusicGen.from_pretrained(system)).save(system, {})
    pipeline = Pipeline.from_pretrained(system)
    film = write_clip(tmp_path / "a.mp4", 6, sound=False)
    score = pipeline(film, prompt="calm strings", cues=[Cue(3.01, 4.99, 0.1, 0.1), Cue(0.5, 2.5, 0, 0)])
    folder, codec = score.save(tmp_path / "out"), pipeline.codec_for(score.anchor)
    assert score.cues is not None and [cue.in_seconds for cue in score.cues] == [Fraction(1, 2), Fraction(301, 100)]
    assert isinstance(codec, ScoreCodec)
    rests = codec.silence(13)
    assert torch.equal(score.codes[:, :13], rests) and torch.equal(score.codes[:, 62:75], rests)

    sound = soundfile.read(folder / "music.wav", dtype="int32", always_2d=True)[0]
    stems = [soundfile.read(path, dtype="int32", always_2d=True)[0] for path in score.write_stems(tmp_path / "stems")]
    for heard in (sound, *stems):
        for start, stop in ((0, 0.5), (2.5, 3.01), (4.99, 6)):
            assert not heard[round(start * 48_000) : round(stop * 48_000)].any()
    assert sound[24_000:120_000].any() and sum(stem.any() for stem in stems) > 2

    now, notes = 0.0, 0
    for message in mido.MidiFile(folder / "music.mid"):
        now += message.time
        if message.type in ("note_on", "note_off"):
            notes += 1
            assert any(start <= now + 1e-6 and now - 1e-6 <= stop for start, stop in ((0.5, 2.5), (3.01, 4.99)))
    assert notes > 20
