"""Every reader by every instruction; a reply that breaks the schema is asked for again, and what then follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.lexicon import FILLERS, vocabulary
from narrascore.perception.anchor_reader import KEPT_CHARACTERS, LanguageAnchorReader, load_anchor_reader
from narrascore.perception.anchor_settings import AnchorSettings, ApiSettings, InstructionName, ReaderName
from narrascore.perception.api_reader import KEY_VARIABLE
from narrascore.perception.cinematic import STATE_NAMES
from narrascore.perception.instructions import PLAIN, hmc_instruction
from narrascore.perception.reading import FilmReading
from tests.perception.endpoint import says, serving

GOOD = "genre: chamber score\ninstruments: solo viola and harp\nmood: wistful\npace: slow and free"
SENTENCE = "chamber score, with solo viola and harp, wistful, slow and free"
CAPTION = "A man walks his dog along the beach."
BAD = GOOD.replace("wistful", "a sad man")
KEY = "sk-a-key-that-nobody-may-see"
CURVE = AffectCurve(np.full((4, 2), (-0.4, 0.5), np.float32))
KEYFRAMES = [(0.5, np.zeros((8, 12, 3), np.uint8)), (2.0, np.full((8, 12, 3), 200, np.uint8))]
READING = FilmReading(np.zeros((4, 7), np.float32), "vlm", KEYFRAMES)


class ScriptedAnswerer:
    """Says its replies in turn and keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []
        self.times: list[list[float]] = []

    def answer(
        self, pictures: Sequence[tuple[float, NDArray[np.uint8]]], instruction: str, *, max_new_tokens: int = 256
    ) -> str:
        self.asked.append(instruction)
        self.times.append([seconds for seconds, _ in pictures])
        return self.replies[len(self.asked) - 1]

    def describe(self) -> dict[str, object]:
        return {"model": "scripted"}


def test_a_good_reply_is_the_anchor() -> None:
    answerer = ScriptedAnswerer(GOOD)
    anchor = LanguageAnchorReader(answerer, "vlm")(READING, CURVE)
    assert anchor.sentence == SENTENCE
    assert (anchor.genre, anchor.instruments, anchor.mood, anchor.pace) == (
        "chamber score", "solo viola and harp", "wistful", "slow and free",
    )  # fmt: skip
    assert (anchor.reader, anchor.keyframe_seconds) == ("vlm", (0.5, 2.0))
    assert anchor.notes == {"instruction": "hmc", "reply 1": GOOD}
    assert (answerer.asked, answerer.times) == ([hmc_instruction()], [[0.5, 2.0]])


def test_a_bad_reply_is_asked_for_again_and_told_why() -> None:
    answerer = ScriptedAnswerer(BAD, "", GOOD)
    anchor = LanguageAnchorReader(answerer, "vlm")(READING, CURVE)
    assert anchor.sentence == SENTENCE
    assert anchor.notes == {"instruction": "hmc", "reply 1": BAD, "reply 2": "", "reply 3": GOOD}
    assert all(asked.startswith(hmc_instruction()) for asked in answerer.asked)
    assert "mood names what is seen, not heard: man" in answerer.asked[1]
    assert "man" not in answerer.asked[2].removeprefix(hmc_instruction())
    assert "genre is missing" in answerer.asked[2]


@pytest.mark.parametrize("instruction", ["hmc", "plain"])
def test_after_three_bad_replies_the_curve_speaks_and_the_user_is_warned(instruction: InstructionName) -> None:
    answerer = ScriptedAnswerer("", "一只狗", "*" * 9000)
    anchor = LanguageAnchorReader(answerer, "vlm", instruction)(READING, CURVE)
    assert len(answerer.asked) == 3
    assert (anchor.reader, anchor.mood, anchor.pace) == ("curve", "tense and restless", "fast driving pace")
    assert set(anchor.sentence.replace(",", "").split()) <= set(vocabulary()) | FILLERS
    assert anchor.notes["warning"].startswith("the anchor comes from the affect curve alone: the reader vlm")
    assert anchor.notes["reply 2"] == "一只狗"
    assert len(anchor.notes["reply 3"]) == KEPT_CHARACTERS
    assert anchor.keyframe_seconds == (0.5, 2.0)


def test_a_reading_without_keyframes_is_asked_about_nothing() -> None:
    answerer = ScriptedAnswerer()
    anchor = LanguageAnchorReader(answerer, "vlm")(FilmReading(READING.states, "vlm"), CURVE)
    assert answerer.asked == []
    assert "no keyframes" in anchor.notes["warning"]


