"""Tables, figure and listening test on a tiny real system, the composer, and a folder of another system's music."""

import base64
import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.data.shards import ShardItem, ShardSet, write_shards
from narrascore.errors import InputError, UsageError
from narrascore.evaluation.cells import Cell, Missing, cells_to_table
from narrascore.evaluation.curves import evaluation_curves
from narrascore.evaluation.figure4 import run_figure4
from narrascore.evaluation.intervals import Estimate
from narrascore.evaluation.listening import KEY_FILE, PAGE_FILE, SCALES, run_listening
from narrascore.evaluation.measured import OTHERS, split_by_length
from narrascore.evaluation.music import find_composer
from narrascore.evaluation.pieces import LONG_SECONDS, Piece, find_pieces
from narrascore.evaluation.ratings import mean_rating, read_ratings, run_ratings
from narrascore.evaluation.results import write_results
from narrascore.evaluation.table1 import ANCHOR_ONLY, BASELINES, COMPOSER_ROW, CURVE_ONLY, NEITHER, Films, run_table1
from narrascore.evaluation.table4 import BACKBONES, run_table4
from narrascore.media.audio import measure_loudness
from narrascore.media.song import read_song
from narrascore.pipeline import Pipeline
from narrascore.synthesis.musicgen import FrozenMusicGen
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen

FILMS = Films(n=2, duration_seconds=(8, 9), long_n=0)
RATE_HZ = 16_000


def follow_the_curve(folder: Path, curves) -> Path:
    """Another system's music: a tone as loud as the curve is excited."""
    folder.mkdir(parents=True, exist_ok=True)
    for asked in curves:
        time = np.arange(asked.duration_seconds * RATE_HZ) / RATE_HZ
        loud = 10 ** (asked.curve.at(time)[:, 1].astype(float) * 0.8 - 1)
        soundfile.write(folder / f"{asked.name}.flac", loud * np.sin(2 * np.pi * 440 * time), RATE_HZ)
    return folder


