"""Fields in which two documents differ, each by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lamella.spec.json import Number

__all__ = ["FieldChange", "compare_configs", "compare_values", "shown_value"]

_CHANGED_BY_SQUASH = frozenset({"rootfs", "history", "created"})
_SETTINGS = "config"
_VARIABLES = "Env"


@dataclass(frozen=True)
class FieldChange:
    """One field that two documents have otherwise; None: it is absent."""

    field: str
    before: object
    after: object

    def to_json(self) -> dict[str, object]:
        """Return it as documents have it (see docs/json.md)."""
        return {"field": self.field, "before": self.before, "after": self.after}

    def __str__(self) -> str:
        return f"{self.field or _SETTINGS}: {shown_value(self.before)} → {shown_value(self.after)}"


def shown_value(value: object) -> str:
    """Return the value of a field as text; None: there is none."""
    match value:
        case None:
            return "none"
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def compare_configs(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[FieldChange]:
    """Yield the fields of two configs that differ, but for those that a squash has to change.

    Each variable and each label is a field of its own: ``Env.PATH``. Settings, the fields of
    ``config``, have their own names alone.
    """
    for key in sorted((ours.keys() | theirs.keys()) - _CHANGED_BY_SQUASH):
        name = "" if key == _SETTINGS else key
        yield from compare_values(name, ours.get(key), theirs.get(key))


def compare_values(name: str, one: object, other: object) -> Iterator[FieldChange]:
    """Yield what differs in two values of a field, as deep as they have fields."""
    if one == other:
        return
    ours, theirs = (_fields(name, value) for value in (one, other))
    if ours == theirs or ours is None or theirs is None:
        yield FieldChange(name, _plain(one), _plain(other))
        return
    for key in sorted(ours.keys() | theirs.keys()):
        inner = f"{name}.{key}" if name else key
        yield from compare_values(inner, ours.get(key), theirs.get(key))


def _plain(value: object) -> object:
    """Return a value that any JSON encoder can say: a number that Python can't hold is a text."""
    match value:
        case Number():
            return value.text
        case list():
            return list(map(_plain, value))
        case dict():
            return {name: _plain(item) for name, item in value.items()}
    return value


def _fields(name: str, value: object) -> Mapping[str, object] | None:
    """Return what can be compared one by one; nothing at all is no fields; None: it can't be."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if name.rpartition(".")[2] != _VARIABLES or not isinstance(value, list):
        return None
    found = dict(str(line).partition("=")[::2] for line in value)
    return found if len(found) == len(value) else None
