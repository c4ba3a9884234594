"""The engines themselves: what the other tests take for granted about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.daemon import DOCKER_CLI, Engine
from tests.engines.process import CommandError, run
from tests.engines.tools import Podman, Tool

pytestmark = pytest.mark.engine


def test_classic_engine_is_older_than_25(docker_classic: Engine) -> None:
    """Docker 25 changed the layout of `docker save`; this one has the old layout."""
    assert _major(docker_classic) < 25
    assert _info(docker_classic, "Driver") == "overlay2"


def test_modern_engine_is_25_or_later_with_the_classic_store(docker_modern: Engine) -> None:
    """The new save layout over the old image store."""
    assert _major(docker_modern) >= 25
    assert _info(docker_modern, "Driver") == "overlay2"


def test_containerd_engine_has_the_containerd_store(docker_containerd: Engine) -> None:
    """The engine says so itself, in its driver status."""
    assert _major(docker_containerd) >= 25
    assert "io.containerd.snapshotter.v1" in _info(docker_containerd, "DriverStatus")


def test_engines_run_side_by_side(
    docker_classic: Engine, docker_modern: Engine, docker_containerd: Engine, podman: Podman
) -> None:
    """Each answers while the others run, on a socket of its own."""
    dockers = (docker_classic, docker_modern, docker_containerd)
    assert len({engine.socket for engine in (*dockers, podman)}) == 4
    assert len({_info(engine, "ID") for engine in dockers}) == 3


def test_data_root_is_where_the_engine_says(engine: Engine) -> None:
    """A reader of the data root finds it under the path that `docker info` gives."""
    assert Path(_info(engine, "DockerRootDir")) == engine.data_root
    assert engine.data_root.is_dir()


def test_failed_command_tells_why(engine: Engine) -> None:
    """The engine's own words reach the test's report."""
    with pytest.raises(CommandError, match=r"(?i)no such image"):
        engine.docker("image", "inspect", "nowhere:never")


def test_podman_speaks_docker(podman: Podman) -> None:
    """Its service answers a Docker client, with the storage that its command line sees."""
    answer = run([DOCKER_CLI, "info", "--format", "{{.DockerRootDir}}"], env=podman.client)
    assert Path(answer.strip()) == podman.data_root
    assert podman("info", "--format", "{{.Store.GraphRoot}}").strip() == answer.strip()


def test_readers_are_there(skopeo: Tool, umoci: Tool) -> None:
    """Each names its version."""
    assert "version" in skopeo("--version")
    assert "version" in umoci("--version")


def _info(engine: Engine, field: str) -> str:
    return engine.docker("info", "--format", f"{{{{.{field}}}}}").strip()


def _major(engine: Engine) -> int:
    return int(_info(engine, "ServerVersion").partition(".")[0])
