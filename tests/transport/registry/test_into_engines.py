"""From a registry into engines: what an engine has already is not fetched."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

import lamella
from lamella.transport.engine.inventory import Inventory
from lamella.transport.engine.options import EngineOptions
from tests.engines.daemon import Engine
from tests.engines.rootfs import export_rootfs
from tests.engines.tools import Podman
from tests.support.gzip_members import words
from tests.support.images import docker_archive
from tests.support.tars import folder, layer
from tests.transport.engine.squashing import state_of
from tests.transport.forms import compress
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Target:
    """An engine, as a user of lamella and of its own command sees it."""

    run: Callable[..., str]
    place: str
    options: EngineOptions
    engine: Engine | Podman
    home: str = ""
    """What its names begin with."""

    def layers(self, name: str) -> list[str]:
        """The diff_ids that it tells."""
        found = json.loads(self.run("image", "inspect", name))
        return list(found[0]["RootFS"]["Layers"])


@pytest.fixture(params=["docker_classic", "docker_modern", "docker_containerd", "podman"])
def target(request: pytest.FixtureRequest) -> Target:
    """All of them in turn."""
    found = request.getfixturevalue(request.param)
    if isinstance(found, Podman):
        options = EngineOptions({"CONTAINER_HOST": found.host})
        return Target(found, "podman", options, found, "localhost/")
    return Target(found.docker, "docker-daemon", EngineOptions(found.environment), found)


@pytest.fixture
def tars(target: Target, name: str) -> list[bytes]:
    """A base, and above it three layers, that no other test has."""
    noise = random.Random(f"{target.place} {name}")
    base = layer("etc/", ("etc/name", name.encode()), ("etc/big", noise.randbytes(300_000)))
    tops = [layer(folder("app"), (f"app/{n}", noise.randbytes(5_000))) for n in range(3)]
    return [base, *tops]


def squash(target: Target, host: str, name: str, *, layers: Sequence[str] = ("2-3",)) -> str:
    """Squash the middle of an image of a registry into an engine; return what it is called."""
    env = lamella.Environment(engine=target.options)
    new = f"{name.rpartition('/')[2]}:new"
    result = lamella.squash(
        f"docker://{host}/{name}:app", layers=layers, output=f"{target.place}:{new}", env=env
    )
    assert result.layers_after == 3
    return f"{target.home}{new}"


def pull(target: Target, name: str) -> None:
    """Let an engine fetch an image itself."""
    insecure = ["--tls-verify=false"] if target.place == "podman" else []
    target.run("pull", *insecure, name)


def test_a_base_that_is_there_is_not_fetched(
    target: Target, plain: Server, front: Front, client: Client, name: str, tars: list[bytes]
) -> None:
    """It was pulled with another image; no byte of it moves, nor of its headers."""
    client.push(f"{name}:base", tars[:1])
    client.push(f"{name}:app", tars)
    big, *small = (la["size"] for la in client.manifest(name, "app")["layers"])
    pull(target, f"{plain.host}/{name}:base")
    front.reset()

    new = squash(target, front.host, name)

    assert 0 < front.down < sum(small) + 5_000 < big
    pull(target, f"{plain.host}/{name}:app")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, new) == files
    base = target.layers(f"{plain.host}/{name}:base")
    assert target.layers(new)[:1] == base


def test_a_base_in_another_form_is_right_all_the_same(
    target: Target, plain: Server, front: Front, client: Client, name: str, tars: list[bytes]
) -> None:
    """It was loaded from an archive, so that the containerd store has it by another digest."""
    client.push(f"{name}:app", tars)
    old = f"localhost/{name}:loaded"
    archive = target.engine.work / "base.tar"
    archive.write_bytes(docker_archive(tars[0], tags=[old], history=None))
    target.run("load", "-i", archive)
    big = client.manifest(name, "app")["layers"][0]["size"]
    front.reset()

    new = squash(target, front.host, name)

    knows_by_digest = isinstance(target.engine, Engine) and target.engine.containerd_store
    assert (front.down > big) is knows_by_digest
    pull(target, f"{plain.host}/{name}:app")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, new) == files
    assert target.layers(old) == target.layers(new)[:1]


def test_a_base_that_is_gone_at_the_load_is_fetched_then(
    target: Target,
    front: Front,
    plain: Server,
    client: Client,
    name: str,
    tars: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine was thought to have it: the registry is asked once more, and all is sent."""
    client.push(f"{name}:app", tars)
    before = state_of(target.engine) if isinstance(target.engine, Engine) else {}
    monkeypatch.setattr(Inventory, "has", lambda *_, **__: True)

    new = squash(target, front.host, name)

    assert len(target.layers(new)) == 3
    if isinstance(target.engine, Engine):
        assert len(state_of(target.engine)) == len(before) + 1, "the first attempt left nothing"
    pull(target, f"{plain.host}/{name}:app")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, new) == files


