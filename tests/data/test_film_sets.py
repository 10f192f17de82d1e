"""Film sets laid out as they are downloaded become sets of labelled films; what cannot be used is left out by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrascore.cli.config import compose_settings
from narrascore.cli.settings import read_settings
from narrascore.data.film_sets import SUMMARY_FILE, FilmSetSettings, prepare_films
from narrascore.data.films import LabelledFilm, read_films
from narrascore.errors import InputError, UsageError
from tests.data import film_set_material as material
from tests.data.film_set_material import SECONDS, ramp, write_lines
from tests.films import write_clip

WHOLE_SECONDS = [(-0.5 + second / 10, 0.5 - second / 10) for second in range(SECONDS)]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", SECONDS)


def prepare(name: str, root: Path, **changed: Any) -> tuple[str, dict[str, LabelledFilm]]:
    settings = read_settings(FilmSetSettings, {"name": name, "root": root, "out": root.parent / "out", **changed})
    summary, out = prepare_films(settings, lambda line: None).rsplit("\n", 1)
    assert out == str(root.parent / "out")
    assert (root.parent / "out" / SUMMARY_FILE).read_text(encoding="utf-8") == summary + "\n"
    return summary, {film.id: film for film in read_films(root.parent / "out")}


def left_out(root: Path, name: str = "folder", **changed: Any) -> str:
    """The line about the one film of a set that is left out."""
    summary, films = prepare(name, root, **changed)
    lines = [line for line in summary.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 1 and f"{len(films)} films" in summary and "1 left out" in summary
    return lines[0]


def test_liris_accede(tmp_path: Path, film: Path) -> None:
    root = material.liris(tmp_path / "set", film, ["After_The_Rain", "Sintel", "Decay"])
    summary, films = prepare("liris_accede", root)
    assert sorted(films) == ["After_The_Rain", "Decay", "Sintel"]
    assert {film.split for film in films.values()} == {"train", "validation", "test"}
    np.testing.assert_allclose(films["Sintel"].labels, WHOLE_SECONDS, atol=1e-6)
    assert films["Sintel"].path.samefile(root / "LIRIS-ACCEDE-continuous-movies" / "continuous-movies" / "Sintel.mp4")
    assert summary.splitlines() == [
        "liris_accede: 3 films (1 train, 1 validation, 1 test), 0 left out",
        "clips: 3 of 30 s, one every 15 s: 0.3 min of 0.3 min labelled; the paper has 884 min",
        "valence: mean -0.25, from -0.50 to 0.00",
        "arousal: mean 0.25, from 0.00 to 0.50",
    ]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
def test_mediaeval_2018(tmp_path: Path, film: Path, delimiter: str) -> None:
    root = material.mediaeval(tmp_path / "set", film, [3, 27, 53, 54], delimiter)
    material.mediaeval_file(root, 27).write_text("")
    summary, films = prepare("mediaeval2018", root)
    np.testing.assert_allclose(films["MEDIAEVAL18_03"].labels, WHOLE_SECONDS, atol=1e-6)
    assert {film.id: film.split for film in films.values()} == {
        "MEDIAEVAL18_03": "validation", "MEDIAEVAL18_53": "train", "MEDIAEVAL18_54": "test"
    }  # fmt: skip
    assert (
        "left out: MEDIAEVAL18_27: MEDIAEVAL18_27_Valence-Arousal.txt: the file is empty, so the film has no labels"
        in summary.splitlines()
    )


def test_mediaeval_2017_labels_segments_of_ten_seconds(tmp_path: Path) -> None:
    root = tmp_path / "set"
    rows = ["0\t0\t0.1\t-0.1", "1\t5\t0.2\t-0.2", "2\t10\t0.3\t-0.3"]
    root.mkdir()
    for name, ending in (("Sintel", "-MEDIAEVAL2017-valence_arousal"), ("MEDIAEVAL17_04", "_Valence-Arousal")):
        write_clip(root / f"{name}.mp4", 20, sound=False)
        write_lines(root / f"{name}{ending}.txt", ["Id\tStart\tMeanValence\tMeanArousal", *rows])
    _, films = prepare("mediaeval2018", root)
    valence = films["Sintel"].labels[:, 0]
    # The middles of the segments are at 5, 10 and 15 s; a second between two of them is read in its middle.
    np.testing.assert_allclose(valence[[5, 7, 10, 12, 15]], [0.1, 0.15, 0.2, 0.25, 0.3], atol=1e-6)
    assert np.isnan(valence[[*range(5), *range(16, 20)]]).all()
    assert {film.id: film.split for film in films.values()} == {"Sintel": "train", "MEDIAEVAL17_04": "test"}
    material.mediaeval(root, root / "Sintel.mp4", [1])
    with pytest.raises(InputError, match="labels of 2017 and of 2018, which share 44 films"):
        prepare("mediaeval2018", root)


def test_cognimuse_counts_every_viewer_the_same(tmp_path: Path, film: Path) -> None:
    root = material.cognimuse(tmp_path / "set", film, ["Crash"], viewings=("1_1", "1_2", "2_1"))
    for viewing, valence in (("1_1", -0.3), ("1_2", -0.1), ("2_1", 0.6)):
        rows = [f"{index * 0.04:g} {valence} 0.5" for index in range(25 * SECONDS)]
        write_lines(material.cognimuse_file(root, viewing, "Crash"), rows)
    write_lines(root / "Emotion Annotation" / "intended" / "intended_1_Crash.dat", ["0 1 1"])
    _, films = prepare("cognimuse", root)
    np.testing.assert_allclose(films["Crash"].labels, [(0.2, 0.5)] * SECONDS, atol=1e-6)


def test_a_second_is_the_mean_of_its_25_labels_and_known_where_every_viewing_is(tmp_path: Path, film: Path) -> None:
    root = material.cognimuse(tmp_path / "set", film, ["AmericanBeauty"])
    (root / "AmericanBeauty.mp4").rename(root / "ABE.mp4")  # the database's code does as well
    short = [f"{time:g} {v:.3f} {a:.3f}" for time, v, a in ramp(4.5, rate_hz=25)]
    write_lines(material.cognimuse_file(root, "2_1", "AmericanBeauty"), short)
    summary, films = prepare("cognimuse", root, tolerance=0.5)
    labels = films["AmericanBeauty"].labels
    means = [-0.5 + (second + 0.48) / 10 for second in range(4)]
    np.testing.assert_allclose(labels[:4, 0], means, atol=1e-6)
    assert np.isfinite(labels[:5]).all() and np.isnan(labels[5]).all()
    assert "note: AmericanBeauty: its label files end between 4 and 6 s; what all cover counts" in summary


def test_folder_takes_any_rising_times(tmp_path: Path, film: Path) -> None:
    root = material.folder(
        tmp_path / "set", film, ["A film, no. 1"], labels=[(1.2, -0.4, 0), (1.8, -0.2, 0), (5, 1, 0)]
    )
    _, films = prepare("folder", root)
    valence = films["A film, no. 1"].labels[:, 0]
    wanted = np.array([np.nan, -0.3, *np.interp([2.5, 3.5, 4.5], [1.8, 5], [-0.2, 1]), 1])
    np.testing.assert_allclose(valence, wanted, atol=1e-6)


Break = Callable[[Path], object]


def rewrite(*lines: str) -> Break:
    return lambda path: write_lines(path, lines)


HEADER = "Time\tMean\tStd"
BROKEN_LIRIS: list[tuple[Break, str]] = [
    (rewrite("0\t0.1\t0.1"), r"_Arousal.txt, line 1: the header Time<tab>Mean<tab>Std is wanted, got '0\t0.1\t0.1'"),
    (rewrite("Time,Mean,Std", "0,0.1,0.1"), "_Arousal.txt, line 1: the header Time<tab>Mean<tab>Std is wanted"),
    (rewrite(HEADER, "0,0.1,0.1"), "_Arousal.txt, line 2: 3 columns with <tab> between them are wanted, got '0,0.1"),
    (rewrite(HEADER), "_Arousal.txt: no label follows the header"),
    (rewrite(), "_Arousal.txt: the file is empty"),
    (rewrite(HEADER, "0\tnan\t0.1"), r"_Arousal.txt, line 2: finite numbers are wanted, got '0\tnan\t0.1'"),
    (rewrite(HEADER, "", "0\t0.1\t0.1", "1\tx\t0.1"), "_Arousal.txt, line 4: numbers are wanted"),
    (rewrite(HEADER, "0\t0.1\t0.1", "1\t1.01\t0.1"), "_Arousal.txt, line 3: labels lie in [-1, 1], got 1.01"),
    (rewrite(HEADER, "1\t0.1\t0.1", "1\t0.1\t0.1"), "_Arousal.txt, line 3: times must rise, 1 follows 1"),
    (rewrite(HEADER, "-1\t0.1\t0.1"), "_Arousal.txt, line 2: times count from 0, got -1"),
    (lambda path: path.write_bytes(b"\xff\xfe\x00\x01"), "_Arousal.txt: cannot be read as text"),
    (lambda path: path.unlink(), "_Arousal.txt: missing; both dimensions are wanted, once"),
    (lambda path: shutil.copytree(path.parent, path.parents[1] / "b" / path.parent.name), "_Valence.txt: found twice"),
]


@pytest.mark.parametrize(("spoil", "said"), BROKEN_LIRIS)
def test_a_broken_label_file_leaves_its_film_out_and_says_where(
    tmp_path: Path, film: Path, spoil: Break, said: str
) -> None:
    root = material.liris(tmp_path / "set", film, ["Sintel"])
    spoil(material.liris_file(root, "Sintel", "Arousal"))
    material.liris(root, film, ["Decay"])
    assert f"left out: Sintel: Sintel{said}" in left_out(root, "liris_accede")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0\t0.1\t0.1"], "line 1: three or four names of columns"),
        (["Time|Valence|Arousal", "0|0|0"], "line 1: three or four names of columns"),
        (["Time\tValence\tArousal", "0,0.1,0.1"], "line 2: 3 columns with <tab>"),
        (["Time,Valence,Arousal", "0,0.1"], "line 2: 3 columns with ,"),
    ],
)
def test_a_broken_mediaeval_file_says_where(tmp_path: Path, film: Path, lines: list[str], said: str) -> None:
    root = material.mediaeval(tmp_path / "set", film, [0, 1])
    write_lines(material.mediaeval_file(root, 1), lines)
    assert f"left out: MEDIAEVAL18_01: MEDIAEVAL18_01_Valence-Arousal.txt, {said}" in left_out(root, "mediaeval2018")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["time valence arousal", "0 0 0"], "line 1: numbers are wanted"),
        (["0,0.1,0.1"], "line 1: 3 columns"),
        (["0 0 0", "0.04 0 2"], "line 2: labels lie in"),
    ],
)
def test_a_broken_cognimuse_file_says_where(tmp_path: Path, film: Path, lines: list[str], said: str) -> None:
    root = material.cognimuse(tmp_path / "set", film, ["Crash", "Chicago"])
    write_lines(material.cognimuse_file(root, "2_1", "Chicago"), lines)
    assert f"left out: Chicago: subj2_1_Chicago.dat, {said}" in left_out(root, "cognimuse")


def test_films_and_labels_without_a_partner_are_named(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, ["a", "b", "c", "d"])
    (root / "a.mp4").unlink()
    (root / "b.csv").unlink()
    shutil.copy(film, root / "c.MOV")
    summary, films = prepare("folder", root)
    assert list(films) == ["d"] and "3 left out" in summary
    assert f"left out: a: no film for its labels (a.csv) under {root}; name it a, or in films.csv" in summary
    assert "left out: b.mp4: no labels for this film" in summary
    assert "left out: c: more than one film for its labels: c.MOV and c.mp4; keep one" in summary


def test_a_film_of_the_same_name_comes_before_one_of_a_like_name(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, ["film 1", "film_1"])
    _, films = prepare("folder", root)
    assert {name: found.path.stem for name, found in films.items()} == {"film 1": "film 1", "film_1": "film_1"}
    (root / "film_1.csv").unlink()
    (root / "film 1.mp4").unlink()
    _, films = prepare("folder", root)
    assert films["film 1"].path.stem == "film_1"


def test_a_film_that_is_none_is_left_out(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, ["good", "bad"])
    (root / "bad.mp4").write_bytes(b"text")
    assert "left out: bad: bad.mp4: it is not a video that can be read" in left_out(root)


@pytest.mark.parametrize(("seconds", "tolerance"), [(4, 0.05), (3, 0.5), (8, 0.05)])
def test_labels_may_end_near_the_films_end(tmp_path: Path, film: Path, seconds: int, tolerance: float) -> None:
    root = material.folder(tmp_path / "set", film, ["good"])
    material.folder(root, film, ["other"], labels=ramp(seconds))
    summary, films = prepare("folder", root, tolerance=tolerance)
    assert films["other"].known.tolist() == [second < seconds for second in range(SECONDS)]
    assert f"note: other: labels end at {seconds:.1f} s, other.mp4 at 6.0 s; what both cover counts" in summary


@pytest.mark.parametrize("seconds", [3, 9])
def test_labels_of_another_cut_leave_their_film_out(tmp_path: Path, film: Path, seconds: int) -> None:
    root = material.folder(tmp_path / "set", film, ["good"])
    material.folder(root, film, ["other"], labels=ramp(seconds))
    said = f"labels end at {seconds:.1f} s, other.mp4 at 6.0 s, further apart than the 2.0 s of tolerance=0.05"
    assert f"left out: other: {said}" in left_out(root)


def test_nothing_to_prepare_is_one_line(tmp_path: Path, film: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        prepare("folder", tmp_path / "none")
    for name in ("folder", "liris_accede", "mediaeval2018", "cognimuse"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=r"empty: no .*\.(csv|txt|dat)"):
            prepare(name, tmp_path / "empty")
    root = material.folder(tmp_path / "set", film, ["a"])
    write_lines(root / "a.csv", ["time,v,a"])
    with pytest.raises(InputError, match=r"none of 1 films can be used; the first, a: a\.csv, line 1") as caught:
        prepare("folder", root)
    assert caught.value.exit_code == 3


def test_lists_choose_films_and_know_them(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, "abcd")
    _, films = prepare("folder", root, test=["a"], validation=["d"])
    assert [films[name].split for name in "abcd"] == ["test", "train", "train", "validation"]
    with pytest.raises(UsageError, match=r"no film e in .*; there are a, b, c, d"):
        prepare("folder", root, test=["e"])
    with pytest.raises(UsageError, match="a listed more than once"):
        prepare("folder", root, test=["a"], train=["a"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"validation_share": 0.6, "test_share": 0.4}, "leave films to train on: got 0.6 and 0.4"),
        ({"test_share": -0.1}, "0 or more"),
        ({"tolerance": -1.0}, "tolerance is a share"),
        ({"reference_music": True, "separation": "none"}, "give separation=htdemucs"),
        ({"name": "deam"}, "name is one of liris_accede, mediaeval2018, cognimuse, folder"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(
    tmp_path: Path, film: Path, changed: dict[str, Any], said: str
) -> None:
    root = material.folder(tmp_path / "set", film, ["a"])
    with pytest.raises(UsageError, match=said):
        prepare(changed.pop("name", "folder"), root, **changed)


def test_the_table_of_films_names_them(tmp_path: Path, film: Path) -> None:
    root = material.cognimuse(tmp_path / "set", film, ["Crash"])
    (root / "cut").mkdir()
    (root / "Crash.mp4").rename(root / "cut" / "crash, last half hour.mp4")
    write_lines(root / "films.csv", ["id,film", 'Crash,"cut/crash, last half hour.mp4"'])
    _, films = prepare("cognimuse", root)
    assert films["Crash"].path.name == "crash, last half hour.mp4"


@pytest.mark.parametrize(
    "name", ["../film.mp4", "sub/../../film.mp4", "{outside}", "C:\\film.mp4", "\\film.mp4", "link.mp4"]
)
def test_no_name_in_a_table_leads_out_of_the_set(tmp_path: Path, film: Path, name: str) -> None:
    root = material.folder(tmp_path / "set", film, ["good"])
    outside = material.lay_film(film, tmp_path / "film.mp4")
    (root / "link.mp4").symlink_to(outside)
    write_lines(root / "bad.csv", ["time_seconds,valence,arousal", "0,0,0", "5,0,0"])
    write_lines(root / "films.csv", ["id,film", f"bad,{name.format(outside=outside)}"])
    summary, films = prepare("folder", root)
    assert list(films) == ["good"]
    assert "left out: bad: films.csv: " in summary
    assert "names stay under" in summary or "a link that leads out of" in summary


def test_links_out_of_the_set_are_refused_and_links_within_are_not(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, ["film", "labels", "within"])
    (root / "within.mp4").rename(root / "whatever.bin")
    (root / "within.mp4").symlink_to(root / "whatever.bin")
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("film.mp4", "labels.csv"):
        (root / name).rename(outside / name)
        (root / name).symlink_to(outside / name)
    summary, films = prepare("folder", root)
    assert list(films) == ["within"]
    for name in ("film", "labels"):
        assert f"left out: {name}: {name}.{'mp4' if name == 'film' else 'csv'}: a link that leads out of" in summary
    (root / "more").symlink_to(outside)
    with pytest.raises(InputError, match="more: a link that leads out of"):
        prepare("folder", root)


def test_a_name_that_is_no_name_is_left_out(tmp_path: Path, film: Path) -> None:
    root = material.cognimuse(tmp_path / "set", film, ["Crash"])
    write_lines(root / "subj1_1_...dat", ["0 0 0", "5 0 0"])
    assert left_out(root, "cognimuse") == "left out: ..: a name without a letter or digit"


def test_a_fifo_for_labels_does_not_block(tmp_path: Path, film: Path) -> None:
    root = material.folder(tmp_path / "set", film, ["good", "bad"])
    (root / "bad.csv").unlink()
    os.mkfifo(root / "bad.csv")
    assert "left out: bad: bad.csv: not a regular file" in left_out(root)


@pytest.mark.parametrize("name", ["liris_accede", "mediaeval2018", "cognimuse"])
def test_every_film_sets_yaml_is_read(name: str, tmp_path: Path) -> None:
    data = compose_settings("train_adapter", {}, [f"data={name}"])["data"]
    assert data.pop("kind") == "films" and data.pop("root") is None
    settings = read_settings(FilmSetSettings, {**data, "root": tmp_path, "out": tmp_path})
    assert settings == FilmSetSettings(name, tmp_path, tmp_path)  # type: ignore[arg-type]
