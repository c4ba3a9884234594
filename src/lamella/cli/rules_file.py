"""The rules that a project has for its images, in ``lamella.toml`` or ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lamella.cli.rule_values import to_bytes, to_share
from lamella.errors import UsageError
from lamella.nearest import did_you_mean

if TYPE_CHECKING:
    from lamella.report.rules import Rules

__all__ = ["add_file_rules"]

RULES_FILE, PROJECT_FILE = "lamella.toml", "pyproject.toml"
_LIMIT = 1 << 20
_WORDS = {
    "bool": "a boolean",
    "dict": "a table",
    "float": "a float",
    "int": "an integer",
    "list": "an array",
    "str": "a string",
}
"""TOML's, for Python's types."""


def add_file_rules(rules: Rules, file: str | None) -> Rules:
    """Add the rules of a file; those that are there already come first.

    Args:
        rules: what the command line asks for.
        file: None: ``lamella.toml`` in the working folder, or else ``pyproject.toml`` there, if it
            has rules.

    Raises:
        UsageError: the file can't be read, or has something else in it.
    """
    found = _find(file)
    if found is None:
        return rules
    path, table = found
    values = {_field(key, path): _value(key, value, path) for key, value in table.items()}
    given = {name for name in values if getattr(rules, name) not in {None, False, ()}}
    return replace(rules, **{name: value for name, value in values.items() if name not in given})  # type: ignore[arg-type]


def _find(file: str | None) -> tuple[Path, Mapping[str, object]] | None:
    """Return the file that has rules, and them."""
    if file is not None or Path(RULES_FILE).is_file():
        path = Path(file or RULES_FILE)
        document = _read(path)
        if path.name == PROJECT_FILE:
            document = _table(_table(document, "tool", path), "lamella", path)
        return path, _rules(document, path)
    path = Path(PROJECT_FILE)
    if not path.is_file():
        return None
    ours = _table(_table(_read(path), "tool", path), "lamella", path)
    return (path, _rules(ours, path)) if ours else None


def _rules(document: Mapping[str, object], path: Path) -> Mapping[str, object]:
    others = document.keys() - {"rules"}
    if others:
        key = min(others)
        way_out = "put rules below [rules]" if key in _KINDS else "expected a table called rules"
        raise UsageError(f"{path}: unknown key {key!s:.60}; {way_out}")
    return _table(document, "rules", path)


def _table(document: Mapping[str, object], key: str, path: Path) -> Mapping[str, object]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {key}: expected a table, got {_kind(table)}")
    return table


def _read(path: Path) -> Mapping[str, object]:
    import tomllib  # noqa: PLC0415 - only who has rules waits for it

    try:
        with path.open("rb") as file:
            raw = file.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise UsageError(f"{path}: expected rules, got more than {_LIMIT} bytes")
        return tomllib.loads(raw.decode())
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also what is no UTF-8
        raise UsageError(f"{path}: invalid TOML: {error!s:.200}") from error


def _field(key: str, path: Path) -> str:
    if key in _KINDS:
        return key.replace("-", "_")
    meant = did_you_mean(key, _KINDS)
    hint = meant or f"; expected one of {', '.join(_KINDS)}"
    raise UsageError(f"{path}: unknown rule {key!s:.60}{hint}")


def _value(key: str, value: object, path: Path) -> object:
    read, example = _KINDS[key]
    try:
        return read(value)
    except (ValueError, OverflowError):
        shown = _kind(value) if isinstance(value, dict | list) else repr(value)
        message = f"{path}: {key}: expected {example}, got {shown:.60}"
        raise UsageError(message) from None


def _kind(value: object) -> str:
    return _WORDS.get(type(value).__name__, "a date")


# -- what a rule may be


def _size(value: object) -> int:
    return to_bytes(_number(value))


def _share(value: object) -> float:
    return to_share(_number(value))


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(value)
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - of the file, not of a call
    return value


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise ValueError(value)
    return tuple(value)


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(value)  # noqa: TRY004 - as above
    return str(value)


_KINDS: Mapping[str, tuple[Callable[[object], object], str]] = {
    "max-dead": (_share, 'a share like "5%" or 0.05'),
    "max-dead-bytes": (_size, 'a size like "10MB" or 4096'),
    "max-size": (_size, 'a size like "200MB" or 4096'),
    "max-layers": (_count, "1 or more"),
    "forbid-secrets": (_switch, "true or false"),
    "allow": (_lines, 'lines like ["/app/test.key", "env:DEMO_TOKEN"]'),
    "min-efficiency": (_share, 'a share like "95%" or 0.95'),
}
