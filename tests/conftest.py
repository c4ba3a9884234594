"""What every test can ask for."""

import os

from tests.engines.fixtures import *  # noqa: F403 - its __all__ names the fixtures
from tests.support.heeding import heed_signals

pytest_plugins = ["tests.support.processes", "tests.support.time_limit"]

_LONGEST_ID = 200


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
