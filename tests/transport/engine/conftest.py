from __future__ import annotations

import pytest

from tests.engines.daemon import Engine
from tests.transport.engine.squashing import note_temporary_files


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> None:
    """Of an engine's temporary files only those count that come during the test."""
    for name in {"classic", "engine"} & {*request.fixturenames}:
        engine = request.getfixturevalue(name)
        if isinstance(engine, Engine):
            note_temporary_files(engine)
