"""Which process runs which test, and how it saves time: a pytest plugin.

`make test` runs several processes (pytest-xdist). Tests that share an engine stay in one of them,
and so do those with a browser and those that install: each starts its engine once. All others go
where there is time, the cases of a test together: pytest-xdist counts all pieces of work after each
test, and a piece for each case would cost it more than many a test.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadGroupScheduling

__all__ = [
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_sessionstart",
    "pytest_xdist_make_scheduler",
]

_CLASSIC = {"docker_classic", "places"}
_NEWER = {"docker_containerd", "docker_modern"}
"""Fixtures that start Docker; `places` starts every engine."""


def pytest_sessionstart() -> None:
    """Collect no garbage while tests are read: a tenth of that time, and nothing is freed."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name the group of a test. An engine is started once in a process.

    Those with Docker take longest, so they are in two parts.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif item.get_closest_marker("install"):
            item.add_marker(pytest.mark.xdist_group("install"))
        elif item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))


def _group_of(item: pytest.Item) -> str:
    """Name those who share an engine; a case may name its own among its values."""
    assert isinstance(item, pytest.Function)
    names = {*item.fixturenames}
    if hasattr(item, "callspec"):
        names.update(value for value in item.callspec.params.values() if isinstance(value, str))
    if not _CLASSIC.isdisjoint(names):
        return "docker"
    return "engine" if _NEWER.isdisjoint(names) else "newer-docker"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Collect garbage again, but never look at the tests themselves.

    Refuse to run where groups are not kept together: engines would be started several times.

    Raises:
        pytest.UsageError: pytest-xdist marks a group in the name of a test; it did not.
    """
    gc.freeze()
    gc.enable()
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"pytest-xdist does not keep groups together: {item.nodeid}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling | None:
    """Deal out groups and whole tests where `--dist loadgroup` is asked for."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling  # noqa: PLC0415 - not where tests run in one process

    class GroupsAndTests(LoadGroupScheduling):
        """One piece of work for each group, and for each test with all of its cases."""

        def _split_scope(self, nodeid: str) -> str:
            """Return the group, or the test without its case."""
            scope: str = super()._split_scope(nodeid)
            return scope.partition("[")[0]

    return GroupsAndTests(config, log)
