"""Cut layers in a registry: as large as it counts them."""

from __future__ import annotations

import random

import pytest

import lamella
from tests.properties.reference import differences, flatten
from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.registry.conftest import Make
from tests.transport.registry.images import DOCKER, OCI, Client
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine

_RANDOM = random.Random(23)
_LIMIT = 200_000
BASE = layer(folder("etc"), entry("etc/old", b"1"))
UPPER = [
    layer(folder("a"), *(entry(f"a/{n:02}", _RANDOM.randbytes(20_000)) for n in range(30))),
    layer(
        folder("b"), *(entry(f"b/{n:02}", bytes(50_000)) for n in range(30)), whiteout("etc/old")
    ),
]


@pytest.mark.parametrize("names", [OCI, DOCKER], ids=["oci", "docker"])
def test_no_layer_is_above_the_limit(
    plain: Server, client: Client, name: str, env: Make, names: dict[str, str]
) -> None:
    """The manifest lists compressed sizes; the files are as they were."""
    client.push(f"{name}:1", [BASE, *UPPER], names)
    source = f"docker://{plain.host}/{name}:1"
    lamella.squash(source, "1", f"{name}:c", max_layer_size=_LIMIT, check=True, env=env())

    manifest, config, tars = client.pull(f"{name}:c")
    assert differences(flatten(tars), flatten([BASE, *UPPER])) == []
    sizes = [one["size"] for one in manifest["layers"]]
    assert max(sizes) <= _LIMIT
    assert len(sizes) == len(config["history"]) < 8
    assert {one["mediaType"] for one in manifest["layers"]} == {names["layer"]}
    assert max(map(len, tars)) > 5 * _LIMIT
