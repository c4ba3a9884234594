"""An analysis and its rules as Markdown, for the summary of a job or a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lamella.analysis.model import Analysis
from lamella.report.analyze import NOT_CHECKED, NOT_CHECKED_SENTENCE, best_savings
from lamella.report.rules import Gate
from lamella.report.secret_text import holder, place
from lamella.report.text import count_of, human_size, percent, printable
from lamella.tar.entry import path_text

__all__ = ["to_markdown"]

_SECRETS, _DEAD = 20, 6


def to_markdown(gate: Gate) -> list[str]:
    """Return its lines. What an image says of itself is in code spans, and does nothing there."""
    analysis = gate.analysis
    title = f"### lamella: {_code(analysis.reference)} {_outcome(gate)}"
    lines = [title.rstrip(), "", _head(analysis)]
    for part in (_rules(gate), _secrets(analysis), _dead(analysis), _squash(analysis)):
        if found := list(part):
            lines += ["", *found]
    return lines


def _outcome(gate: Gate) -> str:
    rules = [one for one in gate.verdicts if not one.warning]
    if gate.broken:
        some = f"{len(gate.broken)} of {len(rules)} rules" if len(rules) > 1 else "its rule"
        return f"violates {some}"
    return f"meets {'its rule' if len(rules) == 1 else f'all {len(rules)} rules'}" if rules else ""


def _head(analysis: Analysis) -> str:
    return (
        f"{_code(analysis.platform)}, {count_of(len(analysis.layers), 'layer')}, "
        f"{human_size(analysis.total)}: {human_size(analysis.live_bytes)} live, "
        f"{human_size(analysis.dead_bytes)} dead "
        f"({percent(analysis.dead_bytes, analysis.total)})"
    )


def _rules(gate: Gate) -> Iterator[str]:
    heads = ("", "rule", "found", "expected")
    rows = [
        (_strong(one.word, one.passed), f"`{one.rule}`", one.found_text, one.limit_text)
        for one in gate.verdicts
    ]
    return _table(heads, rows)


def _strong(word: str, passed: bool) -> str:  # noqa: FBT001 - one of two
    return word if passed else f"**{word}**"


def _secrets(analysis: Analysis) -> Iterator[str]:
    found = analysis.secrets
    if not found:
        yield (
            "Secrets were not looked for." if found is None else f"No secrets found; {NOT_CHECKED}."
        )
        return
    rows = [
        (
            one.kind,
            str(one.layer or holder(one).removeprefix("the ")),
            f"in layer {one.removed_by}" if one.removed_by else "no",
            _code(place(one)),
        )
        for one in found[:_SECRETS]
    ]
    yield from _table(("likely secret", "layer", "deleted", "place"), rows)
    more = f"{len(found) - _SECRETS} more. " if len(found) > _SECRETS else ""
    yield ""
    yield f"{more}What a layer deletes still ships with the image. {NOT_CHECKED_SENTENCE}"


def _dead(analysis: Analysis) -> Iterator[str]:
    rows = [
        (
            human_size(one.size),
            f"{one.layer} → {one.by}",
            one.cause.words,
            _path(one.path, directory=one.directory),
        )
        for one in analysis.dead[:_DEAD]
    ]
    return _table(("dead", "in → by", "why", "path"), rows)


def _squash(analysis: Analysis) -> Iterator[str]:
    for best in best_savings(analysis)[:1]:
        option = f"`lamella squash --layers {best.first}-{best.last}`"
        yield f"{option} would save {human_size(best.saved)}."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _path(path: bytes, *, directory: bool = False) -> str:
    return _code(f"/{path_text(path)}{'/' if directory else ''}")


def _code(text: str) -> str:
    """Return text as a code span, also in a cell of a table, where a bar would end it."""
    safe = printable(text).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", safe)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {safe} {fence}" if longest else f"{fence}{safe}{fence}"
