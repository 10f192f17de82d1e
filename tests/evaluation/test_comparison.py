"""Folders of music against a folder of music: cells that say how they came about, dashes that say how to fill them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file

from narrascore.affect import AffectCurve
from narrascore.errors import InputError
from narrascore.evaluation.clips import code_clips, pieces_in, sound_clips
from narrascore.evaluation.comparison import REFERENCE, Measurement, Missing, compare_systems
from narrascore.evaluation.embedders import LogMelStatistics, ScoreStatistics
from narrascore.evaluation.feature_store import embed_folder
from narrascore.evaluation.harness import PAPER_FEATURES, read_harness_cache
from narrascore.evaluation.intervals import Estimate
from narrascore.evaluation.listening_models import ClapEmbedding
from narrascore.evaluation.measured import SystemRow
from narrascore.evaluation.pieces import Piece
from narrascore.evaluation.row_distances import measure_distances
from narrascore.synthesis.score_codes import empty_score
from tests.synthesis.score_material import write_piece

RATE = 16_000


def noise_folder(folder: Path, *, pieces: int, seconds: float, slope: float, seed: int) -> Path:
    """Pieces of noise whose spectrum falls by `slope`; 0 is white."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for piece in range(pieces):
        samples = round(seconds * RATE)
        spectrum = np.fft.rfft(rng.normal(size=samples)) / np.arange(1, samples // 2 + 2) ** slope
        sound = np.fft.irfft(spectrum, samples)
        level = rng.uniform(0.05, 0.2)
        soundfile.write(folder / f"film {piece}.wav", level * sound / np.abs(sound).max(), RATE)
    return folder


class Counting(LogMelStatistics):
    """The real embedder, which tells how often it is asked."""

    def __init__(self) -> None:
        super().__init__(window_seconds=1.0)
        self.asked = 0

    def embed(self, clip: np.ndarray) -> np.ndarray:
        self.asked += 1
        return super().embed(clip)


def test_clips_are_whole_and_a_short_rest_is_left_out(tmp_path: Path) -> None:
    sound = np.arange(int(2.4 * RATE), dtype=np.float32) / (3 * RATE)
    soundfile.write(tmp_path / "a.flac", sound, RATE, subtype="PCM_24")
    clips = list(sound_clips(tmp_path / "a.flac", RATE, 1.0))
    assert [len(clip) for clip in clips] == [RATE, RATE]
    assert np.abs(np.concatenate(clips) - sound[: 2 * RATE]).max() < 1e-6
    assert [len(clip) for clip in sound_clips(tmp_path / "a.flac", RATE, 1.5)] == [1.5 * RATE, 0.9 * RATE]
    assert [len(clip) for clip in sound_clips(tmp_path / "a.flac", RATE, 60.0)] == [len(sound)]
    soundfile.write(tmp_path / "b.wav", sound[: RATE // 4], RATE)
    with pytest.raises(InputError, match="too short"):
        list(sound_clips(tmp_path / "b.wav", RATE))


def test_a_folder_s_pieces_have_names_without_suffix_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.wav", "sub/a.mp3", ".hidden.wav", "notes.txt"):
        (tmp_path / name).touch()
    assert [piece.name for piece in pieces_in(tmp_path, (".wav", ".mp3"))] == ["b", "sub/a"]
    (tmp_path / "b.mp3").touch()
    with pytest.raises(InputError, match="are one piece"):
        pieces_in(tmp_path, (".wav", ".mp3"))
    with pytest.raises(InputError, match="no such folder"):
        pieces_in(tmp_path / "absent", (".wav",))


def test_a_clip_is_heard_once_and_anew_where_its_file_was_cut_short(tmp_path: Path) -> None:
    folder = noise_folder(tmp_path / "music", pieces=2, seconds=3, slope=0, seed=0)
    embedder = Counting()
    first = embed_folder(embedder, folder, tmp_path / "cache")
    assert (first.values.shape, embedder.asked) == ((6, 128), 6)
    assert first.clips == [(f"film {piece}", place) for piece in range(2) for place in range(3)]
    (folder / "film 0.wav").rename(folder / "film 7.wav")
    kept = sorted((tmp_path / "cache").rglob("*.safetensors"))
    half, gone = kept[1], kept[4]
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])  # as a killed run on a poor disk leaves it
    gone.unlink()
    again = embed_folder(embedder, folder, tmp_path / "cache")
    assert embedder.asked == 8
    assert {clip[0] for clip in again.clips} == {"film 1", "film 7"}
    assert np.array_equal(np.sort(again.values, axis=0), np.sort(first.values, axis=0))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix == ".part"]