def held_out(composer):
    for asked in evaluation_curves(3, 1, (12, 13)):
        codes = composer(asked.curve, asked.style, asked.seed, asked.duration_seconds).codes
        yield ShardItem(f"held-{asked.name}", codes, asked.curve.values, f"{asked.anchor.sentence}\nanother", "test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    music = tiny_score_musicgen(folder / "music", window_seconds=6.0, prompt_seconds=2.0)
    open_adapter(FrozenMusicGen.from_pretrained(music)).save(music, {})
    pipeline = Pipeline.from_pretrained(music)
    other = follow_the_curve(folder / "other", FILMS.curves())
    composer = find_composer(Path(__file__).parents[2])
    write_shards(folder / "corpus", held_out(composer))
    corpus = ShardSet.open(folder / "corpus", "test")
    systems, text = run_table1(pipeline, composer, folder / "out", films=FILMS, corpus=corpus,
                               generated={"Other": other}, command="evaluate experiment=table1")  # fmt: skip
    return pipeline, folder, systems, text


def test_table1_has_every_row_and_a_dash_with_its_command_where_nothing_is_at_hand(bench):
    _, folder, systems, text = bench
    own = next(iter(systems))
    assert list(systems)[1:4] == [ANCHOR_ONLY, CURVE_ONLY, NEITHER]
    assert set(systems) == {own, ANCHOR_ONLY, CURVE_ONLY, NEITHER, COMPOSER_ROW, "held-out corpus", "Other", *BASELINES}
    assert own != "NarraScore"  # the paper's name is for the paper's weights
    everything = json.loads((folder / "out" / "table1.json").read_text(encoding="utf-8"))
    records = {(r["system"], r["metric"], r["measure"]): r for r in everything["records"]}
    assert records["Other", "arousal-loudness", "pearson"]["value"] > 0.99
    assert records["Other", "arousal-dynamics", "pearson"]["value"] is None
    assert records["VidMuse", "arousal-loudness", "pearson"]["missing"].endswith("--generated VidMuse=FOLDER`")
    assert records[COMPOSER_ROW, "arousal-dynamics", "pearson"]["n"] == 2
    assert records["held-out corpus", "arousal-dynamics", "pearson"]["n"] == 2  # as many as there are films
    assert {len(piece.curve) for piece in systems["held-out corpus"]} == {9}  # and no longer
    assert (OTHERS, "arousal-loudness", "spearman") in records
    assert "--generated VidMuse=FOLDER" in text and "evaluate experiment=table1" in text
    with (folder / "out" / "table1.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(everything["records"])


def test_rows_of_one_system_differ_by_their_flags_alone(bench):
    _, folder, systems, _ = bench
    own, *others = (systems[name] for name in (next(iter(systems)), ANCHOR_ONLY, CURVE_ONLY, NEITHER))
    for row in others:
        assert not any(np.array_equal(one.codes, other.codes) for one, other in zip(own, row, strict=True))
    assert [piece.sentence for piece in systems[NEITHER]] == ["", ""]
    assert (folder / "out" / "curves" / "curve-00.csv").read_text("utf-8") == own[0].curve.to_csv()


def test_table4_uses_the_music_that_is_there_and_names_what_is_not(bench):
    pipeline, folder, _, _ = bench
    made = {path: path.stat().st_mtime_ns for path in (folder / "out" / "codes").rglob("*.safetensors")}
    own = next(iter(bench[2]))
    half = open_adapter(pipeline.musicgen, blocks=(0, 1))
    systems, text = run_table4(pipeline, folder / "out", films=FILMS, adapters={"blocks_50": half})
    assert {path: path.stat().st_mtime_ns for path in made} == made
    steered, fifty = systems[own], systems[f"{own} 50% blocks"]
    assert not any(np.array_equal(a.codes, b.codes) for a, b in zip(steered, fifty, strict=True))
    assert isinstance(systems[f"{own} 100% blocks"], Missing)
    assert "ablation=blocks_100" in text and "ablation=blocks_50" not in text
    assert all(isinstance(systems[name], Missing) for name in (*BACKBONES, "NarraScore"))
    assert "anchor.reader=api ablation=without_nar" in text
    with pytest.raises(UsageError, match="the row is of"):  # no stand-in under the ablation's name
        run_table4(pipeline, folder / "out", films=FILMS, adapters={"blocks_100": half})


def test_jobs_of_score_are_found_with_their_own_curves(tmp_path):
    job = tmp_path / "film.narrascore"
    job.mkdir()
    soundfile.write(job / "music.wav", np.zeros(3 * RATE_HZ), RATE_HZ)
    curve = AffectCurve(np.array([[0, 0], [0.5, 0.5], [0, 1]]))
    (job / "curve.csv").write_text(curve.to_csv(), encoding="utf-8")
    (job / "anchor.json").write_text(MusicalAnchor(prompt="slow strings").to_json(), encoding="utf-8")
    [piece] = find_pieces("Gemini2.5pro", tmp_path, FILMS.curves())
    assert (piece.name, piece.curve, piece.sentence, piece.codes) == ("film", curve, "slow strings", None)
    with pytest.raises(InputError, match="neither music named after the curves"):
        find_pieces("Other", job, FILMS.curves())
    with pytest.raises(InputError, match="no such folder"):
        find_pieces("Other", tmp_path / "none", FILMS.curves())


def test_long_films_stand_apart(tmp_path):
    def piece(seconds):
        return Piece(f"{seconds}", AffectCurve(np.zeros((seconds, 2))), "", tmp_path / "none.wav")

    short, long = piece(LONG_SECONDS - 1), piece(LONG_SECONDS)
    apart = split_by_length({"both": [long, short], "one": [short], "none": Missing("not made")})
    assert [rows["both"] for rows in apart.values()] == [[short], [long]]
    first, second = apart.values()
    assert first["one"] == [short] and isinstance(second["one"], Missing)
    assert len(split_by_length({"one": [short]})) == 1
    with pytest.raises(UsageError, match="are long"):
        Films(duration_seconds=(60, LONG_SECONDS))


def test_a_dash_is_numbered_and_explained_once():
    cells = [
        Cell("a", "x", Estimate(0.5, 0.4, 0.6, 9)), Cell("b", "x", Missing("not made", "make b")),
        Cell("b", "y", Missing("not made", "make b")), Cell("c", "y", Missing("no notes")),
    ]  # fmt: skip
    table = cells_to_table("T", cells, "Means.")
    assert table.columns == ["system", "x", "y"]
    assert table.rows == [["a", "0.50 [0.40, 0.60]", "-"], ["b", "- (1)", "- (1)"], ["c", "-", "- (2)"]]
    assert table.note == "Means.\n\n(1) not made: `make b`.\n\n(2) no notes."


def test_figure4_is_drawn_twice_to_the_same_bytes(bench, tmp_path):
    systems = bench[2]
    for folder in (tmp_path / "one", tmp_path / "two"):
        png, _ = run_figure4(systems, folder, film="curve-01")
        assert png.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one" / "figure4.svg").read_bytes() == (tmp_path / "two" / "figure4.svg").read_bytes()
    assert "Other" in (tmp_path / "one" / "figure4.svg").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="no system has music of that name"):
        run_figure4(systems, tmp_path, film="curve-99")


@pytest.fixture(scope="module")
def listening(bench):
    _, folder, systems, _ = bench
    systems = {name: row for name, row in systems.items() if name != "held-out corpus"}  # it has other films
    clips, _ = run_listening(systems, folder / "listening", n=2, clip_seconds=6, seed=3)
    return systems, folder / "listening", clips


def test_the_page_is_blind_whole_and_equally_loud(listening, tmp_path):
    systems, folder, clips = listening
    page = (folder / PAGE_FILE).read_text(encoding="utf-8")
    for name in systems:
        assert name not in page, name
    assert "curve-0" not in page
    for outside in ("http:", "https:", 'src="/', "import "):
        assert outside not in page
    assert page.count("data:audio/") == len(clips) == 2 * 6
    assert all(f'"{scale}"' in page for scale in SCALES)
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len({clip["asked"] for clip in data["clips"]}) == 2  # as many sentences as films, whatever the variant
    loudness = []
    for clip in data["clips"]:
        path = tmp_path / "clip.mp3"
        path.write_bytes(base64.b64decode(clip["sound"].split(",")[1]))
        blocks = list(read_song(path, 48_000, 2))
        loudness.append(measure_loudness(blocks, 48_000, "stereo").lufs)
        assert sum(block.shape[1] for block in blocks) == pytest.approx(6 * 48_000, abs=4000)
    assert max(loudness) - min(loudness) < 0.5


def answers_of(folder, listener, clips, rate):
    lines = ["listener,test,order,clip,scale,rating,played_seconds"]
    lines += [f"{listener},t,{i + 1},{clip.id},{scale},{rate(clip, scale)},6"
              for i, clip in enumerate(clips) for scale in SCALES]  # fmt: skip
    path = folder / f"answers-{listener}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_answers_become_means_with_intervals_and_counts(listening, tmp_path):
    _, folder, clips = listening
    answers_of(tmp_path, "ann", clips, lambda clip, scale: 5 if clip.system == "Other" else 2)
    answers_of(tmp_path, "ben", clips, lambda clip, scale: 4 if clip.system == "Other" else 2)
    ratings, text = run_ratings(tmp_path, folder / KEY_FILE, tmp_path / "out")
    other = [one for one in ratings if one.clip.system == "Other" and one.scale == "EDC"]
    mean = mean_rating(other, lambda one: one.listener)
    assert (mean.value, mean.low, mean.high, mean.n) == (4.5, 4.0, 5.0, 2)
    assert mean_rating(other, lambda one: one.clip.id).high == 4.5  # the clips agree
    assert "Table 3" in text and "Table 2" not in text  # no long film was heard
    row = next(line for line in text.splitlines() if line.startswith("| Other"))
    assert [part.strip() for part in row.split("|")[-4:-1]] == ["2", "2", "20"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ann,t,1,no such clip,EDC,3,6", "is not of the test"),
        ("ann,t,1,CLIP,XYZ,3,6", "a scale of EDC"),
        ("ann,t,1,CLIP,EDC,6,6", "a rating of 1 to 5"),
        (",t,1,CLIP,EDC,3,6", "not named"),
        ("ann,t,1,CLIP,EDC", "7 values wanted"),
        ("ann,t,1,CLIP,EDC,3,6\nann,t,1,CLIP,EDC,3,6", "has rated clip"),
        ("", "no ratings"),
    ],
)
def test_answers_that_cannot_be_used_are_refused_with_their_line(listening, tmp_path, line, said):
    _, folder, clips = listening
    path = tmp_path / "answers.csv"
    header = "listener,test,order,clip,scale,rating,played_seconds"
    path.write_text(f"{header}\n{line.replace('CLIP', clips[0].id)}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_ratings([path], folder / KEY_FILE)


def test_a_listening_test_of_one_system_is_refused(bench, tmp_path):
    systems = bench[2]
    with pytest.raises(UsageError, match="share none"):
        run_listening({"one": systems["Other"]}, tmp_path)
    renamed = [dataclasses.replace(piece, name="another") for piece in systems["Other"]]
    with pytest.raises(UsageError, match="share none"):
        run_listening({"one": systems["Other"], "two": renamed}, tmp_path)


def test_reports_are_joined_into_one_document(bench, tmp_path):
    _, folder, _, text = bench
    document = write_results(folder / "out", tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert document.startswith("# Results") and "- table1: `evaluate experiment=table1`" in document
    assert "\n## Table 1: systems\n" in document
    assert all(line in document for line in text.splitlines() if line.startswith("|"))
    with pytest.raises(InputError, match="no reports"):
        write_results(tmp_path / "docs", tmp_path / "other.md")
