"""Rebasing in a registry: no layer moves."""

from __future__ import annotations

import random

import pytest

import lamella
from tests.support.tars import entry, folder, layer
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import DOCKER, OCI, Client

pytestmark = pytest.mark.engine

_RANDOM = random.Random(5)
_BIG = 1 << 20
OLD, NEW, OWN = (
    layer(folder("a"), entry(f"a/{number}", _RANDOM.randbytes(_BIG))) for number in range(3)
)
_DOCUMENTS = 20_000


@pytest.mark.parametrize("names", [OCI, DOCKER], ids=["oci", "docker"])
def test_no_layer_moves(
    front: Front, client: Client, name: str, env: Make, names: dict[str, str]
) -> None:
    """Layers are mounted from the repositories of image and base; headers are read once."""
    client.push(f"{name}-app:1", [OLD, OWN], names)
    client.push(f"{name}-base:1", [OLD], names)
    client.push(f"{name}-base:2", [NEW], names)
    image, old, new = (
        f"docker://{front.host}/{name}-{one}" for one in ("app:1", "base:1", "base:2")
    )
    for output, files in ((f"{image}-same", False), (f"docker://{front.host}/{name}-o:2", True)):
        front.reset()
        result = lamella.rebase(image, old, new, output=output, files=files, env=env())
        assert front.up < _DOCUMENTS
        assert front.down < (3 * _BIG * 1.1 if files else _DOCUMENTS)
        repository, _, tag = output.rpartition("/tests/")[2].rpartition(":")
        manifest, config, tars = client.pull(f"tests/{repository}:{tag}")
        assert tars == [NEW, OWN]
        assert result.digest
        base = manifest.get("annotations", {}).get("org.opencontainers.image.base.name")
        assert base == (None if names is DOCKER else new.removeprefix("docker://"))
        assert len(config["history"]) == 2
