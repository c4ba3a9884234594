"""What real engines push is squashed, and what lamella pushes they all pull alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import lamella
from lamella.transport.engine.options import EngineOptions
from lamella.transport.registry import RegistryOptions
from tests.engines.daemon import Engine
from tests.engines.images import named
from tests.engines.rootfs import Node, export_rootfs
from tests.engines.tools import Podman, Tool
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine


def _without_root(files: Mapping[str, Node]) -> dict[str, Node]:
    """No layer has an entry for the root: each engine makes its own."""
    return {path: node for path, node in files.items() if path != "/"}


def test_pushed_squashed_and_pulled(
    engine: Engine, podman: Podman, skopeo: Tool, plain: Server, tmp_path: Path
) -> None:
    """Docker pushes, lamella squashes in the registry, Docker, Podman and skopeo pull."""
    home = f"{plain.host}/{engine.name}"
    base, app, squashed = f"{home}/base:1", f"{home}/app:1", f"{home}/squashed:1"
    with named(engine, base, app):
        for name in (base, app):
            engine.docker("push", name)
        files = export_rootfs(engine, app)

    result = lamella.squash(f"docker://{app}", base, squashed, check=True)

    assert result.layers_after == result.kept + 1
    engine.docker("pull", squashed)
    assert export_rootfs(engine, squashed) == files
    podman("pull", "--tls-verify=false", f"docker://{squashed}")
    assert _without_root(export_rootfs(podman, squashed)) == _without_root(files)
    folder = tmp_path / "copy"
    skopeo("copy", "--src-tls-verify=false", f"docker://{squashed}", f"oci:{folder}:1")
    # skopeo drops config fields that only Docker has, so the files alone are compared.
    found = lamella.verify(f"oci:{folder}:1", f"docker://{app}")
    assert [difference for difference in found if not difference.what.startswith("config")] == []
    seen = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{squashed}"))
    assert seen["Digest"] == result.digest


def test_between_engine_and_registry(engine: Engine, plain: Server) -> None:
    """From an engine to a registry and back: the same files, and the same merged layer."""
    home = f"{plain.host}/{engine.name}-both"
    app = f"{home}:1"
    env = lamella.Environment(
        engine=EngineOptions({"DOCKER_HOST": engine.host}), registry=RegistryOptions()
    )

    with named(engine, f"{home}-base:1", app):
        engine.docker("push", app)
        up = lamella.squash(f"docker-daemon:{app}", "#1", output=f"docker://{home}:up", env=env)
        across = lamella.squash(f"docker://{app}", "#1", output=f"docker://{home}:across", env=env)
        down = lamella.squash(f"docker://{app}", "#1", output=f"docker-daemon:{home}:down", env=env)

        assert {r.ranges[0].diff_id for r in (up, across, down)} == {up.ranges[0].diff_id}
        engine.docker("pull", f"{home}:up")
        files = export_rootfs(engine, app)
        assert export_rootfs(engine, f"{home}:up") == files
        assert export_rootfs(engine, f"{home}:down") == files
