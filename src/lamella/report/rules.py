"""Rules that an image must keep, for builds that stop where it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lamella.analysis.model import Analysis
from lamella.report.text import count_of, human_size

__all__ = ["Rules", "Verdict", "judge"]


@dataclass(frozen=True)
class Rules:
    """What is allowed; None: anything. The last three are those of a ``.dive-ci`` file."""

    max_dead: float | None = None
    """Part of the image, 0 to 1."""
    max_dead_bytes: int | None = None
    no_secrets: bool = False
    min_efficiency: float | None = None
    lowest_efficiency: float | None = None
    """The same; a project may have it in two places."""
    max_wasted_bytes: int | None = None
    max_user_wasted: float | None = None
    """Wasted bytes as a part of the content above the base layer."""


@dataclass(frozen=True)
class Verdict:
    """What became of one rule."""

    rule: str
    """As it is called on the command line, or by dive."""
    passed: bool
    found: str
    """For people, as `limit`."""
    limit: str


_Check = Callable[[Analysis, Rules], Verdict | None]


def judge(analysis: Analysis, rules: Rules) -> list[Verdict]:
    """Hold an image against rules; what is just allowed passes."""
    found = (check(analysis, rules) for check in _CHECKS)
    return [verdict for verdict in found if verdict is not None]


def _dead(analysis: Analysis, rules: Rules) -> Verdict | None:
    if rules.max_dead is None:
        return None
    share = analysis.dead_bytes / analysis.total if analysis.total else 0.0
    return _at_most("--max-dead", share, rules.max_dead)


def _dead_bytes(analysis: Analysis, rules: Rules) -> Verdict | None:
    if rules.max_dead_bytes is None:
        return None
    return _bytes_at_most("--max-dead-bytes", analysis.dead_bytes, rules.max_dead_bytes)


def _secrets(analysis: Analysis, rules: Rules) -> Verdict | None:
    if not rules.no_secrets:
        return None
    count = len(analysis.secrets or ())
    return Verdict("--no-secrets", not count, count_of(count, "likely secret"), "none")


def _efficiency(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _at_least("--min-efficiency", analysis.efficiency, rules.min_efficiency)


def _lowest_efficiency(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _at_least("lowestEfficiency", analysis.efficiency, rules.lowest_efficiency)


def _at_least(rule: str, found: float, least: float | None) -> Verdict | None:
    if least is None:
        return None
    return Verdict(rule, found >= least, f"{found:.4f}", f"at least {least:g}")


def _wasted(analysis: Analysis, rules: Rules) -> Verdict | None:
    if rules.max_wasted_bytes is None:
        return None
    return _bytes_at_most("highestWastedBytes", analysis.wasted, rules.max_wasted_bytes)


def _user_wasted(analysis: Analysis, rules: Rules) -> Verdict | None:
    if rules.max_user_wasted is None:
        return None
    share = analysis.wasted / analysis.user_bytes if analysis.user_bytes else 0.0
    return _at_most("highestUserWastedPercent", share, rules.max_user_wasted)


def _at_most(rule: str, found: float, most: float) -> Verdict:
    return Verdict(rule, found <= most, f"{100 * found:.2f} %", f"at most {100 * most:g} %")


def _bytes_at_most(rule: str, found: int, most: int) -> Verdict:
    return Verdict(rule, found <= most, human_size(found), f"at most {human_size(most)}")


_CHECKS: tuple[_Check, ...] = (
    _dead,
    _dead_bytes,
    _secrets,
    _efficiency,
    _lowest_efficiency,
    _wasted,
    _user_wasted,
)
