"""Rules that an image must keep, for builds that stop where it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lamella.analysis.model import Analysis
from lamella.report.text import count_of, human_size

__all__ = ["Gate", "Rules", "Verdict", "check"]

ENGINE_LAYERS = 125
"""Docker's overlay2 stacks no more; others stop a few layers later."""


@dataclass(frozen=True)
class Rules:
    """What is allowed; None: anything. The last three are those of a ``.dive-ci`` file."""

    max_dead: float | None = None
    """Part of the image, 0 to 1."""
    max_dead_bytes: int | None = None
    max_size: int | None = None
    """Bytes of all layers' tars."""
    max_layers: int | None = None
    forbid_secrets: bool = False
    min_efficiency: float | None = None
    lowest_efficiency: float | None = None
    """The same; a project may have it in two places."""
    max_wasted_bytes: int | None = None
    max_user_wasted: float | None = None
    """Wasted bytes as a part of the content above the base layer."""
    allow: tuple[str, ...] = ()
    """What is no secret, as `Allowed.parse` reads it; no rule of its own."""


@dataclass(frozen=True)
class Verdict:
    """What became of one rule."""

    rule: str
    """Its name, as in a rules file; an option of the command line without its dashes."""
    passed: bool
    found: float
    limit: float
    unit: Literal["bytes", "share", "layers", "secrets"]
    at_least: bool = False
    """Whether the limit is the least that is allowed; else it is the most."""
    warning: bool = False
    """Whether it may be broken: it is no rule that anybody gave."""

    @property
    def word(self) -> str:
        """``pass``, ``FAIL`` or ``warn``."""
        return "pass" if self.passed else "warn" if self.warning else "FAIL"

    @property
    def found_text(self) -> str:
        """What was found, for people: ``51.4 %``, ``10.2 MB``, ``1 likely secret``."""
        return self._text(self.found)

    @property
    def limit_text(self) -> str:
        """What is allowed, for people: ``at most 5 %``, ``none``."""
        if self.unit == "secrets":
            return "none"
        return f"{'at least' if self.at_least else 'at most'} {self._text(self.limit)}"

    def _text(self, value: float) -> str:
        if self.unit in {"layers", "secrets"}:
            return count_of(int(value), "layer" if self.unit == "layers" else "likely secret")
        return _precisely(value, self.unit) if self._is_close else _shortly(value, self.unit)

    @property
    def _is_close(self) -> bool:
        """Whether found and limit look alike, though they aren't."""
        texts = {_shortly(value, self.unit) for value in (self.found, self.limit)}
        return self.found != self.limit and len(texts) == 1


def _shortly(value: float, unit: str) -> str:
    return human_size(int(value)) if unit == "bytes" else f"{100 * value:.4g} %"


def _precisely(value: float, unit: str) -> str:
    return f"{int(value):,} B" if unit == "bytes" else f"{100 * value:.12g} %"


@dataclass(frozen=True)
class Gate:
    """An analysis, and what became of each rule."""

    analysis: Analysis
    verdicts: tuple[Verdict, ...]
    rules: Rules

    @property
    def has_rules(self) -> bool:
        """Whether any rule was given."""
        return self.rules != Rules()

    @property
    def passed(self) -> bool:
        """Whether no rule is broken; warnings don't count."""
        return not self.broken

    @property
    def broken(self) -> list[Verdict]:
        """Rules that are broken."""
        return [one for one in self.verdicts if not (one.passed or one.warning)]


_Check = Callable[[Analysis, Rules], Verdict | None]


def check(analysis: Analysis, rules: Rules) -> Gate:
    """Check an image against rules; what is just allowed passes."""
    found = (one(analysis, rules) for one in _CHECKS)
    return Gate(analysis, tuple(one for one in found if one is not None), rules)


def _dead(analysis: Analysis, rules: Rules) -> Verdict | None:
    share = analysis.dead_bytes / analysis.total if analysis.total else 0.0
    return _share("max-dead", share, rules.max_dead)


def _dead_bytes(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _bytes("max-dead-bytes", analysis.dead_bytes, rules.max_dead_bytes)


def _size(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _bytes("max-size", analysis.total, rules.max_size)


def _layers(analysis: Analysis, rules: Rules) -> Verdict | None:
    if rules.max_layers is None:
        return None
    count = len(analysis.layers)
    return Verdict("max-layers", count <= rules.max_layers, count, rules.max_layers, "layers")


def _engine_layers(analysis: Analysis, rules: Rules) -> Verdict | None:
    """Warn, whatever the rules are: an engine refuses such an image when it is pulled."""
    del rules
    count = len(analysis.layers)
    if count <= ENGINE_LAYERS:
        return None
    return Verdict("engine-layers", False, count, ENGINE_LAYERS, "layers", warning=True)  # noqa: FBT003 - a field


def _secrets(analysis: Analysis, rules: Rules) -> Verdict | None:
    if not rules.forbid_secrets:
        return None
    count = len(analysis.secrets or ())
    return Verdict("forbid-secrets", not count, count, 0, "secrets")


def _efficiency(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _at_least("min-efficiency", analysis.efficiency, rules.min_efficiency)


def _lowest_efficiency(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _at_least("lowestEfficiency", analysis.efficiency, rules.lowest_efficiency)


def _wasted(analysis: Analysis, rules: Rules) -> Verdict | None:
    return _bytes("highestWastedBytes", analysis.wasted, rules.max_wasted_bytes)


def _user_wasted(analysis: Analysis, rules: Rules) -> Verdict | None:
    share = analysis.wasted / analysis.user_bytes if analysis.user_bytes else 0.0
    return _share("highestUserWastedPercent", share, rules.max_user_wasted)


def _at_least(rule: str, found: float, least: float | None) -> Verdict | None:
    if least is None:
        return None
    return Verdict(rule, found >= least, found, least, "share", at_least=True)


def _share(rule: str, found: float, most: float | None) -> Verdict | None:
    return None if most is None else Verdict(rule, found <= most, found, most, "share")


def _bytes(rule: str, found: int, most: int | None) -> Verdict | None:
    return None if most is None else Verdict(rule, found <= most, found, most, "bytes")


_CHECKS: tuple[_Check, ...] = (
    _dead,
    _dead_bytes,
    _size,
    _layers,
    _secrets,
    _efficiency,
    _lowest_efficiency,
    _wasted,
    _user_wasted,
    _engine_layers,
)
