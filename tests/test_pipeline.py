from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from narrascore import AffectCurve, MusicalAnchor, Pipeline
from narrascore.errors import InputError, ModelUnavailableError, UsageError
from narrascore.perception.anchor_settings import AnchorSettings
from narrascore.synthesis.composing import compose_window
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.units import WindowStore, environment
from narrascore.windows import continuation_windows, samples_of
from tests.films import write_clip
from tests.synthesis.tiny import open_adapter, tiny_score_musicgen
from tests.systems import tiny_pipeline, tiny_system_folder

DURATION_SECONDS = Fraction(1)
ANCHOR = MusicalAnchor(prompt="calm strings")
CURVE = AffectCurve(np.array([[0.5, -0.5], [-0.5, 0.9]]))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def whole(pipeline: Pipeline) -> torch.Tensor:
    """The piece that all interrupted and edited ones are held against."""
    return compose(pipeline)


def compose(
    pipeline: Pipeline, folder: Path | None = None, curve: AffectCurve = CURVE, **options: object
) -> torch.Tensor:
    store = WindowStore(folder, environment(pipeline.musicgen)) if folder else None
    return pipeline.compose(DURATION_SECONDS, curve, ANCHOR, store=store, **options)  # type: ignore[arg-type]


def test_next_window_starts_with_the_last_tokens_of_the_one_before(pipeline: Pipeline) -> None:
    codes = compose(pipeline, seed=3, film_key="f").long()
    windows = continuation_windows(100, 40, 15)
    assert codes.shape == (4, 100)
    assert len(windows) == 4
    for window in windows:
        prompt = codes[:, window.start : window.new_start]
        new = compose_window(
            pipeline.musicgen, pipeline.adapter, ANCHOR.sentence, CURVE, window, prompt, f"3/f/{window.index}"
        ).codes
        assert torch.equal(new, codes[:, window.new_start : window.stop])


def test_another_seed_or_film_is_another_piece(pipeline: Pipeline, whole: torch.Tensor) -> None:
    assert torch.equal(whole, compose(pipeline))
    assert not torch.equal(whole, compose(pipeline, seed=1))
    assert not torch.equal(whole, compose(pipeline, film_key="another"))


def test_killed_run_resumes_to_the_same_codes(pipeline: Pipeline, whole: torch.Tensor, tmp_path: Path) -> None:
    def kill_in_second_window(done: int, total: int) -> None:
        assert total == 100
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compose(pipeline, tmp_path, progress=kill_in_second_window)
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["00000.safetensors"]
    before = kept[0].stat().st_mtime_ns
    assert torch.equal(compose(pipeline, tmp_path), whole)
    assert kept[0].stat().st_mtime_ns == before


def test_windows_of_another_unit_are_not_taken_back(pipeline: Pipeline, whole: torch.Tensor, tmp_path: Path) -> None:
    compose(pipeline, tmp_path, seed=1)
    assert torch.equal(compose(pipeline, tmp_path), whole)


def test_damaged_window_is_composed_anew(pipeline: Pipeline, tmp_path: Path) -> None:
    whole = compose(pipeline, tmp_path)
    (tmp_path / "00001.safetensors").write_bytes(b"not a tensor")
    assert torch.equal(compose(pipeline, tmp_path), whole)


def test_an_edit_leaves_the_windows_before_it(pipeline: Pipeline, tmp_path: Path) -> None:
    values = np.zeros((100, 2), dtype=np.float32)
    before = AffectCurve(values, 100.0)
    values[92:] = 0.8
    after = AffectCurve(values, 100.0)
    compose(pipeline, tmp_path, before)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    edited = compose(pipeline, tmp_path, after)
    assert torch.equal(edited, compose(pipeline, None, after))
    kept = [path.name for path in sorted(tmp_path.iterdir()) if path.stat().st_mtime_ns == times[path.name]]
    assert kept == ["00000.safetensors", "00001.safetensors"]  # the third one's control looks a few frames ahead


def test_progress_rises_to_the_last_frame(pipeline: Pipeline) -> None:
    told: list[tuple[int, int]] = []
    compose(pipeline, progress=lambda done, total: told.append((done, total)))
    done = [step for step, _ in told]
    assert done == sorted(done)
    assert told[-1] == (100, 100)


@pytest.mark.parametrize(
    "duration", [Fraction(1, 25), Fraction(1, 3), Fraction(1001, 1000), 2.0, Fraction(12345, 4321)]
)
def test_music_has_exactly_the_samples_of_the_film(pipeline: Pipeline, duration: Fraction | float) -> None:
    frames = torch.randint(64, (4, 300))
    music = np.concatenate(list(pipeline.render(frames, ANCHOR, duration)), axis=1)
    assert music.shape == (1, samples_of(duration, 8000))
    assert music.dtype == np.float32


def test_the_end_fades_and_the_rest_is_untouched(pipeline: Pipeline) -> None:
    codes = torch.randint(64, (4, 300))
    plain = pipeline.musicgen.codec.decode(codes).numpy()
    music = np.concatenate(list(pipeline.render(codes, ANCHOR, 3.0)), axis=1)
    assert np.array_equal(music[:, :16_000], plain[:, :16_000])
    assert np.abs(music[:, -80:]).max() <= 0.0134 * np.abs(plain[:, -80:]).max()