def test_log_mel_is_in_bel_and_hears_where_a_tone_lies() -> None:
    time = np.arange(RATE) / RATE
    embedder = LogMelStatistics()
    low, high = (embedder.embed((0.1 * np.sin(2 * np.pi * hz * time)).astype(np.float32)) for hz in (220, 3520))
    assert low[:64].argmax() < high[:64].argmax()
    noise = np.random.default_rng(0).normal(scale=0.01, size=RATE).astype(np.float32)
    assert embedder.embed(noise * np.float32(10**0.5))[:64] - embedder.embed(noise)[:64] == pytest.approx(1, abs=1e-3)


def test_score_statistics_read_the_notes(tmp_path: Path) -> None:
    busy = write_piece()[:, :500]
    save_file({"codes": np.ascontiguousarray(busy)}, tmp_path / "busy.safetensors")
    save_file({"codes": empty_score(300)}, tmp_path / "empty.safetensors")
    save_file({"weights": np.zeros((3, 3))}, tmp_path / "other.safetensors")
    embedder = ScoreStatistics()
    (empty,) = (embedder.embed(clip) for clip in code_clips(tmp_path / "empty.safetensors"))
    rows = [embedder.embed(clip) for clip in code_clips(tmp_path / "busy.safetensors")]
    assert empty.shape == (24,) and not empty[:14].any()
    assert all(row[:12].sum() == pytest.approx(1) and row[12] > 0 for row in rows)
    with pytest.raises(InputError, match="score codes are one tensor"):
        list(code_clips(tmp_path / "other.safetensors"))


def test_a_system_like_the_reference_lies_at_its_floor_and_another_far_above(tmp_path: Path) -> None:
    reference = noise_folder(tmp_path / "reference", pieces=8, seconds=4, slope=0, seed=1)
    systems = {
        "like": noise_folder(tmp_path / "like", pieces=8, seconds=4, slope=0, seed=2),
        "other": noise_folder(tmp_path / "other", pieces=8, seconds=4, slope=0.5, seed=3),
        "absent": tmp_path / "absent",
    }
    embedder = LogMelStatistics(window_seconds=1.0)
    make = {"absent": "peer --films films --to absent"}
    report = compare_systems(systems, reference, [embedder], tmp_path / "cache", draws=20, commands=make)
    assert report.systems == [REFERENCE, *systems]
    for metric in ("FD", "KAD"):
        floor, like, other = (report.at(name, metric, "log-mel").result for name in (REFERENCE, "like", "other"))
        assert isinstance(floor, Estimate) and isinstance(like, Estimate) and isinstance(other, Estimate)
        assert other.low > like.high and other.low > floor.high
        assert like.value < floor.value + (other.value - floor.value) / 10
    coverage = [report.at(name, "coverage", "log-mel").result for name in ("like", "other")]
    assert coverage[0].value > 0.5 > coverage[1].value == 0
    cell = report.at("like", "FD", "log-mel")
    assert (cell.result.n, cell.reference_n, cell.dimension, cell.sample_rate_hz) == (32, 32, 128, 16_000)
    assert cell.too_few and "*" in report.table().to_markdown()
    dash = report.at("absent", "FD", "log-mel").result
    assert isinstance(dash, Missing) and "no such folder" in dash.why and dash.command == make["absent"]
    records = report.records()
    assert len(records) == 4 * 5 and len({tuple(record) for record in records}) == 1
    again = compare_systems(systems, reference, [embedder], tmp_path / "cache", draws=20, commands=make)
    assert again.records() == records


def test_few_clips_are_flagged_and_enough_are_not() -> None:
    def cell(metric: str, n: int) -> Measurement:
        return Measurement("x", metric, "CLAP", Estimate(1.0, 0.5, 1.5, n), 2000, 512, 48_000, 10.0)

    assert cell("FD", 1023).too_few and not cell("FD", 1024).too_few
    assert not cell("KAD", 20).too_few


def test_one_piece_has_a_value_and_no_interval(tmp_path: Path) -> None:
    reference = noise_folder(tmp_path / "reference", pieces=2, seconds=6, slope=0, seed=4)
    one = noise_folder(tmp_path / "one", pieces=1, seconds=4, slope=0, seed=5)
    report = compare_systems({"one": one}, reference, [LogMelStatistics(1.0)], tmp_path / "cache", draws=5)
    result = report.at("one", "FD", "log-mel").result
    assert isinstance(result, Estimate) and math.isfinite(result.value) and math.isnan(result.low)
    few = report.at("one", "FD-infinity", "log-mel").result
    assert isinstance(few, Missing) and "8 clips" in few.why


