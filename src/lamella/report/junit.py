"""The rules as JUnit XML, which CI servers show as tests: a test case for each rule."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from lamella.report.analyze import NOT_CHECKED
from lamella.report.rules import Gate, Verdict
from lamella.report.secret_text import holder, place
from lamella.report.text import printable
from lamella.report.verdicts import RULES, line

__all__ = ["to_junit"]


def to_junit(gate: Gate) -> str:
    """Return the document; a warning is a test that passes and says something."""
    name = printable(gate.analysis.reference)
    counts = {
        "tests": str(len(gate.verdicts)),
        "failures": str(len(gate.broken)),
        "errors": "0",
    }
    root = ET.Element("testsuites", {"name": "lamella", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts, "skipped": "0"})
    for verdict in gate.verdicts:
        case = ET.SubElement(suite, "testcase", {"classname": "lamella", "name": verdict.rule})
        if verdict in gate.broken:
            message = f"{verdict.found_text}; expected {verdict.limit_text}"
            failure = ET.SubElement(case, "failure", {"message": message, "type": verdict.rule})
            failure.text = "\n".join([RULES[verdict.rule], *_more(verdict, gate)])
        elif not verdict.passed:
            ET.SubElement(case, "system-out").text = f"{line(verdict)}. {RULES[verdict.rule]}"
    ET.indent(root)
    # ASCII: whatever the encoding of standard output is, the document is well-formed.
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root).decode()}\n'


def _more(verdict: Verdict, gate: Gate) -> list[str]:
    """What a failure tells beyond numbers."""
    if verdict.unit != "secrets":
        return []
    found = gate.analysis.secrets or ()
    places = [f"{holder(one).removeprefix('the ')}: {place(one)} ({one.kind})" for one in found]
    return [*places, NOT_CHECKED]
