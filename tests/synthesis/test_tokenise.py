"""Songs to codes: the same whatever the number of workers, never made twice, and what cannot be read is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.data.music_clips import ClipRules
from narrascore.data.music_labels import LabelledSong, read_music_set
from narrascore.data.separation import Separator
from narrascore.data.song_store import SongStore, TokenisedSong
from narrascore.errors import InputError
from narrascore.media.song import read_song
from narrascore.synthesis import tokenise
from narrascore.synthesis.codec import EncodecCodec
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.tokenise import Separation, SongTokeniser, tokenise_songs
from tests.data.music_sets import write_memo2496
from tests.data.tiny_demucs import export_tiny_htdemucs
from tests.synthesis.taught_codec import tiny_taught_musicgen

RULES = ClipRules(clip_seconds=4, hop_seconds=2)
NONE = Separation("none")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What a test computes for comparison is computed as the tokeniser does: two threads differ in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> EncodecCodec:
    loaded = FrozenMusicGen.from_pretrained(tiny_taught_musicgen(tmp_path_factory.mktemp("musicgen"))).codec
    assert isinstance(loaded, EncodecCodec)
    return loaded


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledSong]:
    root = write_memo2496(tmp_path_factory.mktemp("memo"), {"1": 9, "2": 6, "3": 3})
    return read_music_set("memo2496", root).songs


def tokenised(
    store: SongStore, songs: list[LabelledSong], codec: EncodecCodec, workers: int = 1
) -> list[TokenisedSong]:
    keys = dict(tokenise_songs(songs, codec, NONE, RULES, store, workers=workers))
    found = [store.load(song.id, keys[song.id]) for song in songs]
    assert all(found)
    return [song for song in found if song]


def files_of(store: SongStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.folder.iterdir())}


def test_a_clips_codes_are_those_of_its_stretch_of_the_song(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path
) -> None:
    made = tokenised(SongStore(tmp_path), songs, codec)[0]
    assert [clip.start_seconds for clip in made.clips] == [0, 2, 4]
    sound = np.concatenate(list(read_song(songs[0].audio, codec.sample_rate_hz, 1)), axis=1)
    for clip in made.clips:
        first = round(clip.start_seconds * codec.sample_rate_hz)
        piece = torch.from_numpy(sound[:, first : first + 4 * codec.sample_rate_hz])
        assert clip.codes.shape == (codec.codebooks, round(4 * codec.frame_rate_hz)) and clip.codes.dtype == np.int16
        assert np.array_equal(clip.codes, codec.encode(piece[None])[0].numpy())
        np.testing.assert_allclose(clip.curve[:, 1], (clip.start_seconds + np.arange(4)) / 50 - 1, atol=1e-5)
    assert len({clip.codes.tobytes() for clip in made.clips}) == 3


@pytest.mark.slow
def test_one_worker_and_two_keep_the_same_bytes(songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    for workers in (1, 2):
        tokenised(SongStore(tmp_path / f"{workers}"), songs, codec, workers)
    assert files_of(SongStore(tmp_path / "1")) == files_of(SongStore(tmp_path / "2"))
    assert torch.get_num_threads() == 2


def test_a_song_that_is_kept_is_not_made_again_after_a_kill(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed = SongStore(tmp_path / "whole"), SongStore(tmp_path / "resumed")
    tokenised(whole, songs, codec)
    begun: list[str] = []
    make = SongTokeniser._make

    def killed_in_the_second(self: SongTokeniser, song: LabelledSong, sha256: str) -> TokenisedSong:
        begun.append(song.id)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return make(self, song, sha256)

    monkeypatch.setattr(SongTokeniser, "_make", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        tokenised(resumed, songs, codec)
    tokenised(resumed, songs, codec)
    assert begun == ["1", "2", "2", "3"]
    assert files_of(resumed) == files_of(whole)
    tokenised(resumed, songs, codec)
    assert begun == ["1", "2", "2", "3"]


def test_other_rules_sound_labels_or_weights_make_a_song_anew(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path
) -> None:
    song, store = songs[1], SongStore(tmp_path / "songs")
    moved = LabelledSong(song.id, song.audio, song.times, -song.labels, song.step_seconds, song.text)
    other_file = tmp_path / "b.mp3"
    other_file.write_bytes(songs[0].audio.read_bytes())
    resung = LabelledSong(song.id, other_file, song.times, song.labels, song.step_seconds, song.text)
    remover = Separator.from_pretrained(export_tiny_htdemucs(tmp_path / "tiny.safetensors"))
    keys = {
        SongTokeniser(codec, None, RULES, store)(song),
        SongTokeniser(codec, None, RULES, store)(moved),
        SongTokeniser(codec, None, RULES, store)(resung),
        SongTokeniser(codec, None, ClipRules(4, 1), store)(song),
        SongTokeniser(codec, remover, RULES, store)(song),
    }
    assert len(keys) == 5


def test_voices_are_removed_before_the_song_is_encoded(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path
) -> None:
    separation = Separation(str(export_tiny_htdemucs(tmp_path / "tiny.safetensors")))
    remover = separation.load()
    assert remover is not None and separation.name != "none"
    store = SongStore(tmp_path / "songs")
    key = SongTokeniser(codec, remover, RULES, store)(songs[1])
    with_voices = read_song(songs[1].audio, remover.sample_rate_hz, remover.channels)
    # The tiny models share a rate of 8 kHz, so that nothing is resampled in between.
    instrumental = np.concatenate(list(remover.remove_vocals(with_voices)), axis=1).mean(axis=0, keepdims=True)
    made = store.load("2", key)
    assert made is not None
    piece = torch.from_numpy(instrumental[:, : 4 * codec.sample_rate_hz])
    assert np.array_equal(made.clips[0].codes, codec.encode(piece[None])[0].numpy())


def test_songs_that_give_nothing_are_kept_with_their_reason(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path
) -> None:
    noise, text = tmp_path / "noise.mp3", songs[0].text
    noise.write_bytes(np.random.default_rng(0).bytes(50_000))
    times, labels = songs[0].times, songs[0].labels
    broken = LabelledSong("broken", noise, times, labels, 1.0, text)
    absent = LabelledSong("absent", tmp_path / "absent.mp3", times, labels, 1.0, text)
    made = tokenised(SongStore(tmp_path / "songs"), [broken, absent, songs[2]], codec)
    assert not any(song.clips for song in made)
    assert "noise.mp3" in made[0].reason and "cannot be read" in made[1].reason
    assert made[2].reason.startswith("3.0 s of it are labelled and sound, and a clip is 4 s")


def test_a_damaged_kept_song_is_made_again(songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path) -> None:
    store = SongStore(tmp_path)
    tokenised(store, songs[1:2], codec)
    before = files_of(store)
    (tmp_path / "2.safetensors").write_bytes(before["2.safetensors"][:100])
    tokenised(store, songs[1:2], codec)
    assert files_of(store) == before


@pytest.mark.slow
def test_a_process_that_dies_is_said(
    songs: list[LabelledSong], codec: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenise, "_in_worker", _die)
    with pytest.raises(InputError, match="smaller workers="):
        tokenised(SongStore(tmp_path), songs, codec, workers=2)


def _die(_: LabelledSong) -> tuple[str, str]:
    import os

    os._exit(1)
