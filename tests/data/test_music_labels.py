"""Downloaded sets are read as they are laid out, labels at their times, and what is wrong is said of the right song."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from narrascore.data.music_labels import LabelledSong, MusicSet, read_music_set, safe_id
from narrascore.errors import InputError
from tests.data.music_sets import DYNAMIC, UUIDS, arousal_at, write_csv, write_deam, write_memo2496, write_pmemo


def assert_labels_are_those_of(song: LabelledSong, times: np.ndarray) -> None:
    np.testing.assert_allclose(song.times, times)
    np.testing.assert_allclose(song.labels[:, 1], arousal_at(times), atol=1e-5)
    np.testing.assert_allclose(song.labels[:, 0], -0.5 * arousal_at(times), atol=1e-5)


def by_id(music: MusicSet) -> dict[str, LabelledSong]:
    return {song.id: song for song in music.songs}


def test_deam_is_labelled_from_15_s_to_each_songs_own_end(tmp_path: Path) -> None:
    until = {"2": 45.0, "3": 43.5, "10": 20.0, "1003": 45.0, "2001": 60.0}
    music = read_music_set("deam", write_deam(tmp_path, dict.fromkeys(["2", "3", "10", "1003", "2001"], 0), until))
    assert [song.id for song in music.songs] == ["2", "3", "10", "1003", "2001"]
    for name, song in by_id(music).items():
        assert_labels_are_those_of(song, np.arange(15, until[name], 0.5))
        assert song.step_seconds == 0.5 and song.audio.name == f"{name}.mp3"
    assert (by_id(music)["2"].text.title, by_id(music)["2"].text.genres) == ("Tonight A Lonely Century", ("blues",))
    assert by_id(music)["1003"].text.genres == ("electronic", "trip-hop")
    assert by_id(music)["1003"].text.tags == ("chillout", "electronic")
    assert (by_id(music)["2001"].text.title, by_id(music)["2001"].text.genres) == ("", ("rock",))


def test_pmemo_comes_from_0_to_1_into_minus_1_to_1(tmp_path: Path) -> None:
    music = read_music_set("pmemo", write_pmemo(tmp_path, {"1": 20, "1000": 17}))
    for name, end in (("1", 20), ("1000", 17)):
        assert_labels_are_those_of(by_id(music)[name], np.arange(15, end, 0.5))
    assert by_id(music)["1000"].text.title == "Title 1000"


def test_memo2496_is_labelled_from_the_first_second_under_the_names_of_its_files(tmp_path: Path) -> None:
    music = read_music_set("memo2496", write_memo2496(tmp_path, {"1": 4, "2": 3}))
    for name, end in (("1", 4), ("2", 3)):
        assert_labels_are_those_of(by_id(music)[name], np.arange(0, end, 1.0))
        assert by_id(music)[name].audio.stem == UUIDS[name]


def test_a_folder_has_a_table_beside_each_sound_file(tmp_path: Path) -> None:
    for name in ("a", "two words", "late", "unlabelled", "wrong"):
        (tmp_path / f"{name}.mp3").write_bytes(b"x")
    rows = [[f"{time}", "0.5", "-0.25"] for time in range(10)]
    write_csv(tmp_path / "a.csv", ["time_seconds", "valence", "arousal"], rows)
    write_csv(tmp_path / "two words.csv", ["time_seconds", "valence", "arousal"], rows)
    write_csv(tmp_path / "late.csv", ["time_seconds", "valence", "arousal"], rows[4:])
    write_csv(tmp_path / "wrong.csv", ["time_seconds", "valence", "arousal"], [["0", "3", "0"]])
    write_csv(tmp_path / "metadata.csv", ["name", "genre", "tags"], [["two words.mp3", "jazz", "warm, slow"]])
    music = read_music_set("folder", tmp_path, "mine")
    songs = by_id(music)
    assert music.name == "mine" and set(songs) == {"a", safe_id("two words"), "late"}
    np.testing.assert_allclose(songs["late"].times, np.arange(4, 10))
    assert songs[safe_id("two words")].text.tags == ("warm", "slow")
    assert "without labels" in music.unusable["unlabelled"] and "line 2" in music.unusable["wrong"]


def test_each_song_that_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    until = {"2": 45.0, "3": 45.0, "4": 15.0, "5": 45.0}
    root = write_deam(tmp_path, {"2": 0, "4": 0, "5": 0, "6": 0}, until)
    table = root / "DEAM_Annotations" / DYNAMIC / "valence.csv"
    lines = table.read_text().splitlines()
    lines[4] = lines[4].replace("-0.0", "-3.0", 1) if "-0.0" in lines[4] else "5,9"
    table.write_text("\n".join(lines))
    music = read_music_set("deam", root)
    assert [song.id for song in music.songs] == ["2"]
    assert music.unusable["3"] == "labels without a sound file"
    assert music.unusable["4"] == "no label of it is known"
    assert "beyond the set's range" in music.unusable["5"]
    assert "without labels" in music.unusable["6"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sample_15500ms", "time_15500", r"line 1: columns sample_<ms>ms are wanted"),
        ("sample_15500ms", "sample_1ms", "times must rise"),
        ("song_id", "id", "no column song_id"),
        ("\n3,", "\n2,", "line 3: song 2 a second time"),
        ("\n3,0", "\n3,high", "line 3: sample_15000ms must be a number"),
    ],
)
def test_a_table_of_another_layout_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    root = write_deam(tmp_path, {"2": 0, "3": 0}, {"2": 45.0, "3": 45.0})
    table = root / "DEAM_Annotations" / DYNAMIC / "valence.csv"
    table.write_text(table.read_bytes().decode().replace("\r\n", "\n").replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_music_set("deam", root)


def test_a_root_that_holds_no_set_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one dynamic \(per second annotations\)/valence.csv is wanted"):
        read_music_set("deam", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_music_set("deam", tmp_path / "absent")
    with pytest.raises(InputError, match="no song of it can be used"):
        read_music_set("folder", tmp_path)
    for twin in ("a", "b"):
        write_deam(tmp_path / twin, {"2": 0}, {"2": 45.0})
    with pytest.raises(InputError, match="there is 2"):
        read_music_set("deam", tmp_path)


def test_a_table_cannot_name_a_file_outside_the_set(tmp_path: Path) -> None:
    root = write_memo2496(tmp_path / "set", {"1": 3})
    (tmp_path / "secret.mp3").write_bytes(b"x")
    write_csv(root / "songs_info_all.csv", ["song_id", "file_name"], [["1", "../../secret.mp3"]])
    with pytest.raises(InputError, match=r"line 2: '\.\./\.\./secret\.mp3' is not the name of a file"):
        read_music_set("memo2496", root)
