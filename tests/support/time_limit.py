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
from typing import Any

import pytest

from tests.support.machine import patience, slowness

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_report_header",
    "pytest_runtest_protocol",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]

_AT_LEAST = 300.0
_UNTIL = float(os.environ.get("LAMELLA_TESTS_UNTIL", math.inf))
_END = pytest.StashKey[float]()
_LEFT_OUT = pytest.StashKey[int]()
_LEFT_OUT_KEY = "lamella_left_out"
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
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put one of each file first, then one case of each test; what is shuffled stays so."""
    config.stash[_END] = max(_UNTIL, time.time() + _AT_LEAST)
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
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Pass it over when it is too late."""
    if time.time() <= item.config.stash[_END]:
        return None
    item.config.stash[_LEFT_OUT] = item.config.stash.get(_LEFT_OUT, 0) + 1
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_LEFT_OUT_KEY] = session.config.stash.get(_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - pytest-xdist has no types
    """Add what another process has passed over."""
    more = getattr(node, "workeroutput", {}).get(_LEFT_OUT_KEY, 0)
    node.config.stash[_LEFT_OUT] = node.config.stash.get(_LEFT_OUT, 0) + more


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell how many were passed over."""
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.section("tests NOT run", red=True)
        terminalreporter.line(f"{left_out}: the time for the tests was over", red=True)
