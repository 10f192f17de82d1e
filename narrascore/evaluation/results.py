"""One document out of the reports in a folder: what was measured, as it was written, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from narrascore.errors import InputError
from narrascore.files import write_text

ORDER = ("table1", "table4", "ratings", "tracking", "steps", "known_truth", "rules", "sanity", "seams")
"""Reports in the order of the document; each is `NAME.md`, and its JSON holds the command behind it."""

HEAD = """\
# Results

Written by `narrascore evaluate document=...` from the reports of one folder. Every number has its interval, and under
each report stands what it takes to repeat it. Nobody's ears were used unless a table of ratings says whose.

## In plain words

What the tables can show: whether music moves with the curve it was given, more than music without that curve does (rows
without a curve or with closed gates) and more than with a curve it was not given (the last row); how near it comes to
the composer, who wrote by the rules that the embedded model learned from; and whether its statistics, its joins and its
distances are those of held-out music of the same kind.

What they cannot show: that anyone feels what the curve says, or likes the music. Loudness, onsets, tempo and mode stand
for arousal and valence because the rules say so, and "agreement with the rules" is that and nothing more. A distance is
to pieces of the same rules, not to music that people wrote; one no larger than that of the reference against itself
says only that no difference was seen at this number of clips, and a starred one has too few clips for its dimension.
Where intervals overlap, rows are not told apart; where there are three films, hardly anything is. A dash is a number
that nobody has, with the command that would make it.
"""


def write_results(folder: Path, document: Path) -> Path:
    """Join the reports of a folder.

    Args:
        folder: where measurements were written.
        document: the Markdown to be written.

    Raises:
        InputError: if there are no reports.
    """
    found = [name for name in ORDER if (folder / f"{name}.md").is_file() and (folder / f"{name}.json").is_file()]
    if not found:
        raise InputError(f"{folder}: no reports of {', '.join(ORDER)} in it; measure something first")
    commands = [(name, json.loads((folder / f"{name}.json").read_text("utf-8"))["repeat"]["command"]) for name in found]
    contents = "\n".join(f"- {name}: `{command or 'called from Python'}`" for name, command in commands)
    # Each report is a document of its own; here its headings go one level down.
    texts = [(folder / f"{name}.md").read_text(encoding="utf-8") for name in found]
    parts = ["\n".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines()) for text in texts]
    document.parent.mkdir(parents=True, exist_ok=True)
    write_text(document, f"{HEAD}\n{contents}\n\n" + "\n\n".join(parts) + "\n")
    return document
