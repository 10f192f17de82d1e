"""The ground: doors open one way, dependencies are declared, the wheel works from an empty folder."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import narrascore

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "narrascore"

# A room may import from its own level and from lower ones. Perception and synthesis share a level and a shut door.
LEVELS: dict[str, int] = {
    **dict.fromkeys(("errors", "affect", "anchor", "sentences", "lexicon", "windows", "checkpoint", "hub"), 0),
    **dict.fromkeys(("display", "spreadsheet", "memory"), 0),
    **dict.fromkeys(("media", "data", "files", "spans", "directions", "cues"), 1),
    **dict.fromkeys(("perception", "synthesis"), 2),
    **dict.fromkeys(("units", "manifest", "workshop", "rendering", "report_page", "parts", "eyes", "systems"), 3),
    **dict.fromkeys(("evaluation", "pipeline", "score", "report", "continuation", "composition", "editing"), 3),
    **dict.fromkeys(("job", "run", "settling", "compose_stage", "part_stage", "result_stages", "cleaning"), 3),
    **dict.fromkeys(("markers", "marker_table", "bending", "reading_stage", "reading_ahead", "turns", "take_stage"), 3),
    **dict.fromkeys(("placing", "planning", "estimate", "checkup", "score_display"), 3),
    **dict.fromkeys(("timeline", "provenance", "stems", "spotting", "cue_editing", "cue_sound"), 3),
    **dict.fromkeys(("studio", "cli"), 4),
}
SHUT = {("perception", "synthesis"), ("synthesis", "perception")}

# Heavy libraries and the rooms that may know them.
HOMES = {
    "av": {"media"},
    "decord": {"media"},
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "demucs": {"data"},
    "httpx2": {"perception"},
    "matplotlib": {"report", "evaluation"},
    "opentimelineio": {"timeline"},
    "gradio": {"studio"},
    "starlette": {"studio"},
}


# Imported in another interpreter, which has nothing of ours: no dependency of this package.
ELSEWHERE = {"narrascore/evaluation/vibenet_child.py: vibenet"}


def imports_of(path: Path) -> Iterator[str]:
    """Full names of everything a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports here are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def requirements() -> list[Requirement]:
    """Every dependency that pyproject.toml declares, those of the extras too."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = text[text.index("\ndependencies = [") : text.index("[project.scripts]")]
    return [Requirement(found) for found in re.findall(r'^\s+"([^"]+)"', text, re.MULTILINE)]


def modules() -> list[tuple[str, Path]]:
    """(room, file) of every module but the front door, which names the pipeline without importing it."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found.append((parts[0], path))
    return found


def wrong_doors(room: str, imported: Iterator[str]) -> list[str]:
    """Imports that lead upwards, or between perception and synthesis."""
    wrong = []
    for name in imported:
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top in ("recipes", "scripts", "tests", "benchmarks"):
            wrong.append(name)
        elif top == "narrascore" and target in LEVELS:
            shut = LEVELS[target] > LEVELS[room] or (room, target) in SHUT
            wrong += [name] if shut else []
    return wrong


def test_every_module_stands_in_a_room() -> None:
    assert {room for room, _ in modules()} <= set(LEVELS)


def test_doors_open_one_way() -> None:
    wrong = {str(path.relative_to(ROOT)): wrong_doors(room, imports_of(path)) for room, path in modules()}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("room", "name", "is_wrong"),
    [
        ("media", "narrascore.pipeline.Pipeline", True),
        ("perception", "narrascore.synthesis.codec.Codec", True),
        ("errors", "narrascore.cli.main", True),
        ("evaluation", "recipes.embedded.compose", True),
        ("pipeline", "narrascore.perception.reading.FilmReading", False),
        ("media", "narrascore.errors.InputError", False),
    ],
)
def test_the_walk_sees_a_wrong_door(room: str, name: str, is_wrong: bool) -> None:
    assert bool(wrong_doors(room, iter([name]))) is is_wrong


def test_heavy_libraries_stay_in_their_rooms() -> None:
    strays = [
        f"{path.relative_to(ROOT)}: {name}"
        for room, path in modules()
        for name in imports_of(path)
        if room not in HOMES.get(name.split(".")[0], {room})
    ]
    assert strays == []


def test_everything_imported_is_declared() -> None:
    declared = {_canonical(requirement.name) for requirement in requirements()}
    homes = packages_distributions()
    homes |= {"decord": ["decord"], "demucs": ["demucs"], "omegaconf": ["hydra-core"]}  # extras; hydra's own half
    undeclared = set()
    for _, path in modules():
        for name in imports_of(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top == "narrascore":
                continue
            names = {_canonical(distribution) for distribution in homes.get(top, [top])}
            if not names & declared:
                undeclared.add(f"{path.relative_to(ROOT)}: {top}")
    assert undeclared == ELSEWHERE


def test_tested_versions_satisfy_the_declared_ranges() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {_canonical(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    for requirement in requirements():
        version = pinned[_canonical(requirement.name)]
        assert version in requirement.specifier, f"{requirement} is tested with {version}"


def test_what_is_built_is_ignored() -> None:
    built = ["build/x", "dist/x", ".venv/x", "a.narrascore/manifest.json", "a.scored.mp4", "outputs/x"]
    kept = ["narrascore/data/shards.py", "narrascore/weights/embedded/model.safetensors", "configs/score.yaml"]
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", *built, *kept], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode == 128:
        pytest.skip("not a git checkout")
    assert answer.stdout.split() == built


def test_front_door_is_light_and_complete() -> None:
    code = (
        "import sys, narrascore; assert 'torch' not in sys.modules; print(narrascore.AffectCurve, narrascore.Pipeline)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert set(narrascore.__all__) == set(dir(narrascore))
    with pytest.raises(AttributeError, match="no attribute 'Symphony'"):
        _ = narrascore.Symphony


def test_no_machine_or_registry_is_named() -> None:
    texts = [*ROOT.glob("*.toml"), *ROOT.glob("*.txt"), *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / ".ci" / "run"]
    named = re.compile(r"pypi\.org|pythonhosted|index-url|find-links|/work/|/tmp/|/home/")
    assert [path.name for path in texts if named.search(path.read_text(encoding="utf-8"))] == []


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network and laid out as an installation."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_wheel_carries_configs_and_weights_and_no_tests(unpacked: Path) -> None:
    for folder, inside in ((ROOT / "configs", "configs"), (PACKAGE / "weights", "weights")):
        wanted = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        carried = {path.relative_to(unpacked / "narrascore" / inside) for path in _files(unpacked, inside)}
        assert carried == wanted
    assert {"page.html", "page.css", "page.js"} <= {path.name for path in _files(unpacked, "report_page")}
    tops = {path.name for path in unpacked.iterdir()}
    assert tops == {"narrascore", f"narrascore-{narrascore.__version__}.dist-info"}


def test_wheel_works_from_an_empty_folder(unpacked: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(unpacked)}
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert "--prompt" in run("-m", "narrascore.cli.main", "score", "--help").stdout
    code = (
        "import narrascore.cli.config as c; from pathlib import Path; "
        "assert c.find_configs() == Path(c.__file__).resolve().parent.parent / 'configs'; "
        "print(c.compose_settings('score', {'seed': 3}, ['system=paper'], groups=('system',)))"
    )
    answer = run("-c", code)
    assert answer.returncode == 0, answer.stderr
    assert "'seed': 3" in answer.stdout and "'system': 'paper'" in answer.stdout


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _files(site: Path, inside: str) -> list[Path]:
    return [path for path in (site / "narrascore" / inside).rglob("*") if path.is_file()]
