"""An analysis tells the same wherever the image is: engines by both ways, registries, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

import lamella
from lamella.analysis.model import Analysis
from lamella.api import open_layers
from lamella.transport.engine.options import EngineOptions
from tests.engines.daemon import Engine
from tests.support.tars import entry, layer, whiteout
from tests.transport.engine.squashing import app
from tests.transport.registry.conftest import Make, _front, client, env, front, name, plain
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import OCI, Client

__all__ = ["_front", "app", "client", "env", "front", "name", "plain"]

pytestmark = pytest.mark.engine

LAYERS = (
    layer(("a", b"a" * 3000), ("b", b"b" * 3000), ("c", b"c" * 100)),
    layer(entry("a", b"a" * 3000, uid=7), ("b", b"B" * 3000), ("root/.ssh/id_rsa", b"key")),
    layer(whiteout("c"), whiteout("root")),
)


def told(found: Analysis) -> object:
    """All but what the image is called, how its layers are stored, and who shares them."""
    layers = tuple(replace(one, id="", command="", tags=(), stored=0) for one in found.layers)
    return replace(found, reference="", id="", tags=(), layers=layers, shared=0, base=None)


def test_engine_by_both_ways_and_saved(engine: Engine, app: str, tmp_path: Path) -> None:
    """In place, by the API, and out of the archive that the engine saves."""
    saved = tmp_path / "app.tar"
    engine.docker("save", "-o", str(saved), app)
    archive = f"docker-archive:{saved}"
    assert lamella.analyze(archive).dead_bytes > 0
    ways: tuple[Literal["api", "local"], ...] = ("api", "local")
    for way in ways:
        there = reached(engine, way)
        assert told(lamella.analyze(f"docker-daemon:{app}", env=there)) == told(
            lamella.analyze(archive)
        )
        assert shares(f"docker-daemon:{app}", there) == shares(archive, lamella.Environment())


def reached(engine: Engine, way: Literal["api", "local"]) -> lamella.Environment:
    """Return how to reach an engine, and how to read its layers."""
    return lamella.Environment(engine=EngineOptions({"DOCKER_HOST": engine.host}, source=way))


def shares(reference: str, there: lamella.Environment) -> list[float | None]:
    """Which part of each layer is dead, as `lamella layers --dead` shows it."""
    with open_layers(reference, dead=True, env=there) as (_, lines):
        return [line.dead for line in lines]


def test_registry_gives_each_layer_once(
    front: Front, client: Client, name: str, env: Make, tmp_path: Path
) -> None:
    """Though files are compared. The second time little comes, if nobody looks for secrets."""
    client.push(f"{name}:1", LAYERS, OCI)
    there = env(cache=str(tmp_path / "cache"))
    found = lamella.analyze(f"docker://{front.host}/{name}:1", env=there)
    assert found.layers[0].dead.metadata_only == 512 + 3072
    assert [(secret.layer, secret.removed_by) for secret in found.secrets or ()] == [(2, 3)]
    assert front.count(r"GET .*/blobs/.* 200") == len(LAYERS) + 1  # and the config
    for fetched in (len(LAYERS) + 1, 2 + 1):
        front.reset()
        again = lamella.analyze(f"docker://{front.host}/{name}:1", secrets=False, env=there)
        assert told(replace(again, secrets=found.secrets)) == told(found)
        assert front.count(r"GET .*/blobs/.* 200") == fetched
