"""The forms of a report, by the names that the command line has for them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lamella.report.github import to_github
from lamella.report.junit import to_junit
from lamella.report.markdown import to_markdown
from lamella.report.rules import Gate
from lamella.report.sarif import to_sarif
from lamella.report.verdicts import to_json

__all__ = ["render"]


def render(form: str, gate: Gate, text: Sequence[str], version: str) -> str:
    """Return a report as the text of a file, which ends in a new line.

    Args:
        form: ``text``, ``json``, ``sarif``, ``junit``, ``markdown`` or ``github``.
        gate: what was found.
        text: the lines for people.
        version: of lamella.
    """
    match form:
        case "json":
            return json.dumps(to_json(gate), indent=2) + "\n"
        case "sarif":
            return json.dumps(to_sarif(gate, version), indent=2) + "\n"
        case "junit":
            return to_junit(gate)
        case "markdown":
            return _joined(to_markdown(gate))
        case "github":
            return _joined(to_github(gate))
    return _joined(text)


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
