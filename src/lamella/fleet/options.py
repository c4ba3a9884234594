"""The options of a batch, as each of its tasks has them: text, numbers and lists of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lamella.operations.created import created_text
from lamella.operations.editing import allow_texts, clamp_text, pattern_texts
from lamella.operations.options import SquashOptions
from lamella.operations.request import range_texts
from lamella.restate.changes import texts_of
from lamella.transport.environment import Environment

__all__ = ["task_options"]


def task_options(options: SquashOptions, env: Environment) -> dict[str, Any]:
    """Return the options that say something, so that they say the same in any process.

    0 says something, though nothing that any of them may be.

    Raises:
        TypeError: there is no such option.
        UsageError: one makes no sense.
    """
    if unknown := sorted(options.keys() - SquashOptions.__annotations__.keys()):
        message = f"batch() got an unexpected keyword argument {unknown[0]!r}"
        raise TypeError(message)
    as_text = _settled(env)
    settled = {name: as_text.get(name, _same)(value) for name, value in _all(options).items()}
    return {
        name: value
        for name, value in settled.items()
        if value is not None and value is not False and value not in ((), "", {})
    }


def _all(options: SquashOptions) -> Mapping[str, Any]:
    """Return the options, with those for which a variable may speak."""
    return {"created": None, "history": "merge", **options}


def _settled(env: Environment) -> Mapping[str, Callable[[Any], object]]:
    return {
        "layers": range_texts,
        "platform": _text,
        "compression": _text,
        "annotations": _sorted,
        "change": texts_of,
        "unset_env": _names,
        "unset_label": _names,
        "redact_names": _names,
        "exclude": pattern_texts,
        "allow": allow_texts,
        "created": lambda created: _created(created, env),
        "clamp_mtime": lambda latest: _clamp(latest, env),
    }


def _created(created: datetime | str | None, env: Environment) -> str | None:
    """Return the time of new images as a task says it: what `env` says counts for all of them."""
    if created in {"now", "source"}:
        return str(created)
    return created_text(created, env.source_date_epoch)


def _clamp(latest: datetime | str | None, env: Environment) -> str | None:
    """Return the latest time as a task says it, whatever the variable is where that is done."""
    return None if latest is None else clamp_text(latest, env.source_date_epoch)


def _sorted(given: Mapping[str, str] | None) -> dict[str, str]:
    return dict(sorted((given or {}).items()))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(texts_of(given)))


def _same(value: object) -> object:
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
