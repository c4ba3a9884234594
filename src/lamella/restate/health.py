"""HEALTHCHECK, as the config keeps it.

https://pkg.go.dev/github.com/moby/docker-image-spec/specs-go/v1#HealthcheckConfig
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["parse_health"]

_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}
_RETRIES = "retries"
_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s+")
_PART = re.compile(r"(\d{1,19}(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)", re.ASCII)
_SECOND = 10**9
_NANOSECONDS = {
    "h": 3600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    "ms": 10**6,
    "us": 1000,
    "µs": 1000,
    "ns": 1,
}
_LEAST = 10**6
_MOST = 2**63
_FORM = "expected NONE, or [--interval=TIME] [--timeout=TIME] [--retries=N] … CMD COMMAND"


def parse_health(rest: str, list_of: Callable[[str], Sequence[str] | None]) -> Mapping[str, Any]:
    """Return the field ``Healthcheck``.

    Args:
        rest: what follows the keyword.
        list_of: reads a command that is a list in JSON; None: it is none.

    Raises:
        ValueError: it makes no sense.
    """
    value: dict[str, Any] = {}
    while found := _OPTION.match(rest):
        rest = rest[found.end() :]
        value |= _option(found[1], found[2])
    kind, *command = rest.split(maxsplit=1)
    match kind.upper(), command:
        case "NONE", [] if not value:
            return {"Test": ["NONE"]}
        case "CMD", [text]:
            words = list_of(text)
            test = ["CMD-SHELL", text] if words is None else ["CMD", *words]
            return {"Test": test, **value}
    raise ValueError(_FORM)


def _option(name: str, value: str) -> dict[str, int]:
    if name in _TIMES:
        return {_TIMES[name]: _duration(name, value)}
    if name != _RETRIES:
        message = f"HEALTHCHECK has no option --{name}"
        raise ValueError(message)
    if not re.fullmatch(r"[1-9]\d{0,8}", value, re.ASCII):
        message = f"--{name}: expected a number from 1, got {value!r}"
        raise ValueError(message)
    return {"Retries": int(value)}


def _duration(name: str, text: str) -> int:
    """Read a time as Go writes it: ``1m30s``; 0 stands for the default."""
    parts = _PART.findall(text)
    whole = "".join(number + unit for number, unit in parts) == text or text == "0"
    total = sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in parts)
    if not whole or (total and not _LEAST <= total < _MOST):
        message = f"--{name}: expected a time such as 30s or 1m30s, at least 1ms, got {text!r}"
        raise ValueError(message)
    return total
