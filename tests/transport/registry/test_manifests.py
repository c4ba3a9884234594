"""What manifests and indexes in registries say beside digests and sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.properties.reference import differences, flatten
from tests.support.tars import folder, layer
from tests.transport.registry.conftest import Make
from tests.transport.registry.images import OCI, Client
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine

TARS = [
    layer("etc/", ("etc/a", b"a")),
    layer(folder("app"), ("app/one", b"1")),
    layer(folder("app"), ("app/two", b"2")),
]
LAZY = {
    "containerd.io/snapshot/stargz/toc.digest": f"sha256:{'1' * 64}",
    "io.containers.estargz.uncompressed-size": "5000",
    "io.github.containers.zstd-chunked.manifest-checksum": f"sha256:{'2' * 64}",
    "io.github.containers.zstd-chunked.manifest-position": "1:2:3:1",
}
"""What clients go by that fetch parts of a layer: it is true of these very bytes alone."""


def in_layout(path: Path) -> dict[str, Any]:
    """Return the manifest of an OCI layout's only image."""
    index = json.loads((path / "index.json").read_text())
    digest = index["manifests"][0]["digest"].removeprefix("sha256:")
    value: dict[str, Any] = json.loads((path / "blobs" / "sha256" / digest).read_text())
    return value


def test_lazy_pulling(plain: Server, client: Client, name: str, env: Make, tmp_path: Path) -> None:
    """Layers that stay keep what lets them be pulled lazily; a new layer doesn't have it."""
    client.push(f"{name}:1", TARS)
    manifest = client.manifest(name, "1")
    for described in manifest["layers"]:
        described["annotations"] = LAZY
    client.put_manifest(name, "lazy", manifest, OCI["manifest"])
    source = f"docker://{plain.host}/{name}:lazy"
    copy, out = tmp_path / "copy", tmp_path / "out"

    lamella.squash(source, "#1", f"{name}:s", env=env())
    lamella.squash(source, "#2", output=f"oci:{copy}", env=env())
    lamella.squash(f"oci:{copy}", "#1", output=f"oci:{out}", env=env())

    assert in_layout(copy)["layers"] == manifest["layers"], "nothing was squashed there"
    for layers in (client.manifest(name, "s")["layers"], in_layout(out)["layers"]):
        assert layers[0] == manifest["layers"][0]
        assert not LAZY.keys() & layers[1].get("annotations", {}).keys()
        assert len(layers) == 2


def test_nested_indexes(plain: Server, client: Client, name: str, env: Make) -> None:
    """An image is found however deep its index lies in others."""
    digest = client.push(name, TARS, architecture="arm64")
    kind = OCI["manifest"]
    for reference in ("inner", "middle", "outer"):
        accept = ", ".join(OCI.values())
        raw = client.ask("GET", f"/v2/{name}/manifests/{digest}", Accept=accept)[2]
        described: dict[str, Any] = {"mediaType": kind, "digest": digest, "size": len(raw)}
        if kind == OCI["manifest"]:
            described["platform"] = {"os": "linux", "architecture": "arm64"}
        kind = OCI["index"]
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": [described]}
        digest = client.put_manifest(name, reference, index, kind)

    lamella.squash(
        f"docker://{plain.host}/{name}:outer", "#1", f"{name}:s", platform="linux/arm64", env=env()
    )

    _, config, tars = client.pull(f"{name}:s")
    assert config["architecture"] == "arm64"
    assert differences(flatten(tars), flatten(TARS)) == []
