"""The probe learns from clips, stops early, keeps its best epoch, and goes on from a stop as if there had been none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from narrascore.data.films import LabelledFilm
from narrascore.errors import InputError
from narrascore.perception.probe import AffectProbe, affect_loss
from narrascore.perception.reading import FilmReading
from narrascore.perception.states import ReadFilm
from narrascore.perception.training import ClipModule, ProbeTraining, ProbeTrainingSettings, train_probe

EYE = {"eye": "test"}


def read_film(index: int, split: str, seconds: int = 48) -> ReadFilm:
    """Two columns tell valence and arousal through a bend and some noise, three tell nothing; two windows."""
    random = np.random.default_rng(index)
    labels = random.uniform(-0.9, 0.9, (seconds, 2)).astype(np.float32)
    labels[:3] = np.nan
    columns = np.column_stack([np.nan_to_num(labels) ** 3 + random.normal(0, 0.1, labels.shape),
                               random.normal(size=(seconds, 3))])  # fmt: skip
    windows = ((0, 30), (18, 48))
    states = np.concatenate([5 + columns[start:stop] for start, stop in windows])
    return ReadFilm(LabelledFilm(f"f{index}", Path("f"), labels, split), FilmReading(states, "test", windows=windows))


@pytest.fixture(scope="module")
def films() -> list[ReadFilm]:
    return [read_film(i, "train") for i in range(6)] + [read_film(6 + i, "validation") for i in range(2)]


@pytest.fixture
def settings(tmp_path: Path) -> ProbeTrainingSettings:
    return ProbeTrainingSettings(tmp_path, width=16, epochs=6, batch_size=4, learning_rate=0.01)


def test_it_learns_and_says_what_it_was_trained_on(films: list[ReadFilm], settings: ProbeTrainingSettings) -> None:
    probe = train_probe(films, replace(settings, epochs=40), {"eye": EYE, "data": "made here"})
    back = AffectProbe.load(settings.out, EYE)
    assert all(torch.equal(tensor, back.state_dict()[name]) for name, tensor in probe.state_dict().items())
    about = json.loads((settings.out / "probe.json").read_text())
    assert about["metrics"]["validation_ccc"] > 0.8
    assert about["data"] == "made here" and about["training"]["l1_weight"] == 1.0
    rows = ClipModule(films, 4, 0).known_states()
    np.testing.assert_allclose(probe.mean.numpy(), rows.mean(0), rtol=1e-5)
    log = settings.out / about["log"]
    assert list(log.glob("csv/*/metrics.csv")) and list(log.glob("tensorboard/*/events*"))


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    films: list[ReadFilm], settings: ProbeTrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_probe(films, replace(settings, out=tmp_path / "whole"), {"eye": EYE})
    original = ProbeTraining.training_step

    def stop_in_fourth_epoch(self: ProbeTraining, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        if self.trainer.current_epoch == 3 and index == 1:
            raise KeyboardInterrupt
        return original(self, batch, index)

    monkeypatch.setattr(ProbeTraining, "training_step", stop_in_fourth_epoch)
    with pytest.raises(KeyboardInterrupt):
        train_probe(films, replace(settings, out=tmp_path / "resumed"), {"eye": EYE})
    assert not (tmp_path / "resumed" / "probe.json").exists()
    monkeypatch.undo()

    epochs: list[int] = []
    resumed = train_probe(
        films, replace(settings, out=tmp_path / "resumed"), {"eye": EYE}, lambda done, ccc: epochs.append(done)
    )
    assert epochs == [4, 5, 6], "the first three epochs must not be trained twice"
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert resumed.about["metrics"] == whole.about["metrics"]


def test_it_stops_early_keeps_the_best_epoch_and_stays_stopped(
    films: list[ReadFilm], settings: ProbeTrainingSettings
) -> None:
    hasty = replace(settings, learning_rate=1.0, epochs=60, patience=3)  # far too fast: its best epoch is soon past
    scores: list[float] = []
    probe = train_probe(films, hasty, {"eye": EYE}, lambda done, ccc: scores.append(ccc))
    assert len(scores) < 60 and len(scores) == int(np.argmax(scores)) + 1 + 3
    assert probe.about["metrics"]["best_epoch"] == int(np.argmax(scores))
    assert probe.about["metrics"]["validation_ccc"] == pytest.approx(max(scores), abs=1e-6)
    again: list[float] = []
    same = train_probe(films, hasty, {"eye": EYE}, lambda done, ccc: again.append(ccc))
    assert again == [] and same.about == probe.about


def test_other_data_or_settings_start_anew(films: list[ReadFilm], settings: ProbeTrainingSettings) -> None:
    def epochs(films: list[ReadFilm], settings: ProbeTrainingSettings) -> int:
        done: list[int] = []
        train_probe(films, settings, {"eye": EYE}, lambda epoch, ccc: done.append(epoch))
        return len(done)

    brief = replace(settings, epochs=2)
    assert epochs(films, brief) == 2
    assert epochs(films, replace(brief, epochs=3)) == 1, "more epochs go on from there"
    assert epochs(films, replace(brief, l1_weight=0.5)) == 2
    assert epochs([*films, read_film(20, "train")], brief) == 2


def test_checkpoints_hold_nothing_but_tensors_and_plain_values(
    films: list[ReadFilm], settings: ProbeTrainingSettings
) -> None:
    train_probe(films, replace(settings, epochs=1), {"eye": EYE})
    (last,) = settings.out.glob("training/*/checkpoints/last.ckpt")
    state = torch.load(last, weights_only=True)
    assert {name.removeprefix("probe.") for name in state["state_dict"]} == set(AffectProbe(5).state_dict())
    assert "hyper_parameters" not in state


def test_unlabelled_seconds_and_other_films_lengths_do_not_change_the_loss() -> None:
    """A batch of a long and a short clip has the loss of their labelled seconds, each counted once."""
    long, short = read_film(0, "train"), read_film(1, "train")
    cut = FilmReading(short.reading.states[:30], "test")
    film = LabelledFilm("s", Path("s"), short.film.labels[:30], "train")
    data = ClipModule([long, ReadFilm(film, cut), read_film(2, "validation")], 8, 0)
    states, labels = next(iter(data.train_dataloader()))
    probe = AffectProbe(5, 16).eval()
    per_second = []
    for clip, truth in data.clips["train"]:
        error = (probe(clip) - truth)[truth.isfinite().all(-1)].detach()
        per_second.append((error.square() + error.abs()).sum(-1))
    torch.testing.assert_close(affect_loss(probe(states), labels).detach(), torch.cat(per_second).mean())


def test_a_set_without_a_validation_film_is_refused(films: list[ReadFilm], settings: ProbeTrainingSettings) -> None:
    with pytest.raises(InputError, match="no labelled film in the split validation"):
        train_probe(films[:6], settings, {"eye": EYE})
    with pytest.raises(ValueError, match="dropout must be"):
        replace(settings, dropout=1.0)
