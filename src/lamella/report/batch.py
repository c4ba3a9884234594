"""What came of many images: a line for each, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lamella.errors import common_exit_code
from lamella.report.text import count_of, fields_text, human_size, percent, printable

if TYPE_CHECKING:
    from lamella.fleet.task import Outcome

__all__ = ["Totals", "failure_line", "failure_lines", "outcome_line", "summary_lines"]

_STATE = 11
_FAILURES = 20


def outcome_line(outcome: Outcome) -> str:
    """Return the line of one image."""
    name = f"{outcome.state:<{_STATE}} {printable(outcome.source)}"
    if outcome.state == "failed":
        return f"{outcome.state:<{_STATE}} {_failure(outcome)}"
    if outcome.state == "passed over":
        return f"{name}: {outcome.reason}"
    told = f"{name} → {printable(outcome.destination)}"
    if outcome.state in {"squashed", "planned"}:
        layers = f"{outcome.layers_before} → {count_of(outcome.layers_after, 'layer')}"
        sizes = f"{human_size(outcome.bytes_before)} → {human_size(outcome.bytes_after)}"
        told = f"{told}  {layers}, {sizes}"
        changes = fields_text(outcome)
        return f"{told}; changes {changes}" if changes else told
    reason = fields_text(outcome) or outcome.reason
    return f"{told}: {reason}" if reason else told


def _failure(outcome: Outcome) -> str:
    return failure_line(outcome.source, outcome.message, outcome.exit_code)


def failure_line(name: str, message: str, exit_code: int) -> str:
    """Return what became of an image that failed; most messages begin with its name."""
    told = message.removeprefix(f"{name}: ")
    return f"{printable(name)}: {told} (exit code {exit_code})"


def failure_lines(title: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield a title, and the first of some failures below it; nothing, if there are none."""
    if lines:
        yield f"{title}:"
    yield from (f"  {line}" for line in lines[:_FAILURES])
    if len(lines) > _FAILURES:
        yield f"  … and {len(lines) - _FAILURES} more"


@dataclass
class Totals:
    """What came of all images so far."""

    states: Counter[str] = field(default_factory=Counter)
    bytes_before: int = 0
    bytes_after: int = 0
    layers_before: int = 0
    layers_after: int = 0
    failed: list[Outcome] = field(default_factory=list)
    kept: list[Outcome] | None = None
    """All of them, for a page; None: no page is wanted."""

    def add(self, outcome: Outcome) -> None:
        """Count one more image."""
        self.states[outcome.state] += 1
        self.bytes_before += outcome.bytes_before
        self.bytes_after += outcome.bytes_after
        self.layers_before += outcome.layers_before
        self.layers_after += outcome.layers_after
        if outcome.state == "failed":
            self.failed.append(outcome)
        if self.kept is not None:
            self.kept.append(outcome)

    @property
    def images(self) -> int:
        """How many there were."""
        return self.states.total()

    @property
    def saved(self) -> int:
        """Bytes of layer tars that the results have less than their sources."""
        return self.bytes_before - self.bytes_after

    @property
    def exit_code(self) -> int:
        """0 if none failed; see `errors.common_exit_code`."""
        return common_exit_code(outcome.exit_code for outcome in self.failed)


def summary_lines(totals: Totals, seconds: float) -> list[str]:
    """Return what a person sees last."""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(totals.states.items()))
    lines = [f"{count_of(totals.images, 'image')} in {seconds:.1f} s: {counts or 'nothing to do'}"]
    if totals.states["squashed"] + totals.states["planned"]:
        word = "saved" if totals.saved >= 0 else "added"
        share = percent(abs(totals.saved), totals.bytes_before)
        sizes = f"{human_size(totals.bytes_before)} → {human_size(totals.bytes_after)}"
        layers = f"{totals.layers_before} → {totals.layers_after} layers"
        lines.append(f"{word} {human_size(abs(totals.saved))} ({share}): {sizes}, {layers}")
    failed = [_failure(outcome) for outcome in totals.failed]
    return lines + list(failure_lines(f"{len(failed)} failed", failed))
