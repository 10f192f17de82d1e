"""From a plain dictionary of settings to a frozen dataclass, every value checked against its annotation."""

from __future__ import annotations

import contextlib
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from narrascore.errors import UsageError

Settings = TypeVar("Settings")


def read_settings(kind: type[Settings], values: Mapping[str, object], where: str = "") -> Settings:
    """Build a dataclass of settings.

    Args:
        kind: the dataclass. Its fields are `str`, `int`, `float`, `bool`, `Path`, `Literal[...]`, `tuple[...]`,
            `Mapping[str, ...]`, another such dataclass, or one of these or None.
        values: field name to value, nested as the dataclasses are; a field left out keeps its default.
        where: the key under which these values stand, for messages.

    Raises:
        UsageError: naming the key, the value and what is accepted.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {where}{close[0]}?" if close else f"there are {', '.join(names)}"
            raise UsageError(f"no setting {where}{name}; {hint}")
    checked = {name: _read(hints[name], value, f"{where}{name}") for name, value in values.items()}
    try:
        return kind(**checked)
    except ValueError as error:  # a rule between two values, stated by the dataclass itself
        raise UsageError(str(error)) from error


def _read(hint: Any, value: object, key: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        if value is None and len(kinds) < len(get_args(hint)):
            return None
        return _read_either(kinds, value, key)
    if is_dataclass(hint) and isinstance(value, Mapping):
        return read_settings(typing.cast(type, hint), value, f"{key}.")
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        raise UsageError(f"{key} is one of {', '.join(map(str, get_args(hint)))}: got {value}")
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise UsageError(f"{key} must be names with values, such as {key}={{name: value}}: got {value!r}")
        return {str(name): _read(get_args(hint)[1], item, f"{key}.{name}") for name, item in value.items()}
    if get_origin(hint) is tuple:
        return _read_tuple(get_args(hint), value, key)
    if hint is Path and isinstance(value, (str, Path)) and str(value):
        return Path(value).expanduser()
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
    raise UsageError(f"{key} must be {wanted.get(hint, hint)}: got {value!r}")


def _read_either(kinds: list[Any], value: object, key: str) -> Any:
    """By the first kind that takes the value; where none does, the first one says what it wants."""
    for kind in kinds[1:]:
        with contextlib.suppress(UsageError):
            return _read(kind, value, key)
    return _read(kinds[0], value, key)


def _read_tuple(kinds: tuple[Any, ...], value: object, key: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise UsageError(f"{key} must be a list, such as {key}=[...]: got {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise UsageError(f"{key} must be a list of {len(kinds)}: got {value!r}")
    return tuple(_read(kind, item, key) for kind, item in zip(kinds, value, strict=True))