def test_weights_that_are_not_at_hand_are_a_dash_and_the_command(tmp_path: Path) -> None:
    reference = noise_folder(tmp_path / "reference", pieces=2, seconds=2, slope=0, seed=6)
    absent = ClapEmbedding("someone/clap-that-is-nowhere")
    report = compare_systems({"mine": reference}, reference, [absent, *PAPER_FEATURES], tmp_path / "cache", draws=5)
    for column in report.columns:
        result = report.at("mine", *column).result
        assert isinstance(result, Missing)
    assert report.at("mine", "FD", "CLAP").result.command == "narrascore download someone/clap-that-is-nowhere"
    assert "evaluate.py --gt_audio" in report.at("mine", "KLD", "PANNs").result.command
    assert "extract_video.py" in report.at("mine", "similarity", "ImageBind").result.command
    assert "narrascore download" in report.table().note
    with pytest.raises(InputError, match="no such folder"):
        compare_systems({}, tmp_path / "nowhere", [absent], tmp_path / "cache")


def harness_folder(folder: Path, *, seed: int, n: int = 12, video: bool = False) -> Path:
    """A folder with the harness's caches, as its code writes them, and widths that keep the test quick."""
    (folder / "cache").mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    names = [f"film {i}" for i in range(n)]
    torch.save({name: draw(10, 4) for name in names}, folder / "cache" / "vggish_features.pth")
    torch.save({name: {"2048": draw(6), "logits": draw(5)} for name in names}, folder / "cache" / "pann_features.pth")
    sound = {name: draw(7) for name in names}
    torch.save(sound, folder / "cache" / "imagebind_audio.pth")
    if video:
        torch.save({name: 3 * sound[name] for name in names}, folder / "cache" / "imagebind_video.pth")
    return folder


def test_the_harness_s_caches_give_the_published_columns(tmp_path: Path) -> None:
    reference = harness_folder(tmp_path / "reference", seed=0, video=True)
    music = harness_folder(tmp_path / "music", seed=1)
    report = compare_systems({"mine": music}, reference, PAPER_FEATURES, tmp_path / "cache", draws=10)
    assert report.at("mine", "FD", "VGGish").result.n == 120
    assert report.at("mine", "FD", "PANNs").result.n == 12
    ours, theirs = (
        torch.load(folder / "cache" / "pann_features.pth", weights_only=True) for folder in (music, reference)
    )
    by_hand = [
        torch.nn.functional.kl_div(
            ours[name]["logits"].log_softmax(0), theirs[name]["logits"].log_softmax(0), reduction="sum", log_target=True
        )
        for name in ours
    ]
    assert report.at("mine", "KLD", "PANNs").result.value == pytest.approx(float(torch.stack(by_hand).mean()), rel=1e-5)
    assert report.at(REFERENCE, "KLD", "PANNs").result.value == 0
    assert report.at(REFERENCE, "similarity", "ImageBind").result.value == pytest.approx(1)
    assert report.at("mine", "similarity", "ImageBind").result.value < 0.6
    assert isinstance(report.at("mine", "FD", "PaSST").result, Missing)


def test_a_harness_cache_that_would_run_code_or_is_something_else_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"film": Bomb()}, tmp_path / "bomb.pth")
    torch.save({"film": torch.tensor([math.nan])}, tmp_path / "nan.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("hello")
    for name, message in (("bomb", "not a cache"), ("nan", "finite"), ("list", "dict"), ("text", "not a cache")):
        with pytest.raises(InputError, match=message):
            read_harness_cache(tmp_path / f"{name}.pth")
    assert not (tmp_path / "ran").exists()


def pieces_of(folder: Path, seconds: int) -> list[Piece]:
    curve = AffectCurve(np.zeros((seconds, 2), dtype=np.float32))
    return [Piece(path.stem, curve, "calm", path) for path in sorted(folder.glob("*.wav"))]


def test_a_table_s_rows_are_measured_where_their_music_lies(tmp_path: Path) -> None:
    """Same slope as the reference, another slope, no music, music all over the place; and long films apart."""
    made = {
        name: noise_folder(tmp_path / name, pieces=4, seconds=20, slope=slope, seed=seed)
        for seed, (name, slope) in enumerate({"reference": 0.0, "alike": 0.0, "other": 1.5}.items())
    }
    rows: dict[str, SystemRow] = {name: pieces_of(folder, 20) for name, folder in made.items()}
    rows |= {"absent": Missing("not made"), "scattered": [rows["alike"][0], rows["other"][0]]}  # type: ignore[index]
    rows["long"] = pieces_of(made["other"], 130)
    tables, records = measure_distances(rows, made["reference"], [LogMelStatistics()], tmp_path / "out")
    short, long = tables
    assert [row[0] for row in short.rows] == [REFERENCE, "alike", "other"]
    assert [row[0] for row in long.rows] == [REFERENCE, "long"]
    far = {(r["films"], r["system"]): r["value"] for r in records if r["metric"] == "KAD"}
    title = next(films for films, _ in far)
    assert far[title, "other"] > 3 * far[title, "alike"]
