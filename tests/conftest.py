"""What every test can ask for."""

from tests.engines.fixtures import *  # noqa: F403 - its __all__ names the fixtures
