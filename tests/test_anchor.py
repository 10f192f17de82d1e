"""The anchor's sentence and file, and the words that the embedded model knows."""

from dataclasses import replace
from pathlib import Path

import pytest

from narrascore.anchor import MusicalAnchor
from narrascore.errors import InputError
from narrascore.lexicon import FILLERS, INSTRUMENTS, MOODS, STYLES, SYNONYMS, nearest_mood, nearest_pace, vocabulary
from narrascore.sentences import LocalSentence

FIELDS = {
    "genre": "jazz noir score",
    "instruments": "saxophone and double bass",
    "mood": "dark",
    "pace": "slow flowing pace",
}


def test_four_fields_make_one_sentence() -> None:
    assert MusicalAnchor(**FIELDS).sentence == (
        "jazz noir score, with saxophone and double bass, dark, slow flowing pace"
    )


def test_a_prompt_replaces_the_fields() -> None:
    assert MusicalAnchor(**FIELDS, prompt=" warm\n strings ").sentence == "warm strings"


def test_a_caption_stands_in_for_the_fields_and_gives_way_to_a_prompt() -> None:
    assert MusicalAnchor(**FIELDS, caption="A dark street. ").sentence == "A dark street"
    assert MusicalAnchor(caption="A dark street", prompt="warm strings").sentence == "warm strings"


def test_an_anchor_reads_back_and_a_hand_edit_counts(tmp_path: Path) -> None:
    anchor = MusicalAnchor(**FIELDS, not_understood=("zither",), keyframe_seconds=(0.5, 3.0), notes={"reply": "a\nb"})
    path = tmp_path / "anchor.json"
    path.write_text(anchor.to_json())
    assert MusicalAnchor.from_json(path) == anchor
    path.write_text(anchor.to_json().replace('"mood": "dark"', '"mood": "joyful"'))
    assert "joyful" in MusicalAnchor.from_json(path).sentence
    path.write_text(replace(anchor, local=(LocalSentence(1.5, 2.25, "warm strings"),)).to_json())
    assert MusicalAnchor.from_json(path).local == (LocalSentence(1.5, 2.25, "warm strings"),)
    path.write_text('{"genre": "folk", "caption": "A green meadow"}')
    assert MusicalAnchor.from_json(path).sentence == "A green meadow"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"genre": 3}',
        '{"genre": "a", "surprise": 1}',
        '{"genre": "a", "notes": {"b": 1}}',
        '{"genre": "a", "notes": null}',
        '{"genre": "a", "local": [{"start_seconds": 3, "stop_seconds": 2, "sentence": "calm"}]}',
        '{"genre": "a", "local": [{"start_seconds": "0", "stop_seconds": 2, "sentence": "calm"}]}',
        '{"genre": "a", "local": [{"start_seconds": 0, "stop_seconds": 2, "sentence": " . "}]}',
        '{"genre": "a", "local": [{"start_seconds": 0, "sentence": "calm"}]}',
    ],
)
def test_a_file_that_is_no_anchor_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "anchor.json").write_text(text)
    with pytest.raises(InputError, match=r"anchor\.json"):
        MusicalAnchor.from_json(tmp_path / "anchor.json")


def test_every_palette_plays_its_voices() -> None:
    for style in STYLES.values():
        for role, instrument in style.palette.items():
            assert role in INSTRUMENTS[instrument].roles


def test_every_synonym_leads_to_a_known_word() -> None:
    known = set(vocabulary())
    assert {target for target in SYNONYMS.values() if target not in known} == set()
    assert not known & FILLERS - {"with", "and", "very"}


def test_the_nearest_word_of_a_words_own_place_is_the_word() -> None:
    assert all(nearest_mood(*at) == word for word, at in MOODS.items())
    assert nearest_pace(-1) == "very slow still pace"
    assert nearest_pace(1) == "very fast relentless pace"


def test_an_anchor_seen_from_a_later_moment_keeps_what_is_still_to_come() -> None:
    local = (LocalSentence(0, 2, "a"), LocalSentence(1, 4, "b"), LocalSentence(5, 6, "c"))
    seen = MusicalAnchor(prompt="film", local=local).seen_from(2)
    assert seen.local == (LocalSentence(0, 2, "b"), LocalSentence(3, 4, "c"))
