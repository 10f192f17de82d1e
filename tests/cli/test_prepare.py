"""`narrascore prepare`: from a downloaded set to shards, and from these to an adapter and a film's music."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrascore.cli.config import compose_settings
from narrascore.cli.main import main
from narrascore.cli.prepare import FILMS_ONLY, MusicSetSettings, PrepareMusicSettings
from narrascore.data.music_splits import SUMMARY_FILE
from narrascore.data.shards import ShardSet
from tests.data.music_sets import arousal_at, write_deam, write_memo2496, write_pmemo
from tests.data.tiny_demucs import export_tiny_htdemucs
from tests.media.films import make_film
from tests.media.songs import melody, write_song
from tests.synthesis.taught_codec import tiny_taught_musicgen

MUSIC_SETS = ("deam", "folder", "memo2496", "pmemo")


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_taught_musicgen(tmp_path_factory.mktemp("musicgen"))
    card = {"name": "tiny", "licence": "none", "window_seconds": 0.4, "prompt_seconds": 0.15}
    (folder / "narrascore.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def prepare(root: Path, output: Path, musicgen: Path, *words: str) -> int:
    given = [f"data.root={root}", f"output={output}", f"music={musicgen}", "workers=1", "device=cpu"]
    return main(["prepare", *given, "--offline", *words])


def summary(folder: Path) -> dict[str, dict[str, object]]:
    read: dict[str, dict[str, object]] = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    return read


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


@pytest.mark.parametrize("name", MUSIC_SETS)
def test_files_state_every_setting_and_no_other(name: str) -> None:
    composed = compose_settings("prepare", {}, [f"data={name}"])
    assert composed["data"].pop("kind") == (None if name == "folder" else "music")
    of_films = FILMS_ONLY if name == "folder" else set()
    assert set(composed["data"]) - of_films == {field.name for field in fields(MusicSetSettings)}
    assert set(composed) == {field.name for field in fields(PrepareMusicSettings)}
    assert composed["data"]["name"] == name


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["data=deam"], 2, "data.root is wanted"),
        (["data=dream", "data.root=x"], 2, "no such data; there are"),
        (["data=composer", "data.root=x"], 2, "nothing to prepare"),
        (["song.mp3"], 2, "is no setting"),
        (["data=deam", "data.root=/none such"], 3, "no such folder"),
        (["data=folder", "data.root=/none such"], 3, "no such folder"),
        (["data=deam", "data.root=x", "data.test_share=0.95"], 2, "must leave songs to train on"),
        (["data=deam", "data.root=x", "workers=0"], 2, "workers must be at least 1"),
        (["data=deam", "data.root=x", "data.hop_seconds=40"], 2, "data.hop_seconds must be in"),
        (["data=deam", "data.root=x", "data.clip_seconds=long"], 2, "data.clip_seconds must be a number"),
        (["data=deam", "data.root=x", "check_against=[/none]"], 3, "prepare it first"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *words]) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_folder_of_both_kinds_or_none_asks_which_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for names, said in (((), "neither films nor sound files"), (("a.mp3", "b.MP4"), "both films and sound files")):
        for name in names:
            (tmp_path / name).write_bytes(b"x")
        assert main(["prepare", "data=folder", f"data.root={tmp_path}"]) == 2
        error = capsys.readouterr().err
        assert said in error and "data.kind=" in error


def test_the_embedded_model_has_no_codec_for_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_memo2496(tmp_path / "set", {"1": 2})
    assert main(["prepare", "data=memo2496", f"data.root={root}", "music=embedded", f"output={tmp_path}"]) == 2
    assert "music=musicgen" in capsys.readouterr().err


def test_deam_becomes_shards_and_nothing_of_it_is_left_out_silently(
    musicgen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = {"2": 45.1, "3": 45, "4": 30, "5": 45, "6": 45, "8": 45, "1003": 45, "2001": 80}
    until = {"2": 45.0, "3": 44.5, "4": 45.0, "5": 45.0, "6": 40.0, "7": 45.0, "1003": 45.0, "2001": 75.0}
    root = write_deam(tmp_path / "DEAM", lengths, until)
    audio = root / "DEAM_audio" / "MEMD_audio"
    write_song(audio / "5.mp3", np.zeros((2, 45 * 8000), np.float32), 8000)
    (audio / "3.mp3").write_bytes(np.random.default_rng(0).bytes(300_000))
    words = ["data=deam", "separation=none", "seed=6", "data.validation_share=0.4", "data.test_share=0"]
    assert prepare(root, tmp_path / "out", musicgen, *words) == 0
    printed, said = capsys.readouterr().out, summary(tmp_path / "out")
    assert set(said["songs"]) == {"2", "1003", "2001"}
    assert set(said["left_out"]) == {"3", "4", "5", "6", "7", "8"}
    for song, reason in {
        "3": "damaged", "4": "15.0 s of it are labelled and sound", "5": "all of its 1 clips are more than 40% silent",
        "6": "25.0 s of it are labelled", "7": "labels without a sound file", "8": "a sound file without labels",
    }.items():  # fmt: skip
        assert reason in str(said["left_out"][song])
        assert f"{song}: {said['left_out'][song]}" in printed
    assert "5 clips of 30 s, 2.5 min (2.0 min without what clips share); the paper's set has 1351 min" in printed
    assert said["silent_clips"] == {"5": [[15.0, 1.0]]} and said["without_caption"] == []
    items = {item.id: item for split in ("train", "validation") for item in ShardSet.open(tmp_path / "out", split)}
    assert set(items) == {f"deam-{name}" for name in (
        "2-0015000", "1003-0015000", "2001-0015000", "2001-0030000", "2001-0045000")}  # fmt: skip
    for item in items.values():
        assert item.codes.shape == (4, 3000)
        np.testing.assert_allclose(item.curve[:, 1], arousal_at(item.start_seconds + np.arange(30)), atol=1e-5)
    assert items["deam-2-0015000"].caption == "Blues music.\nBlues music, titled Tonight A Lonely Century."
    assert items["deam-2-0015000"].source.endswith("DEAM_audio/MEMD_audio/2.mp3")
    splits = {name: {item.split for item in items.values() if f"-{name}-" in item.id} for name in said["songs"]}
    assert all(len(of_song) == 1 for of_song in splits.values())

    before = shard_bytes(tmp_path / "out")
    assert prepare(root, tmp_path / "out", musicgen, *words) == 0
    assert shard_bytes(tmp_path / "out") == before
    capsys.readouterr()
    other = [word for word in words if not word.startswith("seed=")]
    shutil.copytree(tmp_path / "out" / "songs", tmp_path / "twin" / "songs")
    assert prepare(root, tmp_path / "twin", musicgen, *other, "seed=4", f"check_against=[{tmp_path / 'out'}]") == 0
    printed = capsys.readouterr().out
    assert "3 songs are in" in printed and "2 of them in another split" in printed


@pytest.mark.parametrize("name", ["pmemo", "memo2496"])
def test_the_other_sets_become_shards_too(musicgen: Path, tmp_path: Path, name: str) -> None:
    if name == "pmemo":
        root, starts = write_pmemo(tmp_path / "set", {"1": 24, "2": 17}), [15.0, 17.0, 19.0]
    else:
        root, starts = write_memo2496(tmp_path / "set", {"1": 9, "2": 2}), [0.0, 2.0, 4.0]
    words = [f"data={name}", "separation=none", "data.clip_seconds=5", "data.hop_seconds=2", "data.validation_share=0"]
    assert prepare(root, tmp_path / "out", musicgen, *words, "data.test_share=0") == 0
    assert set(summary(tmp_path / "out")["left_out"]) == {"2"}
    items = list(ShardSet.open(tmp_path / "out", "train"))
    assert [item.start_seconds for item in items] == starts
    for item in items:
        np.testing.assert_allclose(item.curve[:, 1], arousal_at(item.start_seconds + np.arange(5)), atol=1e-5)


@pytest.mark.slow
def test_from_songs_to_a_films_music(musicgen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way at tiny size: sound, without voices, to shards, to an adapter, to a film's music."""
    songs, demucs = tmp_path / "songs", tmp_path / "demucs"
    songs.mkdir()
    demucs.mkdir()
    export_tiny_htdemucs(demucs / "tiny.safetensors")
    for number in range(6):
        write_song(songs / f"{number}.mp3", melody(5, seed=number))
        rows = [f"{time},{0.1 * number:.1f},{arousal_at(20 * time):.3f}" for time in range(6)]
        (songs / f"{number}.csv").write_text("\n".join(["time_seconds,valence,arousal", *rows]))
    corpus, adapter = tmp_path / "corpus", tmp_path / "adapter"
    words = [f"separation={demucs}", "data.clip_seconds=2", "data.hop_seconds=1", "data.validation_share=0.4", "seed=1"]
    assert prepare(songs, corpus, musicgen, "data=folder", *words) == 0
    assert summary(corpus)["warnings"] == []
    trained = ["stage_epochs=[1,1]", "crops_per_epoch=8", "hidden=8", "dilations=[1,2]", "device=cpu"]
    assert main(["train-adapter", f"data.root={corpus}", f"music={musicgen}", f"output={adapter}", *trained]) == 0
    film = make_film(tmp_path / "film.mp4", seconds=2)
    out = tmp_path / "scored"
    options = ["--audio", "music-only", "--device", "cpu", "--offline", "-o", str(out)]
    assert main(["score", str(film), "--music", str(musicgen), "--adapter", str(adapter), *options]) == 0
    (music,) = out.rglob("music.wav")
    sound, rate_hz = soundfile.read(music)
    assert (len(sound), rate_hz) == (16_000, 8000)
    assert np.abs(sound).max() > 0
    assert "closed" not in capsys.readouterr().err
