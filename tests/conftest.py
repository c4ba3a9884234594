"""What every test can ask for."""

import signal

import pytest

from tests.engines.fixtures import *  # noqa: F403 - its __all__ names the fixtures


def pytest_configure() -> None:
    """Heed SIGINT: a shell lets what it runs in the background ignore it, and so all children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests with engines in one process, and those with a browser in one.

    Tests run in several processes at a time (`make test`). An engine is started once for all of
    its tests, so they have to be in the process that started it.
    """
    for item in items:
        for marker in ("engine", "browser"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))
