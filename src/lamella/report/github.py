"""The rules as workflow commands of GitHub Actions, which it shows as annotations.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator

from lamella.report.analyze import NOT_CHECKED
from lamella.report.rules import Gate
from lamella.report.secret_text import holder, place
from lamella.report.text import printable
from lamella.report.verdicts import SECRET, line

__all__ = ["to_github"]

_SHOWN = 10
"""GitHub shows no more annotations of a step."""


def to_github(gate: Gate) -> list[str]:
    """Return lines for standard output: a command for each finding, plain words for the rest."""
    return list(_iter_lines(gate))


def _iter_lines(gate: Gate) -> Iterator[str]:
    name = printable(gate.analysis.reference)
    for verdict in gate.verdicts:
        if verdict.passed:
            yield line(verdict)
            continue
        level = "warning" if verdict.warning else "error"
        text = f"{verdict.rule}: {verdict.found_text}; expected {verdict.limit_text}"
        yield _command(level, verdict.rule, f"{name}: {text}")
    secrets = gate.analysis.secrets
    level = "error" if gate.rules.forbid_secrets else "warning"
    for secret in (secrets or ())[:_SHOWN]:
        gone = f", deleted in layer {secret.removed_by}" if secret.removed_by else ""
        where = f"{holder(secret)}{gone}: {place(secret)}"
        yield _command(level, SECRET, f"{name}: {secret.kind} in {where}")
    yield "secrets were not looked for" if secrets is None else NOT_CHECKED


def _command(level: str, rule: str, message: str) -> str:
    return f"::{level} title={_property(f'lamella: {rule}')}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