def test_unknown_words_are_listed_and_none_known_is_refused(pipeline: Pipeline) -> None:
    anchor = pipeline.understand(MusicalAnchor(prompt="calm bagpipes and strings"))
    assert anchor.not_understood == ("bagpipes",)
    with pytest.raises(UsageError, match="understands no word"):
        pipeline.understand(MusicalAnchor(prompt="xyzzy and the plugh"))


def test_called_on_a_film_it_gives_a_score_to_change_and_save(pipeline: Pipeline, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", 1.2)
    score = pipeline(film, prompt="calm strings")
    assert score.curve.values.shape == (2, 2)
    assert score.audio.shape == (1, samples_of(score.film.duration_seconds, 8000))
    score.save(tmp_path / "out")
    assert soundfile.info(tmp_path / "out" / "music.wav").frames == score.audio.shape[1]
    assert AffectCurve.from_csv(tmp_path / "out" / "curve.csv").values == pytest.approx(score.curve.values, abs=1e-4)
    assert MusicalAnchor.from_json(tmp_path / "out" / "anchor.json") == score.anchor
    assert score.write_film(tmp_path / "out" / "film.mp4").stat().st_size > 1000
    with pytest.raises(UsageError, match="MIDI"):
        score.write_midi(tmp_path / "out" / "music.mid")
    changed = pipeline.compose(score.film.duration_seconds, score.curve.adjust(-1.0), score.anchor)
    assert not torch.equal(changed, score.codes)


def test_notes_also_give_midi_and_stems(tmp_path: Path) -> None:
    folder = tiny_score_musicgen(tmp_path / "tiny", window_seconds=0.8, prompt_seconds=0.2)
    open_adapter(FrozenMusicGen.from_pretrained(folder)).save(folder, {})
    pipeline = Pipeline.from_pretrained(folder)
    score = pipeline(write_clip(tmp_path / "a.mp4", 1.0, sound=False))
    score.save(tmp_path / "out")
    assert (tmp_path / "out" / "music.mid").read_bytes()[:4] == b"MThd"
    stems = score.write_stems(tmp_path / "out" / "stems")
    assert {soundfile.info(path).frames for path in stems} == {samples_of(score.film.duration_seconds, 48_000)}
    assert {path.stem for path in stems} == {"melody", "counter", "harmony", "bass", "percussion"}


def test_the_weights_of_the_paper_are_named_where_they_are_missing() -> None:
    with pytest.raises(ModelUnavailableError, match="VideoLLaMA3-2B") as caught:
        Pipeline.from_pretrained("embedded", eye="vlm", offline=True)
    assert caught.value.exit_code == 4


def test_without_an_adapter_there_is_one_warning_and_unsteered_music(tmp_path: Path) -> None:
    folder = tiny_system_folder(tmp_path / "tiny")
    assert Pipeline.from_pretrained(folder).warnings == []
    for name in ("adapter.json", "adapter.safetensors"):
        (folder / name).unlink()
    pipeline = Pipeline.from_pretrained(folder)
    assert len(pipeline.warnings) == 1
    assert pipeline.describe()["adapter"] is None
    assert torch.equal(compose(pipeline), compose(pipeline, curve=CURVE.adjust(-1.0)))


def test_gates_can_be_kept_closed(tmp_path: Path) -> None:
    pipeline = Pipeline.from_pretrained(tiny_system_folder(tmp_path / "tiny"), steer=False, control_guidance="off")
    assert pipeline.adapter is None and pipeline.warnings == []
    assert pipeline.musicgen.sampling.control_guidance == 1.0


def test_music_can_be_left_without_a_sentence(tmp_path: Path) -> None:
    folder = tiny_system_folder(tmp_path / "tiny")
    pipeline = Pipeline.from_pretrained(folder, anchor=AnchorSettings(reader="none"), text_guidance=3.0)
    film = write_clip(tmp_path / "a.mp4", 1.0, sound=False)
    score = pipeline(film)
    assert (score.anchor.reader, score.anchor.sentence) == ("none", "")
    plain = Pipeline.from_pretrained(folder, anchor=AnchorSettings(instruction="plain"))(film)
    assert plain.anchor.caption and plain.anchor.sentence == plain.anchor.caption.rstrip(".")


def test_weights_without_a_commercial_licence_are_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ModelUnavailableError, match="CC-BY-NC"):
        Pipeline.from_pretrained("embedded", music="musicgen", require_commercial=True)
    assert Pipeline.from_pretrained("embedded", require_commercial=True).system == "embedded"


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_system_folder(tmp_path / "tiny")
    musicgen = FrozenMusicGen.from_pretrained(folder)
    adapter = open_adapter(musicgen)
    wider = type(adapter)(musicgen.width * 2, adapter.blocks, hidden=16)
    wider.save(tmp_path / "wider", {})
    with pytest.raises(InputError, match="width"):
        Pipeline.from_pretrained(folder, adapter=tmp_path / "wider")


@pytest.mark.parametrize(
    "wrong", [{"system": "no such folder"}, {"dtype": "int3"}, {"eye": "third"}, {"soundfont": "/no/such.sf2"}]
)
def test_settings_that_name_nothing_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    settings = {"system": str(tmp_path), **wrong}
    with pytest.raises(UsageError):
        Pipeline.from_pretrained(**settings)  # type: ignore[arg-type]
