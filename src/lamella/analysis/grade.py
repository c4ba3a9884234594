"""One letter for an image, by a rule that fits a line."""

from __future__ import annotations

from typing import NamedTuple

from lamella.analysis.model import Analysis

__all__ = ["RULE", "Grade", "grade"]

_BOUNDS = {"A": 0.05, "B": 0.10, "C": 0.20, "D": 0.40}
"""The most of an image that may be dead."""
_WORST, _SECRETS = "E", "F"
RULE = (
    "By the dead share of all layers: "
    + ", ".join(f"{letter} up to {share:.0%}" for letter, share in _BOUNDS.items())
    + f", {_WORST} above. A likely secret in any layer: {_SECRETS}."
)


class Grade(NamedTuple):
    """A letter, and why it is that one."""

    letter: str
    reason: str


def grade(analysis: Analysis) -> Grade:
    """Return the grade of an image."""
    share = analysis.dead_bytes / (analysis.total or 1)
    if analysis.secrets:
        count = len(analysis.secrets)
        return Grade(_SECRETS, f"{count} likely secret{'' if count == 1 else 's'}")
    letter = next((one for one, most in _BOUNDS.items() if share <= most), _WORST)
    unknown = "; secrets were not looked for" if analysis.secrets is None else ""
    return Grade(letter, f"{100 * share:.1f} % is dead{unknown}")
