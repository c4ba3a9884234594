"""Deltas in real engines: only what an engine lacks is sent, or written to a file that it loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import lamella
from lamella.operations.calls import delta
from lamella.transport.engine.options import EngineOptions
from tests.engines.daemon import Engine
from tests.engines.images import base_tar
from tests.engines.process import CommandError
from tests.engines.rootfs import export_rootfs
from tests.engines.tools import Podman
from tests.support.images import docker_archive
from tests.support.tars import folder, layer, link, opaque, whiteout

pytestmark = pytest.mark.engine

OLD, NEW, MADE = "delta-tests/old:1", "delta-tests/new:1", "delta-tests/made:1"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make two images: the second has what deltas say, in a layer of its own and in others."""
    work = tmp_path_factory.mktemp("delta")
    old, new = work / "old.tar", work / "new.tar"
    old.write_bytes(docker_archive(base_tar(), layer("old/", "old/a", "old/b"), tags=[OLD]))
    changes = layer(
        *(folder("srv"), whiteout("srv/doomed"), folder("srv/data"), folder("opt")),
        *(folder("opt/recreated"), opaque("opt/recreated")),
        *("opt/recreated/new", folder("opt/shortcut"), "srv/data/more"),
        *(link("srv/data/linked", "srv/data/more"), "old", "fresh/", "fresh/a"),
    )
    new.write_bytes(docker_archive(layer("first"), base_tar(), changes, tags=[NEW]))
    return old, new


def _world(engine: Engine | Podman) -> lamella.Environment:
    variable = "CONTAINER_HOST" if isinstance(engine, Podman) else "DOCKER_HOST"
    return lamella.Environment(engine=EngineOptions({variable: engine.host}))


def _command(engine: Engine | Podman) -> Callable[..., str]:
    return engine if isinstance(engine, Podman) else engine.docker


def _without_root(engine: Engine | Podman, image: str) -> object:
    return {path: node for path, node in export_rootfs(engine, image).items() if path != "/"}


def _check(engine: Engine | Podman, archives: tuple[Path, Path], tmp_path: Path) -> None:
    """Load a delta where the old image is: it is the new one, and runs."""
    command = _command(engine)
    for path in archives:
        path.chmod(0o644)
        command("load", "-i", path)
    is_podman = isinstance(engine, Podman)
    prefix, host, loaded = ("podman:", "localhost/", "docker.io/") if is_podman else ("", "", "")
    update = tmp_path / "update.tar"
    made = delta(f"{prefix}{OLD}", archives[1], MADE, archive=update, env=_world(engine))
    assert 0 < update.stat().st_size < archives[1].stat().st_size / 10
    command("load", "-i", update)
    assert _without_root(engine, loaded + MADE) == _without_root(engine, host + NEW)
    alive = command("run", "--rm", "--network=none", loaded + MADE, "/bin/echo", "alive")
    assert alive.strip() == "alive"
    sent = delta(f"{prefix}{OLD}", archives[1], f"{MADE}-sent", check=True, env=_world(engine))
    assert sent.diff_id == made.diff_id
    assert _without_root(engine, f"{host}{MADE}-sent") == _without_root(engine, host + NEW)
    assert lamella.verify(archives[1], f"{prefix}{loaded}{MADE}", env=_world(engine)) == []


def _load_without_old(
    engine: Engine | Podman, archives: tuple[Path, Path], tmp_path: Path
) -> tuple[str, bool]:
    """Load a delta where the old image is not; return what is said, and whether an image is new."""
    command = _command(engine)
    before = sorted(command("images", "-a", "-q").split())
    old = tmp_path / "other.tar"
    old.write_bytes(docker_archive(base_tar(), layer("never-loaded"), tags=["delta-tests/none:1"]))
    update = tmp_path / "update.tar"
    delta(old, archives[1], f"{MADE}-none", archive=update)
    try:
        said = command("load", "-i", update)
    except CommandError as failed:
        said = str(failed)
    return said, sorted(command("images", "-a", "-q").split()) != before


def test_docker_with_the_old_image_loads_a_delta(
    engine: Engine, archives: tuple[Path, Path], tmp_path: Path
) -> None:
    """Classic stores find layers by their stack, containerd's by their digests."""
    _check(engine, archives, tmp_path)


def test_podman_with_the_old_image_loads_a_delta(
    podman: Podman, archives: tuple[Path, Path], tmp_path: Path
) -> None:
    """It finds layers by their diff_ids."""
    _check(podman, archives, tmp_path)


def test_docker_without_the_old_image_says_so(
    engine: Engine, archives: tuple[Path, Path], tmp_path: Path
) -> None:
    """The classic stores name the image that is missing, and load nothing.

    Containerd's names the layer; it keeps the name of an image that it can't run.
    """
    said, is_there = _load_without_old(engine, archives, tmp_path)
    if engine.containerd_store:
        assert "Error unpacking image" in said
        engine.docker("rmi", f"{MADE}-none")
    else:
        assert "missing-layers-of-delta-tests_none:1" in said
        assert not is_there


def test_podman_without_the_old_image_says_so(
    podman: Podman, archives: tuple[Path, Path], tmp_path: Path
) -> None:
    """Nothing is half loaded."""
    said, is_there = _load_without_old(podman, archives, tmp_path)
    assert "exit code 125" in said
    assert not is_there
