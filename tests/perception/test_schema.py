"""A reply is read leniently and checked strictly: four short fields of what is heard, in one script."""

from __future__ import annotations

import json

import pytest

from narrascore.anchor import MAX_FIELD_CHARACTERS, MusicalAnchor
from narrascore.lexicon import vocabulary
from narrascore.perception.instructions import DIMENSIONS, MAX_WORDS, PLAIN, ask_again, hmc_instruction, lexicon_words
from narrascore.perception.schema import read_caption_reply, read_musical_reply

FIELDS = {
    "genre": "modern orchestral score with folk colours",
    "instruments": "solo cello, muted brass and a soft piano",
    "mood": "tense, then tender",
    "pace": "slow pulse that gathers speed",
}
LINES = "\n".join(f"{field}: {text}" for field, text in FIELDS.items())
OBJECT = json.dumps(FIELDS)


@pytest.mark.parametrize(
    "reply",
    [
        LINES,
        LINES.upper().replace(":", " : "),
        LINES.replace("\n", "; "),
        f"Here is the music:\n\n{LINES}\n\nI hope this helps: enjoy!",
        "\n".join(f"{n}. **{field.title()}**: {text}." for n, (field, text) in enumerate(FIELDS.items(), 1)),
        "\n".join(f"- {meaning.capitalize()}:\n  {FIELDS[field]}" for field, meaning in DIMENSIONS.items()),
        LINES.replace(":", "\uff1a"),
        OBJECT,
        f"```json\n{json.dumps(FIELDS, indent=2)}\n```",
        f"Sure!\n```\n{OBJECT}\n```\nDone.",
        json.dumps({"music": FIELDS}),
        json.dumps({meaning.title(): FIELDS[field] for field, meaning in DIMENSIONS.items()}),
        json.dumps({**FIELDS, "instruments": ["solo cello", "muted brass and a soft piano"]}),
        json.dumps({**FIELDS, "comment": "none", "emotional arc": "rising"}),
        json.dumps(FIELDS, indent=1)[:-2],  # cut off where the tokens ran out
        f"{LINES}\ngenre: another\n",
    ],
)
def test_a_reply_is_read_in_any_of_its_dresses(reply: str) -> None:
    fields, faults = read_musical_reply(reply)
    assert faults == []
    assert {field: text.lower() for field, text in fields.items()} == FIELDS
    assert MusicalAnchor(**fields).sentence.lower().startswith("modern orchestral score")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mood": ""}, "mood is missing"),
        ({"mood": "N/A"}, "mood is missing"),
        ({"mood": "<emotional atmosphere>"}, "mood is missing"),
        ({"mood": "lonely, like a woman in her car"}, "mood names what is seen, not heard: car, woman"),
        ({"genre": "score for the opening scene"}, "genre names what is seen, not heard: scene"),
        ({"pace": "slow camera zooms"}, "pace names what is seen, not heard: camera, zooms"),
        ({"mood": "a close-up of children"}, "mood names what is seen, not heard: children, close-up"),
        ({"mood": "紧张 and dark"}, "mood is not in English"),
        ({"pace": "slow " * (MAX_WORDS + 1)}, "pace has 26 words"),
        ({"pace": "s" * (MAX_FIELD_CHARACTERS + 1)}, "pace has 1 words and 301 characters"),
    ],
)
def test_what_breaks_the_schema_is_said(change: dict[str, str], fault: str) -> None:
    _, faults = read_musical_reply(json.dumps({**FIELDS, **change}))
    assert len(faults) == 1
    assert faults[0].startswith(fault)
    assert faults[0] in ask_again(hmc_instruction(), faults)


@pytest.mark.parametrize(
    "reply", ["", "A man walks his dog.", "{", "[" * 3000, '{"genre": {"a": null}}', "genre:", "\0"]
)
def test_a_reply_without_fields_misses_all_four(reply: str) -> None:
    fields, faults = read_musical_reply(reply)
    assert fields == {}
    assert faults == [f"{field} is missing" for field in DIMENSIONS]


def test_music_may_be_called_after_things() -> None:
    heard = "frame drums, hand percussion, rain stick, bell tree, hi-hat, singing bowls, wind chimes, café accordion"
    named = {**FIELDS, "instruments": heard, "genre": "video game score, house, city pop, motion picture score"}
    assert read_musical_reply(json.dumps(named))[1] == []


def test_every_word_of_the_lexicon_passes_and_is_offered() -> None:
    words = lexicon_words()
    for field, phrases in words.items():
        for phrase in phrases:
            assert read_musical_reply(json.dumps({**FIELDS, field: phrase}))[1] == []
    offered = set(hmc_instruction(words).replace(",", " ").replace("\n", " ").split())
    assert set(vocabulary()) - offered <= {"epic", "romance"}  # names of styles, beside their phrases
    assert len(hmc_instruction()) < len(hmc_instruction(words))


def test_the_instructions_differ_as_the_paper_says() -> None:
    assert all(f"{field}: <{meaning}>" in hmc_instruction() for field, meaning in DIMENSIONS.items())
    assert not any(word in PLAIN.lower() for word in ("music", "heard", "compos", "mood", "genre"))
    assert read_musical_reply(hmc_instruction())[1]  # a model that repeats what it was told has said nothing


@pytest.mark.parametrize(
    ("reply", "caption"),
    [
        ("A man walks his dog. It rains. They go home.", "A man walks his dog. It rains"),
        ('**Caption:** "A man walks\nhis dog."', "A man walks his dog"),
        ("A man " + "and a dog " * 100, None),
    ],
)
def test_a_caption_is_its_first_two_sentences(reply: str, caption: str | None) -> None:
    fields, faults = read_caption_reply(reply)
    assert faults == []
    assert len(fields["caption"]) <= MAX_FIELD_CHARACTERS
    assert fields["caption"] == (caption or fields["caption"])
    assert MusicalAnchor(**fields).sentence.startswith("A man")


def test_a_caption_that_is_none_is_said() -> None:
    assert read_caption_reply(" \n**") == ({}, ["it is empty"])
    assert read_caption_reply("一个人在走路")[1] == ["is not in English"]
