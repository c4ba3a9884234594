"""Cut layers in real engines: the same files, and they run."""

from __future__ import annotations

import pytest

import lamella
from tests.engines.daemon import Engine
from tests.engines.images import named
from tests.engines.rootfs import export_rootfs

pytestmark = pytest.mark.engine


def test_an_image_of_cut_layers(engine: Engine) -> None:
    """It has the files of the image, whatever the store."""
    base, app, cut = "cut/base:1", "cut/app:1", "cut/app:3"
    with named(engine, base, app):
        env = lamella.Environment(engine=lamella.EngineOptions({"DOCKER_HOST": engine.host}))
        result = lamella.squash(app, base, cut, into=3, check=True, env=env)
        assert len(result.ranges[0].layers) == 3
        assert export_rootfs(engine, cut) == export_rootfs(engine, app)
        lamella.squash(app, base, cut, max_layer_size=1 << 16, check=True, env=env)
        assert export_rootfs(engine, cut) == export_rootfs(engine, app)
        said = engine.docker("run", "--rm", "--network=none", cut, "echo", "alive")
        assert said.strip() == "alive"
        engine.docker("rmi", cut)
