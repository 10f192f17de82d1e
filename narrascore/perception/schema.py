"""A language model's reply, read leniently and checked strictly.

Read: JSON, in a fence or bare, or lines of `field: text`, under the fields' own names or the paper's.
Checked: all four fields are there, are short, are in Latin letters, and name nothing that is seen.
"""

from __future__ import annotations

import json
import re
import textwrap
import unicodedata
from collections.abc import Mapping

from narrascore.anchor import MAX_FIELD_CHARACTERS
from narrascore.perception.instructions import DIMENSIONS, MAX_WORDS

# A label belongs to the field of which it has a word that starts so.
STEMS = {
    "genre": ("genre", "styl"),
    "instruments": ("instrument", "timbr"),
    "mood": ("mood", "emotion", "atmospher"),
    "pace": ("pace", "pacing", "rhythm", "tempo"),
}
MAX_LABEL_CHARACTERS = 60
UNANSWERED = {"", "n/a", "na", "none", "null", "unknown"}

# The rule on what is seen is a list: the words of film making, and the people and things that captions name most.
# Left out are words that music needs too: city and country are genres, a hat, a bowl and a bridge are heard.
SEEN = """
    camera cinematograph cinematography footage video clip scene shot frame keyframe close-?up zoom lens montage screen
    onscreen viewer viewpoint visual visually image picture photo photograph foreground depict depicted depicting
    man men woman women person people child children boy girl baby guy lady soldier actor actress dancer crowd face eyes
    animal dog cat horse bird fish cow sheep rabbit bunny butterfly squirrel
    car truck bus bicycle bike motorcycle train boat ship airplane plane helicopter
    street road building skyscraper window door table chair kitchen bedroom office
    forest tree mountain river ocean beach sky cloud meadow garden flower sunset sunrise snow rain
    phone computer gun sword lamp clothes shirt jacket coat
""".split()
SEEN_WORD = re.compile(rf"\b(?:{'|'.join(SEEN)})(?:s|es)?\b", re.IGNORECASE)
# What sounds, although it is called after something seen.
HEARD = re.compile(r"\b(?:frame drum|video game|motion picture|bell tree|mark tree|rain stick|train beat)s?\b", re.I)


def read_musical_reply(reply: str) -> tuple[dict[str, str], list[str]]:
    """The four fields of a reply to the instruction `hmc`.

    Returns:
        Field -> text, for those that were found, and what is wrong with them in words for the model that is asked
        again; the fields can be used if nothing is.
    """
    found = {field: _clean(text) for field, text in (_from_json(reply) or _from_lines(reply)).items()}
    fields = {field: text for field, text in found.items() if not _is_unanswered(field, text)}
    faults = [f"{field} is missing" for field in DIMENSIONS if field not in fields]
    for field in DIMENSIONS:
        faults += [f"{field} {fault}" for fault in _faults(fields.get(field, ""))]
    return {field: fields[field] for field in DIMENSIONS if field in fields}, faults


def read_caption_reply(reply: str) -> tuple[dict[str, str], list[str]]:
    """The caption in a reply to the instruction `plain`: its first two sentences, cut to what an anchor holds.

    Returns:
        `caption` -> text, and what is wrong with it, as in `read_musical_reply`.
    """
    text = re.sub(r"^\W*(?:caption|description)\W*:", "", reply.strip(), flags=re.IGNORECASE)
    sentences = re.split(r"(?<=[.!?])\s+", _clean(text))
    caption = textwrap.shorten(" ".join(sentences[:2]), MAX_FIELD_CHARACTERS, placeholder="").rstrip(" .,;")
    if not caption:
        return {}, ["it is empty"]
    return {"caption": caption}, _foreign_letters(caption)


def _faults(text: str) -> list[str]:
    faults = _foreign_letters(text)
    words = len(text.split())
    if words > MAX_WORDS or len(text) > MAX_FIELD_CHARACTERS:
        faults.append(f"has {words} words and {len(text)} characters: {MAX_WORDS} and {MAX_FIELD_CHARACTERS} are most")
    seen = sorted({match.lower() for match in SEEN_WORD.findall(HEARD.sub("", text))})
    if seen:
        faults.append(f"names what is seen, not heard: {', '.join(seen)}")
    return faults


def _foreign_letters(text: str) -> list[str]:
    """One language is asked for; a model that slips out of it slips into another script."""
    foreign = [letter for letter in text if letter.isalpha() and "LATIN" not in unicodedata.name(letter, "")]
    return ["is not in English"] if foreign else []


def _is_unanswered(field: str, text: str) -> bool:
    """Nothing, a word for nothing, or the instruction's own words."""
    return text.lower() in UNANSWERED | {field, DIMENSIONS[field]}


def _field_of(label: str) -> str | None:
    words = re.findall(r"[a-z]+", label.lower())
    for field, stems in STEMS.items():
        if any(word.startswith(stems) for word in words):
            return field
    return None


def _from_json(reply: str) -> dict[str, str]:
    try:
        data = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
    except (ValueError, RecursionError):
        return {}
    fields = _named(data)
    if not fields and len(data) == 1:  # {"music": {...}}
        (inner,) = data.values()
        fields = _named(inner) if isinstance(inner, dict) else {}
    return fields


def _named(data: Mapping[str, object]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for label, value in data.items():
        if field := _field_of(label):
            fields.setdefault(field, _as_text(value))
    return fields


def _as_text(value: object) -> str:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(_as_text(item) for item in value)
    return "" if value is None else str(value)


def _from_lines(reply: str) -> dict[str, str]:
    """`field: text` line by line; the text may stand on the line below. The first answer to each field counts."""
    reply = reply.replace("\uff1a", ":")  # the colon of Chinese typography
    reply = re.sub(rf'[;,.\s]+(?="?(?:{"|".join(DIMENSIONS)})"?\s*:)', "\n", reply, flags=re.IGNORECASE)
    fields: dict[str, str] = {}
    waiting = None
    for line in reply.splitlines():
        label, colon, text = line.partition(":")
        field = _field_of(label) if colon and len(label) <= MAX_LABEL_CHARACTERS else None
        if field is None:
            field, text = waiting, line
        if field and not fields.get(field):
            fields[field] = _clean(text)
            waiting = None if fields[field] else field
    return fields


def _clean(text: str) -> str:
    """One line without control characters, and without the marks of Markdown and JSON around it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"\s+", " ", printable).strip(" *_`\"'<>{}[],;.-")
