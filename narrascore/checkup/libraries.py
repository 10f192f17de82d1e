"""Is what the package declares installed, in versions that it was made for? Nothing is imported to find out."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from narrascore.checkup.check import Check

NAME = "narrascore"
CHECKOUT = Path(__file__).resolve().parents[2] / "pyproject.toml"
FOR_DEVELOPERS = frozenset({"dev"})


def check_python() -> Check:
    """The interpreter against `requires-python`."""
    wanted, _ = declared()
    found = ".".join(map(str, sys.version_info[:3]))
    told = f"{found} (wanted: {wanted})"
    if wanted.contains(found, prereleases=True):
        return Check("Python", "ok", told)
    return Check("Python", "problem", told, f"install NarraScore under a Python {wanted}")


def check_libraries() -> Iterator[Check]:
    """One line for what is as it should be, and one for each library that is not."""
    _, needs = declared()
    fitting = []
    for need in needs[""]:
        found = _installed(need)
        if _fits(need):
            fitting.append(f"{need.name} {found}")
            continue
        told = f"{found or 'not installed'} (wanted: {need.specifier or 'any version'})"
        yield Check(need.name, "problem", told, f"pip install '{need.name}{need.specifier}'")
    yield Check("libraries", "ok", ", ".join(fitting))


def check_extras() -> Iterator[Check]:
    """Which of the optional dependencies are there."""
    _, needs = declared()
    for extra, wanted in needs.items():
        if extra == "" or extra in FOR_DEVELOPERS:
            continue
        missing = [need.name for need in wanted if not _fits(need)]
        if missing:
            told = f"not installed: {', '.join(missing)}"
            yield Check(f"extra {extra}", "note", told, f"pip install '{NAME}[{extra}]'")
        else:
            yield Check(f"extra {extra}", "ok", "installed")


def declared() -> tuple[SpecifierSet, dict[str, list[Requirement]]]:
    """What the package says it needs: of Python, and by extra, those of every installation under the empty name.

    A checkout's pyproject.toml is asked first: what pip noted when it was installed may be older.
    """
    if CHECKOUT.is_file():
        project = tomllib.loads(CHECKOUT.read_text(encoding="utf-8"))["project"]
        by_extra = {"": project["dependencies"], **project["optional-dependencies"]}
        needs = {extra: [Requirement(line) for line in lines] for extra, lines in by_extra.items()}
        python = project["requires-python"]
    else:
        about = metadata(NAME)
        python, needs = about["Requires-Python"], {extra: [] for extra in ("", *about.get_all("Provides-Extra", []))}
        for need in map(Requirement, requires(NAME) or []):
            extras = [extra for extra in needs if extra and need.marker and need.marker.evaluate({"extra": extra})]
            plain = need.marker is None or need.marker.evaluate({"extra": ""})
            for extra in [""] if plain else extras:
                needs[extra].append(need)
    here = {extra: [need for need in wanted if _is_for_this_machine(need, extra)] for extra, wanted in needs.items()}
    return SpecifierSet(python), here


def _is_for_this_machine(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})


def _fits(need: Requirement) -> bool:
    found = _installed(need)
    return found is not None and need.specifier.contains(found, prereleases=True)


def _installed(need: Requirement) -> str | None:
    try:
        return version(need.name)
    except PackageNotFoundError:
        return None