def test_plain_asks_for_what_is_seen_and_tells_the_music_that() -> None:
    answerer = ScriptedAnswerer(CAPTION)
    anchor = LanguageAnchorReader(answerer, "vlm", "plain", prefer_lexicon=True)(READING, CURVE)
    assert answerer.asked == [PLAIN]
    assert anchor.sentence == CAPTION.removesuffix(".")
    assert (anchor.genre, anchor.instruments, anchor.mood, anchor.pace, anchor.prompt) == ("",) * 5


def test_the_lexicon_is_offered_where_the_music_knows_no_more() -> None:
    offered = LanguageAnchorReader(ScriptedAnswerer(), "vlm", prefer_lexicon=True)
    assert all(word in offered.text for word in ("tremolo strings", "jazz noir score", "ominous", "fast driving pace"))
    assert "tremolo strings" not in LanguageAnchorReader(ScriptedAnswerer(), "vlm").text


def film_for(reader: ReaderName) -> FilmReading:
    if reader != "cinematic":
        return READING
    states = np.zeros((4, len(STATE_NAMES)), np.float32)
    states[:, STATE_NAMES.index("brightness")] = 0.1
    return FilmReading(states, "cinematic", KEYFRAMES)


@pytest.mark.parametrize("instruction", ["hmc", "plain"])
@pytest.mark.parametrize("reader", ["cinematic", "vlm", "api"])
def test_every_reader_by_every_instruction(
    reader: ReaderName, instruction: InstructionName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    words = GOOD if instruction == "hmc" else CAPTION
    reading, said = film_for(reader), list[str]()
    with serving(says(words)) as endpoint:
        settings = AnchorSettings(reader, instruction, ApiSettings(endpoint.base_url))
        read = load_anchor_reader(settings, eye=reading.eye, vlm=ScriptedAnswerer(words), notify=said.append)
        anchor = read(reading, CURVE)
    assert (anchor.reader, anchor.notes["instruction"]) == (reader, instruction)
    assert anchor.keyframe_seconds == (0.5, 2.0)
    assert "warning" not in anchor.notes
    assert bool(anchor.caption) is (instruction == "plain")
    assert bool(anchor.genre and anchor.instruments and anchor.mood and anchor.pace) is (instruction == "hmc")
    assert len(endpoint.requests) == len(said) == (reader == "api")
    about = read.describe()
    assert (about["reader"], about["instruction"]) == (reader, instruction)
    assert about.get("model") == {"cinematic": None, "vlm": "scripted", "api": "gemini-2.5-pro"}[reader]
    path = tmp_path / "anchor.json"
    path.write_text(anchor.to_json(), encoding="utf-8")
    assert MusicalAnchor.from_json(path) == anchor
    assert KEY not in f"{anchor.to_json()} {about} {said} {read!r} {settings}"


def test_the_instructions_of_a_reader_differ_in_the_manifest() -> None:
    readers = [
        LanguageAnchorReader(ScriptedAnswerer(), "vlm", "hmc"),
        LanguageAnchorReader(ScriptedAnswerer(), "vlm", "hmc", prefer_lexicon=True),
        LanguageAnchorReader(ScriptedAnswerer(), "vlm", "plain"),
    ]
    assert len({reader.describe()["instruction_sha256"] for reader in readers}) == 3


@pytest.mark.parametrize(
    ("reader", "eye", "offline", "said"),
    [
        ("api", "vlm", True, r"sends keyframes to example\.org, and --offline was asked for"),
        ("cinematic", "vlm", False, "the eye is vlm; choose vlm or api"),
        ("vlm", "cinematic", False, "VideoLLaMA3, which is not loaded"),
        (None, "vlm", False, "VideoLLaMA3, which is not loaded"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    reader: ReaderName | None, eye: str, offline: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    settings = AnchorSettings(reader, api=ApiSettings("https://example.org/v1"))
    with pytest.raises(UsageError, match=said):
        load_anchor_reader(settings, eye=eye, vlm=None, offline=offline)


def test_a_reader_that_is_not_named_is_the_eyes_own() -> None:
    assert load_anchor_reader(AnchorSettings(), eye="cinematic", vlm=None).describe()["reader"] == "cinematic"
    vlm = load_anchor_reader(AnchorSettings(), eye="vlm", vlm=ScriptedAnswerer())
    assert vlm.describe()["reader"] == "vlm"
