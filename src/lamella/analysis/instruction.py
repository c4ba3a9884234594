"""A history entry's command, made readable: the Dockerfile instruction that it came from."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence

__all__ = ["health_check", "instruction"]

_NOP = re.compile(r"[^#\n]{1,200} #\(nop\)\s+")
_SHELL = re.compile(r"(?:RUN )?(?:\|\d+ (?P<args>.*?) )?/bin/sh -c (?P<command>.*)", re.DOTALL)
_BUILDKIT = re.compile(r"\s+# buildkit$")
# The classic builder names what it copied by a hash, and where to at the end.
_COPIED = re.compile(
    r"(?P<verb>ADD|COPY) (?P<flags>(?:--\S+ )*)"
    r"(?P<kind>dir|file|multi):[0-9a-f]+ +in +(?P<path>.+)",
    re.DOTALL,
)

# How Go prints what builders put there: the command, times, and retries as the character of that
# number; https://pkg.go.dev/github.com/moby/docker-image-spec/specs-go/v1#HealthcheckConfig
# Only escapes that Go writes: Python would warn of others on the terminal.
_ESCAPE = r"""\\[abfnrtvxuU\\'"]"""
_QUOTED = rf'"(?:[^"\\]|{_ESCAPE})*"'
_HEALTHCHECK = re.compile(
    rf"HEALTHCHECK &\{{\[(?P<test>{_QUOTED}(?: {_QUOTED})*)\]"
    rf"(?P<times>(?: {_QUOTED})+) (?P<retries>'(?:[^'\\]|{_ESCAPE}[^'\\]*)')\}}",
    re.DOTALL,
)
_TIMES = ("interval", "timeout", "start-period", "start-interval")
_KEYS = ("Interval", "Timeout", "StartPeriod", "StartInterval")
"""The same in a config, in nanoseconds."""


def instruction(created_by: str) -> str:
    """Turn a history entry's command into the Dockerfile instruction it came from.

    What the classic builder copied is shown by where it went: ``COPY dir:… /app``. A health
    check is shown as it was written, without values that are the default.
    """
    text = _BUILDKIT.sub("", created_by.strip())
    if _NOP.match(text):
        text = _NOP.sub("", text, count=1).strip()
        if copied := _COPIED.fullmatch(text):
            return "{verb} {flags}{kind}:… {path}".format_map(copied.groupdict())
        return _healthcheck(text)
    shell = _SHELL.fullmatch(text)
    return f"RUN {shell['command']}" if shell else _healthcheck(text)


def _healthcheck(text: str) -> str:
    """Write a health check as a Dockerfile has it; all other text stays as it is."""
    found = _HEALTHCHECK.fullmatch(text)
    if found is None:
        return text
    try:
        kind, *words = (_unquoted(word) for word in re.findall(_QUOTED, found["test"], re.DOTALL))
        times = [_unquoted(word) for word in re.findall(_QUOTED, found["times"])]
        retries = ord(_unquoted(found["retries"]))
    except (ValueError, SyntaxError, TypeError):
        return text
    return f"HEALTHCHECK {_check(kind, words, times, retries)}"


def _check(kind: str, words: Sequence[str], times: Iterable[str], retries: int) -> str:
    flags = [f"--{name}={time}" for name, time in zip(_TIMES, times, strict=False) if time != "0s"]
    flags += [f"--retries={retries}"] if retries else []
    check = {"NONE": "NONE", "CMD-SHELL": f"CMD {' '.join(words)}"}.get(kind)
    return " ".join([*flags, check or f"CMD {json.dumps(words, ensure_ascii=False)}"])


def health_check(value: object) -> str:
    """Write the health check of a config as a Dockerfile has it; empty: it is of another form.

    Args:
        value: of the key ``Healthcheck``.
    """
    try:
        kind, *words = map(str, value["Test"])  # type: ignore[index]
        times = [f"{value.get(key, 0) / 10**9:g}s" for key in _KEYS]  # type: ignore[attr-defined]
        return _check(kind, words, times, int(value.get("Retries", 0)))  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return ""


def _unquoted(literal: str) -> str:
    """Read a string as Go quotes it; its escapes are Python's, too."""
    return str(ast.literal_eval(literal))
