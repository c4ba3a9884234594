"""The rules that a project has for dive, in a ``.dive-ci`` file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lamella.cli.rule_values import to_bytes, to_share
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.report.rules import Rules

__all__ = ["add_dive_rules"]

DIVE_FILE = ".dive-ci"
_DIVE_LIMIT = 1 << 16
_DEEPEST = 20
_Value = TypeVar("_Value", int, float)
_OFF = frozenset({"", "disabled", "off", "false", "none"})


def add_dive_rules(rules: Rules, file: str | None) -> Rules:
    """Add the rules that a project has for dive.

    They are in ``.dive-ci``, in the working folder or where `file` says. What it doesn't tell is as
    dive has it: an efficiency of 0.9, and a tenth of the content above the base wasted.
    https://github.com/wagoodman/dive#ci-integration

    Args:
        rules: what the command line asks for.
        file: None: the file of the working folder, if there is one.

    Raises:
        UsageError: the file can't be read, or has other rules.
    """
    path = Path(file or DIVE_FILE)
    if file is None and not path.is_file():
        return rules
    told = _read(path)
    known = {"lowestEfficiency": "0.9", "highestWastedBytes": "", "highestUserWastedPercent": "0.1"}
    for key in told:
        if key not in known:
            raise UsageError(f"{path}: unknown rule {key}; there are {', '.join(known)}")
    values = known | {key: str(value) for key, value in told.items()}

    def rule(key: str, convert: Callable[[str], _Value], example: str) -> _Value | None:
        text = values[key].strip()
        if text.lower() in _OFF:
            return None
        try:
            return convert(text)
        except (ValueError, OverflowError):
            message = f"{path}: {key}: expected {example} or disabled, got {text!r:.60}"
            raise UsageError(message) from None

    return replace(
        rules,
        lowest_efficiency=rule("lowestEfficiency", to_share, "a number from 0 to 1"),
        max_wasted_bytes=rule("highestWastedBytes", to_bytes, "a size like 20MB"),
        max_user_wasted=rule("highestUserWastedPercent", to_share, "a number from 0 to 1"),
    )


def _check_tokens(path: Path, raw: bytes) -> None:
    """Refuse what would take long to read.

    Aliases multiply, and each bracket that is open costs time at each further token.
    """
    import yaml  # noqa: PLC0415 - few builds have such a file

    depth = 0
    for token in yaml.scan(raw):
        if isinstance(token, yaml.AliasToken):
            raise UsageError(f"{path}: expected plain values, got an alias")
        if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
            depth += 1
        elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
            depth -= 1
        if depth > _DEEPEST:
            raise UsageError(f"{path}: invalid YAML: brackets nested more than {_DEEPEST} deep")


def _read(path: Path) -> dict[str, object]:
    import yaml  # noqa: PLC0415 - few builds have such a file

    value: object
    try:
        with path.open("rb") as file:
            raw = file.read(_DIVE_LIMIT + 1)
        if len(raw) > _DIVE_LIMIT:
            raise UsageError(f"{path}: expected rules, got more than {_DIVE_LIMIT} bytes")
        _check_tokens(path, raw)
        value = yaml.safe_load(raw)
    except (RecursionError, ValueError) as error:  # nested too deeply; a date that is none
        raise UsageError(f"{path}: invalid YAML: {error!s:.200}") from error
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: invalid YAML: {' '.join(str(error).split())}") from error
    rules: object = value.get("rules") if isinstance(value, dict) else None
    if not isinstance(rules, dict):
        raise UsageError(f"{path}: expected rules below the key rules, as dive reads them")
    for key, found in rules.items():
        if not isinstance(found, str | int | float | None):
            raise UsageError(
                f"{path}: {key!s:.60}: expected one value, got a {type(found).__name__}"
            )
    try:
        return {f"{key!s:.60}": str(found) for key, found in rules.items()}
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"{path}: {error}") from error
