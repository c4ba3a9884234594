"""What every test can ask for."""

import os

import pytest

from tests.engines.fixtures import *  # noqa: F403 - its __all__ names the fixtures
from tests.support.heeding import heed_signals

pytest_plugins = ["tests.support.time_limit"]

_LONGEST_ID = 200
_CLASSIC = {"docker_classic", "places"}
_NEWER = {"docker_containerd", "docker_modern"}
"""Fixtures that start Docker; `places` starts every engine."""


def pytest_configure() -> None:
    """Let lamella heed all signals, and ask terminals how large they are."""
    heed_signals()
    for name in ("COLUMNS", "LINES"):  # pytest-xdist says 80 and 24 to its processes
        os.environ.pop(name, None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long values by their length.

    pytest puts the name of the test into the environment of every process that it starts, and a
    variable of 128 KiB lets none start.
    """
    if isinstance(val, str | bytes) and len(val) > _LONGEST_ID:
        return f"{argname} of {len(val)}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share an engine in one process, those with a browser, those that install.

    Tests run in several processes at a time (`make test`). An engine is started once for all of
    its tests in a process; those with Docker take longest, so they are in two parts.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif item.get_closest_marker("install"):
            item.add_marker(pytest.mark.xdist_group("install"))
        elif item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where groups are not kept together: engines would be started several times.

    Raises:
        pytest.UsageError: pytest-xdist marks a group in the name of a test; it did not.
    """
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"pytest-xdist does not keep groups together: {item.nodeid}")


def _group_of(item: pytest.Item) -> str:
    """Name those who share an engine; a case may name its own among its values."""
    assert isinstance(item, pytest.Function)
    names = {*item.fixturenames}
    if hasattr(item, "callspec"):
        names.update(value for value in item.callspec.params.values() if isinstance(value, str))
    if not _CLASSIC.isdisjoint(names):
        return "docker"
    return "engine" if _NEWER.isdisjoint(names) else "newer-docker"
