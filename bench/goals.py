"""What is wanted of lamella, and what was measured of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Results:
    """Figures of a run, by case and way."""

    document: dict[str, Any]

    def values(self, case: str, way: str, what: str = "wall") -> list[float]:
        """All rounds of one figure.

        Raises:
            LookupError: it was not measured.
        """
        return [sample[what] for sample in self.document["cases"][case]["ways"][way]]

    def median(self, case: str, way: str, what: str = "wall") -> float:
        """The median of all rounds."""
        return statistics.median(self.values(case, way, what))

    def times(self, case: str, way: str, other: str, what: str = "wall") -> list[float]:
        """How many times the other's figure, round by round; the way with fewer rounds decides."""
        pairs = zip(self.values(case, way, what), self.values(case, other, what), strict=False)
        return [one / another for one, another in pairs]

    def entry_cost(self, case: str) -> list[float]:
        """Microseconds to scan and plan, for each entry."""
        entries = self.document["cases"][case]["facts"]["entries"]
        both = zip(self.values(case, "scan"), self.values(case, "plan"), strict=True)
        return [sum(seconds) / entries * 1e6 for seconds in both]


@dataclass(frozen=True)
class Goal:
    """One figure that is wanted; `measured` raises LookupError where nothing was measured."""

    text: str
    measured: Callable[[Results], Sequence[float]]
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "times"

    @property
    def wanted(self) -> str:
        """The bound in words."""
        bound = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return f"{bound} {self.unit}"

    def is_met(self, value: float) -> bool:
        """Whether a figure is good enough."""
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )


def _own_part(r: Results) -> list[float]:
    case = "archive-peers"
    own = r.median(case, "docker-squash") - r.median(case, "docker save alone")
    return [own / r.median(case, "lamella")]


def _mega(values: Sequence[float]) -> list[float]:
    return [value / 1e6 for value in values]


def _milli(values: Sequence[float]) -> list[float]:
    return [value * 1e3 for value in values]


def _entries(case: str) -> Callable[[Results], list[float]]:
    return lambda r: r.entry_cost(case)


def _growth(r: Results) -> list[float]:
    large, small = (statistics.median(r.entry_cost(f"entries-{n}")) for n in ("tiny-100", "tiny"))
    return [large / small]


def _beyond_scan(r: Results) -> list[float]:
    pairs = zip(r.values("layers", "lamella layers"), r.values("layers", "scan"), strict=True)
    return [listing - scanning for listing, scanning in pairs]


def _analysis(r: Results) -> list[float]:
    parts = [r.values("analysis", way) for way in ("scan", COPIES, "analysis")]
    return [whole / (2 * scan + copies) for scan, copies, whole in zip(*parts, strict=True)]


def _per_gigabyte(r: Results) -> list[float]:
    size = r.document["cases"]["spliced"]["facts"]["bytes"] / 1e9
    return [seconds / size for seconds in r.values("spliced", "lamella", "cpu")]


THREAD = "lamella, the thread that scans, plans and writes"
COPIES = "SHA-256 of copies and originals"
LOAD, SAVE = "docker load of the new layer", "docker save, then that load"
INFLATED, ANEW = "floor: inflate and hash", "lamella, all compressed anew"
PLACE, API = "lamella, layers in place", "lamella, layers by the API"

GOALS = [
    Goal(
        "archive → archive, times the floor",
        lambda r: r.times("archive", "lamella", "floor: hashing"),
        at_most=1.6,
    ),
    Goal(
        "the same, processor time of the thread that scans, plans and writes",
        lambda r: r.values("archive", THREAD, "cpu"),
        at_most=0.6,
        unit="s",
    ),
    Goal("the same, times faster than docker-squash without `docker save`", _own_part, at_least=40),
    Goal(
        "the same, temporary disk",
        lambda r: _mega(r.values("archive", "lamella", "temp")),
        at_most=0,
        unit="MB",
    ),
    Goal(
        "the same, peak memory",
        lambda r: _mega(r.values("archive", "lamella", "rss")),
        at_most=120,
        unit="MB",
    ),
    *(
        Goal(f"scan and plan, {count} entries", _entries(case), at_most=3.6, unit="µs each")
        for count, case in (
            ("190,000", "entries-tiny"),
            ("300,000", "entries-tiny-30"),
            ("1,000,000", "entries-tiny-100"),
        )
    ),
    Goal("an entry of 1,000,000, times one of 190,000", _growth, at_most=1.2),
    Goal(
        "within Docker, top of an image, in place, times the load of the new layer",
        lambda r: r.times("docker-top", PLACE, LOAD),
        at_most=1.3,
    ),
    Goal(
        "the same, the base not seen before",
        lambda r: r.times("docker-top", "lamella, base not seen before", LOAD),
        at_most=1.8,
    ),
    Goal(
        "the same by the API, times `docker save` and that load",
        lambda r: r.times("docker-top", API, SAVE),
        at_most=1.1,
    ),
    Goal(
        "the same in place, times faster than docker-squash",
        lambda r: r.times("docker-top", "docker-squash", PLACE),
        at_least=10,
    ),
    Goal(
        "within Docker, a whole image, times the load of the new layer",
        lambda r: r.times("docker-whole", PLACE, LOAD),
        at_most=1.15,
    ),
    Goal(
        "registry → registry, base of 1.7 GB, times that of 0.1 GB",
        lambda r: r.times("registry", "lamella, large base", "lamella, small base"),
        at_most=1.2,
    ),
    Goal(
        "the same, bytes written by lamella and the registry",
        lambda r: r.times("registry", "lamella, large base", "lamella, small base", "written"),
        at_most=1.1,
    ),
    Goal(
        "registry → registry, gzip layers of real files, times the floor",
        lambda r: r.times("registry-spliced", "lamella", INFLATED),
        at_most=1.3,
    ),
    Goal(
        "the same, times faster than crane flatten",
        lambda r: r.times("registry-spliced", "crane flatten", "lamella"),
        at_least=20,
    ),
    Goal(
        "layout → layout, gzip layers of real files, processor time for each GB",
        _per_gigabyte,
        at_most=5,
        unit="s",
    ),
    Goal(
        "the same, times faster than with all compressed anew",
        lambda r: r.times("spliced", ANEW, "lamella"),
        at_least=3,
    ),
    Goal(
        "gzip out, times faster on all cores than on one",
        lambda r: r.times("compressed", "gzip out, one core", "gzip out, all cores"),
        at_least=1.8,
    ),
    Goal(
        "zstd out, times faster on all cores than on one",
        lambda r: r.times("compressed", "zstd out, one core", "zstd out, all cores"),
        at_least=1.8,
    ),
    Goal(
        "analysis, times twice the scan and SHA-256 of what must be compared",
        _analysis,
        at_most=1,
    ),
    Goal(
        "`lamella --version`",
        lambda r: _milli(r.values("start", "lamella --version")),
        at_most=80,
        unit="ms",
    ),
    Goal(
        "completion in a shell",
        lambda r: _milli(r.values("start", "completion")),
        at_most=80,
        unit="ms",
    ),
    Goal(
        "`lamella layers` of an archive, beyond the scan",
        _beyond_scan,
        at_most=0.3,
        unit="s",
    ),
]
