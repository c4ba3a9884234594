"""An image in a real engine lies on another base there, and runs."""

from __future__ import annotations

import json

import pytest

import lamella
from tests.engines.daemon import Engine
from tests.engines.images import build, named

pytestmark = pytest.mark.engine


def layers_of(engine: Engine, image: str) -> list[str]:
    """The diff_ids that the engine tells."""
    return list(json.loads(engine.docker("image", "inspect", image))[0]["RootFS"]["Layers"])


def test_an_image_is_rebased(engine: Engine) -> None:
    """Its own layers are those of before, the others are the new base's, and it runs."""
    base, app = "rebase/base:1", "rebase/app:1"
    with named(engine, base, app):
        build(engine, "rebase/base:2", f"FROM {base}\nRUN echo 2 > /etc/release-2\nENV BASE=2\n")
        env = lamella.Environment(engine=lamella.EngineOptions({"DOCKER_HOST": engine.host}))
        result = lamella.rebase(app, base, "rebase/base:2", "rebase/app:2", env=env)

        own = layers_of(engine, app)[len(layers_of(engine, base)) :]
        assert layers_of(engine, "rebase/app:2") == [*layers_of(engine, "rebase/base:2"), *own]
        assert result.count("error") == 0
        shown = engine.docker(
            *("run", "--rm", "--network=none", "rebase/app:2"),
            *("sh", "-c", "cat /etc/release-2; echo $BASE"),
        )
        assert shown.split() == ["2", "2"]
        engine.docker("rmi", "rebase/app:2", "rebase/base:2")
