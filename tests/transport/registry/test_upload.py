"""A new layer goes to the registry while it is made; none of it waits on a disk."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import lamella
from lamella.errors import EngineError
from tests.support.images import docker_archive
from tests.support.tars import entry, layer
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import Client, digest_of

pytestmark = pytest.mark.engine

_MIB = 1 << 20
_RANDOM = random.Random(3)
TARS = [layer(entry(f"data/{n}", _RANDOM.randbytes(20 * _MIB))) for n in range(2)]


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """An image of two layers that don't compress, 40 MiB in all."""
    path = tmp_path / "app.tar"
    path.write_bytes(docker_archive(*TARS))
    return f"docker-archive:{path}"


@pytest.fixture
def nowhere(env: Make, tmp_path: Path) -> lamella.Environment:
    """What calls need, and no place for temporary files."""
    made = env()
    return lamella.Environment(registry=made.registry, tmp_dir=str(tmp_path / "none"))


def check(client: Client, name: str) -> None:
    """The image is there, whole."""
    manifest, config, tars = client.pull(f"{name}:1")
    assert [digest_of(tar) for tar in tars] == config["rootfs"]["diff_ids"]
    assert len(manifest["layers"]) == 1
    assert all(tar.find(_part(one)) > 0 for one in TARS for tar in tars)


def _part(tar: bytes) -> bytes:
    return tar[5 * _MIB : 5 * _MIB + 1000]


def push(archive: str, front: Front, name: str, env: lamella.Environment) -> lamella.Result:
    """Squash the archive into the registry."""
    return lamella.squash(archive, output=f"docker://{front.host}/{name}:1", env=env)


@pytest.mark.parametrize("broken", [0, 2])
def test_sent_in_pieces_while_it_is_made(
    front: Front, client: Client, name: str, archive: str, nowhere: lamella.Environment, broken: int
) -> None:
    """Three pieces, no temporary file; a piece that breaks is sent again, and only that."""
    fault = front.add("PATCH", swallow=_MIB, times=broken)
    push(archive, front, name, nowhere)
    assert fault.met == broken
    assert front.count("PATCH .* 202") == 3
    assert front.count("PUT .*digest=.* 201") == 2, "the layer's end, and the config"
    assert front.up < 40 * _MIB * 1.01 + broken * 17 * _MIB
    check(client, name)


@pytest.mark.parametrize("status", [400, 405, 416])
def test_registry_that_takes_no_pieces(
    front: Front, client: Client, name: str, archive: str, env: Make, status: int
) -> None:
    """There the layer is made again, into the spool, and sent as a whole."""
    front.add("PATCH", status=status, times=99)
    push(archive, front, name, env())
    check(client, name)


def test_small_layers_that_are_there_are_not_sent(
    front: Front, client: Client, name: str, tmp_path: Path, nowhere: lamella.Environment
) -> None:
    """They are asked for first."""
    path = tmp_path / "small.tar"
    path.write_bytes(docker_archive(*(layer((f"a{n}", bytes(9000))) for n in range(2))))
    push(str(path), front, name, nowhere)
    up = front.up
    assert up > 0
    push(str(path), front, name, nowhere)
    assert front.count("PATCH") == 0
    assert front.count("PUT .*digest") == 2
    assert client.manifest(name, "1")


def test_refusal_in_the_middle_ends_it(
    front: Front, name: str, archive: str, nowhere: lamella.Environment
) -> None:
    """The registry's words are told; nothing is tagged."""
    front.add("PATCH", status=403, times=99)
    with pytest.raises(EngineError, match="403: out of order"):
        push(archive, front, name, nowhere)
    assert front.count("PUT .*/manifests/") == 0
