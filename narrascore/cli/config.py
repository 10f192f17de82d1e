"""Settings: YAML files composed by Hydra, beaten by flags and by `key=value` words; no other module knows Hydra."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import narrascore
from narrascore.errors import UsageError


def find_configs() -> Path:
    """The folder of YAML files: the one inside an installed package, else the checkout's."""
    package = Path(narrascore.__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "score.yaml").is_file():
            return folder
    raise UsageError(f"no configs beside {package}; the installation is incomplete: install narrascore again")


def compose_settings(
    name: str,
    flags: Mapping[str, object],
    overrides: Sequence[str],
    *,
    groups: Collection[str] = (),
    verbatim: Collection[str] = (),
) -> dict[str, Any]:
    """Compose one command's settings.

    Args:
        name: the YAML file, without its ending.
        flags: config key to value, as given by flags; they beat the files.
        overrides: `key=value` words; they beat the files too.
        groups: keys whose value names a file of the folder of that name, or else is taken as it stands.
        verbatim: keys whose value is a path or free text. It never meets Hydra's grammar, in which
            `Film (2019), part 1.mp4` is an error, nor OmegaConf, which would resolve a `${...}` in it.

    Returns:
        A plain nested dictionary.

    Raises:
        UsageError: for an unknown key or choice, or one key given twice with different values.
    """
    plain: list[str] = []
    texts: dict[str, object] = {}
    for word in overrides:
        key, text = word.split("=", 1)
        if key in verbatim or (key in groups and not _is_choice(key, text)):
            _add(texts, key, text or None)
        else:
            plain.append(word)
    for key, value in flags.items():
        twice = [word for word in plain if word.split("=", 1)[0].lstrip("+~") == key]
        if any(_value_of(word) != value for word in twice):
            raise UsageError(f"{key} is given twice, as {value} by its flag and by {twice[0]}; keep one")
        if key in groups and _is_choice(key, value) and key not in texts:
            plain += [] if twice else [f"{key}={value}"]
        else:
            _add(texts, key, value)
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(find_configs())):
            config = compose(name, overrides=plain)
        settings = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(_explain(error, name, plain)) from error
    assert isinstance(settings, dict)
    result = {str(key): value for key, value in settings.items()}
    for key, value in texts.items():
        _set(result, key, value)
    return result


def _is_choice(group: str, value: object) -> bool:
    return (find_configs() / group / f"{value}.yaml").is_file()


def _add(texts: dict[str, object], key: str, value: object) -> None:
    if key in texts and str(texts[key]) != str(value):
        raise UsageError(f"{key} is given twice, as {texts[key]} and as {value}; keep one")
    texts[key] = value


def _value_of(word: str) -> object:
    try:
        return OverridesParser.create().parse_override(word).value()
    except HydraException as error:
        raise UsageError(_one_line(error)) from error


def _set(settings: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for part in path:
        settings = settings[part]
    assert last in settings, f"{key} is a flag without a config key"
    settings[last] = value


def _explain(error: Exception, name: str, words: Sequence[str]) -> str:
    """One line out of Hydra's several, with what there is to choose from."""
    with initialize_config_dir(version_base="1.3", config_dir=str(find_configs())):
        known = [str(key) for key in compose(name)]
    for word in words:
        key, _, value = word.partition("=")
        group = find_configs() / key
        if group.is_dir() and not _is_choice(key, value):
            choices = sorted(path.relative_to(group).with_suffix("").as_posix() for path in group.rglob("*.yaml"))
            return f"{word}: no such {key}; there are {', '.join(choices)}"
        if "." not in key and key not in known and not group.is_dir() and not key.startswith(("+", "~")):
            close = difflib.get_close_matches(key, known, n=1)
            return f"no setting {key}; " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}")
    return _one_line(error)


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("^", "full_key:", "object_type=", "See https"))]
    return "; ".join(useful[:2]) or type(error).__name__
