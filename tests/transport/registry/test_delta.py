"""Deltas and differences of images in a real registry: what both have does not move."""

from __future__ import annotations

import pytest

import lamella
from tests.properties.reference import differences, flatten
from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import DOCKER, OCI, Client
from tests.transport.registry.test_squash import ADDED, BASE

pytestmark = pytest.mark.engine

NEW = [layer(folder("app"), ("app/a", b"3" * 5000)), layer(whiteout("etc/a"), entry("etc/b", b"b"))]


@pytest.mark.parametrize("old", [OCI, DOCKER], ids=["old-oci", "old-docker"])
@pytest.mark.parametrize("new", [OCI, DOCKER], ids=["new-oci", "new-docker"])
def test_result_has_the_old_blobs_and_the_dialect_of_the_new_image(
    front: Front,
    client: Client,
    name: str,
    env: Make,
    old: dict[str, str],
    new: dict[str, str],
) -> None:
    """The base is read once, for its headers, and nothing of it is sent."""
    digest = client.push(f"{name}:1", [BASE, *ADDED], old)
    client.push(f"{name}:2", [BASE, *NEW], new)
    before = client.manifest(name, "1")
    size = before["layers"][0]["size"]

    made = lamella.delta(
        f"docker://{front.host}/{name}:1",
        f"docker://{front.host}/{name}:2",
        f"{name}-other:d",
        check=True,
        env=env(),
    )

    assert front.down < size + size // 20
    assert front.up < size // 20
    manifest, config, tars = client.pull(f"{name}-other:d")
    assert differences(flatten(tars), flatten([BASE, *NEW])) == []
    assert manifest["mediaType"] == new["manifest"]
    assert [one["mediaType"] for one in manifest["layers"]] == [new["layer"]] * 5
    kept = [one["digest"] for one in before["layers"]]
    assert [one["digest"] for one in manifest["layers"]][:-1] == kept
    assert config["rootfs"]["diff_ids"][-1] == made.diff_id
    if new is OCI:
        base = "org.opencontainers.image.base."
        told = {f"{base}digest": digest, f"{base}name": f"{front.host}/{name}:1"}
        assert manifest["annotations"] == told


def test_equal_layers_are_not_fetched(front: Front, client: Client, name: str, env: Make) -> None:
    """Where all are the same, there is nothing to be read."""
    client.push(f"{name}:1", [BASE, *ADDED])
    client.push(f"{name}:2", [BASE, *ADDED])
    places = [f"docker://{front.host}/{name}:{tag}" for tag in "12"]
    found = lamella.diff(*places, env=env())
    assert (found.equal, found.shared_layers) == (True, 4)
    assert front.down < 20_000


def test_difference_needs_the_headers_of_shared_layers(
    front: Front, client: Client, name: str, env: Make
) -> None:
    """They come once for both images."""
    client.push(f"{name}:1", [BASE, ADDED[0]])
    client.push(f"{name}:2", [BASE, *NEW])
    size = client.manifest(name, "1")["layers"][0]["size"]
    places = [f"docker://{front.host}/{name}:{tag}" for tag in "12"]
    found = lamella.diff(*places, env=env())
    assert [(one.kind, one.path) for one in found.changes] == [
        *(("changed", b"app/a"), ("removed", b"app/b")),
        *(("removed", b"etc/a"), ("added", b"etc/b")),
    ]
    assert front.down < size + size // 20
