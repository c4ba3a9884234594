"""An image of a real engine, squashed from the screen."""

from __future__ import annotations

import pytest

from lamella import api
from tests.engines.daemon import Engine
from tests.explore.piloting import Screen, explore
from tests.transport.engine.squashing import app, options

__all__ = ["app"]

pytestmark = pytest.mark.engine


def test_the_result_is_in_the_engine(engine: Engine, app: str) -> None:
    """Under the name that is suggested: the same with another tag."""
    env = api.Environment(engine=options(engine.host))

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "space", "G", "space", "s")
        await screen.sees("tag of the new image", app.replace(":1", ":slim"))
        await screen.press("tab", "tab", "enter")
        await screen.sees("Close", "verified")

    [result] = explore(app, script, (120, 40), env).results
    assert result.verified
    assert api.verify(app, app.replace(":1", ":slim"), env=env) == []
