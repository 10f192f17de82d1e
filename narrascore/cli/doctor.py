"""`narrascore doctor`: does the default system work here, and what else would?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from narrascore.cli.records import CheckRecord, DoctorRecord, records
from narrascore.cli.words import Parser
from narrascore.errors import ModelUnavailableError, UsageError

if TYPE_CHECKING:
    from narrascore.checkup.check import Check

USAGE = "[FOLDER] [--json]"
DESCRIPTION = """\
Look at the installation and the machine: versions, FFmpeg, processor, memory, GPU, weights, sound font, optional
dependencies, and room and rights where results would go (FOLDER, by default the current one). Nothing is fetched and
nothing is written. Each line is ok, a note on something that the default system works without, or a problem with the
way out of it. Ends with 0 if the default system works, with 4 if its weights or its sound font do not, else with 3."""


def run(words: Sequence[str]) -> int:
    """Look at everything and tell of it.

    Raises:
        ModelUnavailableError: if the default system's weights or sound font do not work.
        InputError: if it does not work for another reason.
    """
    line = _parser().take_apart(words)
    if line.overrides or len(line.names) > 1:
        raise UsageError("one folder at most is looked at; narrascore doctor --help tells more")
    with records(line.json) as emit:
        problems = []
        told: DoctorRecord = {"command": "doctor", "works": True, "checks": []}
        for check in _look(Path(line.names[0] if line.names else ".")):
            print(f"{check.state:<8} {check.name}: {check.found}", flush=True)
            if check.advice:
                print(f"         -> {check.advice}", flush=True)
            told["checks"].append(_record(check))
            problems += [check] if check.state == "problem" else []
        emit({**told, "works": not problems})
        if not problems:
            print("the default system works")
            return 0
    kinds = [check.fails_as for check in problems]
    kind = ModelUnavailableError if ModelUnavailableError in kinds else kinds[0]
    raise kind(f"the default system does not work: {', '.join(check.name for check in problems)}; see above")


def _look(folder: Path) -> Iterator[Check]:
    from narrascore.checkup.check import Check
    from narrascore.checkup.libraries import check_extras, check_libraries, check_python
    from narrascore.checkup.places import check_cache, check_output, check_temporary

    yield check_python()
    yield from check_libraries()
    try:
        from narrascore.checkup.machine import (
            check_ffmpeg,
            check_gpu,
            check_instructions,
            check_memory,
            check_processor,
        )
        from narrascore.checkup.weights import check_embedded, check_paper, check_soundfont

        yield from (check_ffmpeg(), check_processor(), check_instructions(), check_memory(), check_gpu())
        yield from (check_embedded(), check_soundfont(), *check_paper())
    except (ImportError, OSError) as error:  # a library that is missing or broken is what this command is for
        yield Check("machine and weights", "problem", f"cannot be looked at: {error}", "install narrascore again")
    yield from (check_output(folder), check_cache(), check_temporary())
    yield from check_extras()


def _record(check: Check) -> CheckRecord:
    return {"name": check.name, "state": check.state, "found": check.found, "advice": check.advice}


def _parser() -> Parser:
    return Parser("doctor", DESCRIPTION, USAGE, json=True)
