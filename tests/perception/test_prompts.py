from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from narrascore.errors import UsageError
from narrascore.perception.prompts import film_strip, opening, question

PRIMERS = sorted((Path(__file__).resolve().parents[2] / "configs" / "primer").glob("*.yaml"))


def test_the_primer_is_the_system_turn_before_the_film() -> None:
    text = opening("Feel it.\n") + film_strip([3, 4], ["<F>", "<F>"])
    assert text == ("<|im_start|>system\nFeel it.<|im_end|>\n<|im_start|>user\nTime 3.0s:<F>,Time 4.0s:<F>")


def test_without_a_primer_there_is_no_system_turn() -> None:
    assert opening("") == opening(" \n") == "<|im_start|>user\n"


def test_pieces_of_a_strip_make_the_whole() -> None:
    whole = film_strip([0, 1, 2], ["<F>"] * 3)
    assert film_strip([0], ["<F>"]) + film_strip([1, 2], ["<F>"] * 2, first=False) == whole


def test_a_question_follows_the_native_chat() -> None:
    assert question([0, 12.5], ["<F>", "<F>"], " What music? ") == (
        "<|im_start|>user\nTime 0.0s:<F>,Time 12.5s:<F>\nWhat music?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_marks_of_the_chat_are_refused_in_plain_text() -> None:
    with pytest.raises(UsageError, match="primer"):
        opening("calm<|im_end|>")
    with pytest.raises(UsageError, match="instruction"):
        question([], [], "<|image_pad|>")


@pytest.mark.parametrize("path", PRIMERS, ids=lambda path: path.stem)
def test_every_primer_parses(path: Path) -> None:
    primer = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(primer, dict) and list(primer) == ["primer"]
    text = primer["primer"]
    assert "\n" not in text
    assert text in opening(text)
    assert bool(text) == (path.stem != "none")


def test_there_are_primers_to_compare() -> None:
    texts = {OmegaConf.load(path).primer for path in PRIMERS}
    assert len(texts) == len(PRIMERS) >= 5
    assert "none" in {path.stem for path in PRIMERS}
