"""Ends a run of the tests in time: a pytest plugin.

Whoever builds may have so long and no longer, and a machine may be slow. With
``LAMELLA_TESTS_UNTIL=SECONDS`` (since 1970, as `date +%s` tells them) in the environment, tests are
run by rank: one of each file, then one case of each test, then all others. After that moment no
test is begun, but five minutes they always have. What is left out is counted, loudly. Where the
time is enough, and where no limit is given, everything is run.
"""

from __future__ import annotations

import math
import os
import time

import pytest

from tests.support.machine import patience, slowness

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_report_header",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]

_AT_LEAST = 300.0
_UNTIL = max(float(os.environ.get("LAMELLA_TESTS_UNTIL", math.inf)), time.time() + _AT_LEAST)
_LEFT_OUT = "the time for the tests is over"
_HANGS_AFTER, _LONGEST = 900.0, 3600.0
# For pytest-timeout, which looks there once; and measures, before there is more than one process.
os.environ.setdefault("PYTEST_TIMEOUT", str(min(patience(_HANGS_AFTER), _LONGEST)))


def pytest_report_header() -> str | None:
    """Say that this machine is slow, and what follows."""
    times = slowness()
    if times == 1:
        return None
    return f"this machine is {times:.0f} times slower than its processor: fewer examples are tried"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put one of each file first, then one case of each test; what is shuffled stays so."""
    if not math.isfinite(_UNTIL):
        return
    seen: set[str] = set()
    ranks: dict[str, int] = {}
    for item in items:
        test = item.nodeid.partition("[")[0]
        names = (test.partition("::")[0], test)
        ranks[item.nodeid] = sum(name in seen for name in names)
        seen.update(names)
    items.sort(key=lambda item: ranks[item.nodeid])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Leave it out when it is too late."""
    if time.time() > _UNTIL:
        pytest.skip(_LEFT_OUT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many were left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = sum(_LEFT_OUT in str(report.longrepr) for report in skipped)
    if left_out:
        terminalreporter.section("tests NOT run", red=True)
        terminalreporter.line(f"{left_out}: {_LEFT_OUT}", red=True)