def test_blocks_are_taken_over_by_the_store_that_keeps_them(
    target: Target, plain: Server, client: Client, name: str
) -> None:
    """Into the containerd store, and out of it again; others keep no compressed layers."""
    tops = [layer(folder("app"), (f"app/{n}", words(400_000, n))) for n in range(1, 4)]
    client.push(f"{name}:app", tops)
    env, new = lamella.Environment(engine=target.options), f"{name.rpartition('/')[2]}:spliced"
    source, place = f"docker://{plain.host}/{name}", f"{target.place}:{new}"

    into = lamella.squash(f"{source}:app", output=place, env=env)
    out = lamella.squash(place, layers="1-1", exclude="app/1", output=f"{source}:out", env=env)

    keeps = isinstance(target.engine, Engine) and target.engine.containerd_store
    for result in (into, out):
        assert (result.ranges[0].spliced > 400_000) == keeps
    pull(target, f"{plain.host}/{name}:app")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, f"{target.home}{new}") == files
    assert lamella.verify(place, f"{source}:out", exclude="app/1", env=env) == []


@pytest.mark.parametrize("target", ["docker_modern", "docker_containerd", "podman"], indirect=True)
def test_a_long_window_is_read(
    target: Target, plain: Server, client: Client, name: str, tars: list[bytes]
) -> None:
    """Engines that read zstd, which Docker 20.10 does not, pull `zstd:LEVEL,long`, too."""
    client.push(f"{name}:app", tars)
    where = f"docker://{plain.host}/{name}"

    lamella.squash(f"{where}:app", "#1", output=f"{where}:new", compression="zstd:3,long")

    digest = client.manifest(name, "new")["layers"][-1]["digest"]
    stored = client.blob(name, digest)
    assert stored[5] == (27 - 10) << 3  # RFC 8878, 3.1.1.1.2: a window of 2^27 bytes
    for tag in ("app", "new"):
        pull(target, f"{plain.host}/{name}:{tag}")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, f"{plain.host}/{name}:new") == files


@pytest.mark.parametrize("target", ["docker_modern", "docker_containerd", "podman"], indirect=True)
def test_frames_that_were_taken_over_are_read(
    target: Target, plain: Server, client: Client, name: str
) -> None:
    """Engines that read zstd pull a layer of many frames, each made by somebody else."""
    tops = [layer(folder("app"), (f"app/{n}", words(5_000_000, n))) for n in range(1, 4)]
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    stored = {n: (compress("zstd in parts", tar), kind) for n, tar in enumerate(tops)}
    client.push(f"{name}:app", tops, stored=stored)
    where = f"docker://{plain.host}/{name}"

    result = lamella.squash(f"{where}:app", output=f"{where}:new")

    assert result.ranges[0].spliced > 7_000_000
    for tag in ("app", "new"):
        pull(target, f"{plain.host}/{name}:{tag}")
    files = export_rootfs(target.engine, f"{plain.host}/{name}:app")
    assert export_rootfs(target.engine, f"{plain.host}/{name}:new") == files
