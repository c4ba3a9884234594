"""An analysis and its rules as SARIF 2.1.0, which code scanners and their dashboards read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lamella.analysis.model import Analysis, Secret
from lamella.report.analyze import NOT_CHECKED_SENTENCE
from lamella.report.rules import Gate, Verdict
from lamella.report.secret_text import holder, place
from lamella.report.text import printable
from lamella.report.verdicts import RULES, SECRET
from lamella.tar.entry import path_text

__all__ = ["to_sarif"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_TAKEN_LITERALLY = "/:@"


def to_sarif(gate: Gate, version: str) -> dict[str, Any]:
    """Return a log of one run: a result for each rule that is broken and each secret.

    Args:
        gate: what was found.
        version: of lamella.
    """
    analysis = gate.analysis
    told = [one.rule for one in gate.verdicts] + ([SECRET] if analysis.secrets else [])
    results = [_of_rule(one, analysis) for one in gate.verdicts if not one.passed]
    level = "error" if gate.rules.forbid_secrets else "warning"
    results += [_of_secret(secret, level, analysis.reference) for secret in analysis.secrets or ()]
    driver = {
        "name": "lamella",
        "version": version,
        "rules": [_rule(name) for name in told],
    }
    for result in results:
        result["ruleIndex"] = told.index(result["ruleId"])
    run = {
        "tool": {"driver": driver},
        "results": results,
        "properties": {
            "image": analysis.reference,
            "id": analysis.id,
            "platform": analysis.platform,
            "passed": gate.passed,
        },
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    about = RULES[name]
    words = f"{about} {NOT_CHECKED_SENTENCE}" if name in {SECRET, "forbid-secrets"} else about
    return {
        "id": name,
        "shortDescription": {"text": about},
        "fullDescription": {"text": words},
        "help": {"text": words},
    }


def _of_rule(verdict: Verdict, analysis: Analysis) -> dict[str, Any]:
    name = printable(analysis.reference)
    text = f"{verdict.rule}: {verdict.found_text}; expected {verdict.limit_text}"
    return {
        "ruleId": verdict.rule,
        "level": "warning" if verdict.warning else "error",
        "message": {"text": f"{name}: {text}"},
        "locations": [
            {
                "physicalLocation": _file(analysis.reference),
                "logicalLocations": [{"name": name, "kind": "image"}],
            }
        ],
        "properties": {"found": verdict.found, "limit": verdict.limit, "unit": verdict.unit},
    }


def _of_secret(secret: Secret, level: str, image: str) -> dict[str, Any]:
    path = path_text(secret.path)
    shown = place(secret)
    gone = f", deleted in layer {secret.removed_by} and still shipped" if secret.removed_by else ""
    return {
        "ruleId": SECRET,
        "level": level,
        "message": {"text": f"{secret.kind} in {holder(secret)}{gone}: {shown}"},
        "locations": [
            {
                "physicalLocation": _file(path or image),
                "logicalLocations": [
                    {
                        "name": shown.rpartition("/")[2] if path else shown,
                        "fullyQualifiedName": f"{holder(secret)}{'' if path else ': '}{shown}",
                        "kind": "file" if path else "setting",
                    }
                ],
            }
        ],
        "properties": {
            "kind": secret.kind,
            "layer": secret.layer,
            "removed_by": secret.removed_by,
            "path": path,
            "where": secret.where,
            "name": secret.name,
            "shown": secret.shown,
        },
    }


def _file(name: str) -> dict[str, Any]:
    """Return a place in a file: dashboards show no result without one."""
    uri = quote(name.lstrip("/"), safe=_TAKEN_LITERALLY)
    if ":" in uri.partition("/")[0]:  # else what is before it would be a scheme
        uri = f"./{uri}"
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}
