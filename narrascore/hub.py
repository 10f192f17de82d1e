"""Checkpoints that are not in the package: where they lie on this machine, how they come here, under which licence.

Everything else that loads weights takes a folder; this module alone turns an id on the hub into one.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrascore.errors import InputError, ModelUnavailableError, NarraScoreError

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
"""What is fetched: settings, weights, vocabularies and the page; never a pickle, never code."""
CARD_FILE = "narrascore.json"
MARGIN_BYTES = 2**30

PREVIEW = "Apache-2.0, but its page also calls it a research preview for non-commercial use only"
LICENCES = {
    "facebook/musicgen-": "CC-BY-NC-4.0 (weights)",
    "lkhl/VideoLLaMA3-": PREVIEW,
    "DAMO-NLP-SG/VideoLLaMA3-": PREVIEW,
    "adefossez/HTDemucs": "MIT",
}
"""Beginning of an id -> the licence that its page on the hub states."""
UNKNOWN_LICENCE = "unknown: see the checkpoint's own page"
COMMERCIAL = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0")
"""Licences that allow commercial use; whatever is not among them, or says more than one, is taken not to."""

SETS = {"paper": ("DAMO-NLP-SG/VideoLLaMA3-2B", "facebook/musicgen-small")}
"""System -> the checkpoints it is made of."""


@dataclass(frozen=True)
class Parcel:
    """A checkpoint as the hub describes it before anything is fetched.

    Attributes:
        name, revision: id and commit.
        licence: what its page states, as far as this project knows it.
        size_bytes: of all its files.
        missing_bytes: what is not on this machine yet.
    """

    name: str
    revision: str
    licence: str
    size_bytes: int
    missing_bytes: int


def find_checkpoint(name: str | Path, *, revision: str | None = None, offline: bool = False) -> Path:
    """The folder of a checkpoint, fetched from the hub if need be; a fetch that was stopped goes on.

    Args:
        name: a folder, or an id such as `facebook/musicgen-small`.
        revision: branch, tag or commit of an id.
        offline: open no socket; what is not on this machine is an error.

    Raises:
        ModelUnavailableError: naming the id, why it cannot be had, and the ways to have it.
    """
    if Path(name).is_dir():
        return Path(name)
    if not ID.fullmatch(str(name)):
        raise ModelUnavailableError(f"{name}: neither a folder nor an id on the hub, such as facebook/musicgen-small")
    return Path(_ask_hub(str(name), revision=revision, local_files_only=offline))


def look_up(name: str, *, revision: str | None = None, to: Path | None = None) -> Parcel:
    """Ask the hub what a checkpoint weighs, and what of it is missing here.

    Raises:
        ModelUnavailableError: if the hub cannot be asked or has no such checkpoint.
    """
    files = _ask_hub(name, revision=revision, local_dir=to, dry_run=True)
    if not any(file.filename.endswith(".safetensors") for file in files):
        raise ModelUnavailableError(f"{name}: has no weights in safetensors, and nothing else is loaded")
    return Parcel(
        name,
        files[0].commit_hash,
        licence_of(name),
        sum(file.file_size for file in files),
        sum(file.file_size for file in files if file.will_download),
    )


def download(parcel: Parcel, to: Path | None = None) -> Path:
    """Fetch a checkpoint, whole, into the hub's cache or a folder; what is there already is not fetched again.

    A folder gets a card with name, revision and licence, which its files do not say of themselves.

    Raises:
        ModelUnavailableError: if the hub cannot be asked.
        InputError: if the disk is too small.
    """
    if to is not None:
        _check_room(to, parcel.missing_bytes)
    folder = Path(_ask_hub(parcel.name, revision=parcel.revision, local_dir=to))
    if to is not None:
        card = {"name": parcel.name, "revision": parcel.revision, "licence": parcel.licence}
        (folder / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return folder


def cache_folder() -> Path:
    """Where the hub's library keeps what it fetches."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def licence_of(name: str | Path) -> str:
    """The licence of a folder's checkpoint, by its card, or of an id."""
    licence = read_card(name).get("licence")
    if licence:
        return str(licence)
    return next((licence for start, licence in LICENCES.items() if str(name).startswith(start)), UNKNOWN_LICENCE)


def commit_of(folder: Path) -> str:
    """The commit that a folder was fetched at, by its card or its place in the hub's cache; empty if neither tells."""
    if COMMIT.fullmatch(folder.name):
        return folder.name
    return str(read_card(folder).get("revision", ""))


def read_card(folder: str | Path) -> dict[str, Any]:
    """What `narrascore.json` in a checkpoint's folder says of it; empty where there is none.

    Raises:
        InputError: if it is not what the recipe or a download wrote.
    """
    path = Path(folder) / CARD_FILE
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return dict(card)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}; it must be the JSON that the recipe or a download wrote") from error


def refuse_unless_commercial(names: list[str]) -> None:
    """Refuse checkpoints whose licence does not allow commercial use, or is not known to.

    Raises:
        ModelUnavailableError: naming the first of them, before anything is loaded.
    """
    for name in names:
        licence = licence_of(name)
        if licence.lower() not in COMMERCIAL:
            raise ModelUnavailableError(
                f"{name}: its licence is {licence}, and --require-commercial was asked for; use the embedded system, "
                "whose weights are Apache-2.0"
            )


def _ask_hub(name: str, **how: Any) -> Any:
    """`snapshot_download`, whose many ways to fail become one line each."""
    from huggingface_hub import errors, snapshot_download  # takes a third of a second

    try:
        return snapshot_download(name, allow_patterns=list(FILES), **how)
    except errors.GatedRepoError as error:
        raise _unavailable(name, "its licence must be accepted on its page first") from error
    except errors.RevisionNotFoundError as error:
        raise _unavailable(name, f"has no revision {how.get('revision')}") from error
    except errors.RepositoryNotFoundError as error:
        raise _unavailable(name, "the hub has no such checkpoint, or it is private") from error
    except (errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError) as error:
        where = "on this machine" if how.get("local_files_only") else "on this machine, and the hub cannot be reached"
        raise _unavailable(name, f"not {where}") from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name}: cannot be written ({error.strerror}); make room or choose --to DIR") from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise _unavailable(name, f"could not be fetched ({reason})") from error


def _unavailable(name: str, reason: str) -> NarraScoreError:
    return ModelUnavailableError(
        f"{name}: {reason}; where there is a connection, fetch it with `narrascore download {name} --to DIR` and give "
        "that folder, or use the embedded system"
    )


def _check_room(to: Path, missing_bytes: int) -> None:
    there = next(parent for parent in (to.absolute(), *to.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < missing_bytes + MARGIN_BYTES:
        raise InputError(f"{to}: {gib(free)} are free where {gib(missing_bytes + MARGIN_BYTES)} are needed")


def gib(size_bytes: int) -> str:
    """A size as people read it."""
    return f"{size_bytes / 2**30:.2f} GiB"
