"""What became of the rules, in words and as JSON; what no look for secrets has seen."""

from __future__ import annotations

from typing import Any

from lamella.report.analyze import to_json as analysis_to_json
from lamella.report.rules import Gate, Verdict

__all__ = ["RULES", "SECRET", "line", "to_json"]

SECRET = "likely-secret"  # noqa: S105 - the name of a rule
"""What each secret is called where findings have the names of rules."""
RULES = {
    "max-dead": "Limits the share of the image that later layers delete or replace.",
    "max-dead-bytes": "Limits the bytes that later layers delete or replace.",
    "max-size": "Limits the size of all layers' tars.",
    "max-layers": "Limits the number of layers.",
    "forbid-secrets": "No layer and no setting has a likely secret, not even a deleted file.",
    "min-efficiency": "The efficiency, as dive counts it, is high enough.",
    "lowestEfficiency": "dive's rule: the efficiency is high enough.",
    "highestWastedBytes": "dive's rule: not too many bytes are stored more than once.",
    "highestUserWastedPercent": "dive's rule: little above the base is stored more than once.",
    "engine-layers": "Engines refuse images with too many layers: Docker's overlay2 takes 125.",
    SECRET: "This looks like a secret. A file that a later layer deletes still ships.",
}
"""What each rule is about."""


def line(verdict: Verdict) -> str:
    """Return one line: ``FAIL  max-dead: 51.4 %; expected at most 5 %``."""
    return f"{verdict.word}  {verdict.rule}: {verdict.found_text}; expected {verdict.limit_text}"


def to_json(gate: Gate) -> dict[str, Any]:
    """Return the document of ``lamella analyze --json``, with the rules if any were given."""
    document = analysis_to_json(gate.analysis)
    if gate.has_rules:
        document["passed"] = gate.passed
        document["rules"] = [_to_json(verdict) for verdict in gate.verdicts]
    return document


def _to_json(verdict: Verdict) -> dict[str, object]:
    return {
        "rule": verdict.rule,
        "level": "warning" if verdict.warning else "error",
        "passed": verdict.passed,
        "found": verdict.found,
        "limit": verdict.limit,
        "unit": verdict.unit,
    }
