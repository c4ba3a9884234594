"""Squashing every platform of an image in a registry."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.engines.tools import Tool
from tests.properties.reference import differences, flatten
from tests.support.platforms import Platforms, three_platforms
from tests.transport.forms import plain as plain_of
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def made() -> Platforms:
    """The image; nobody changes it."""
    return three_platforms()


def push(client: Client, name: str, made: Platforms) -> str:
    """Push the image as ``NAME:app`` and its base as ``NAME:base``; return the index's digest."""
    files = {f"sha256:{path[-64:]}": data for path, data in made.layout.files.items()}
    manifests = {}
    for digest, data in files.items():
        value = _json(data)
        if str(value.get("mediaType", "")).startswith("application/vnd.oci.image."):
            manifests[digest] = value
        elif digest.removeprefix("sha256:").isalnum():
            client.put_blob(name, data)
    for kind in ("manifest", "index"):  # a registry wants what is listed first
        for digest, value in manifests.items():
            if kind in value["mediaType"]:
                _put(client, name, digest, files[digest], value["mediaType"])
    for tag, entry in zip(("app", "base"), made.layout.entries, strict=True):
        _put(client, name, tag, files[entry["digest"]], entry["mediaType"])
    return str(made.layout.entries[0]["digest"])


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _put(client: Client, name: str, reference: str, raw: bytes, kind: str) -> None:
    path = f"/v2/{name}/manifests/{reference}"
    status, _, said = client.ask("PUT", path, raw, Content_Type=kind)
    assert status == 201, said


def images(client: Client, name: str, index: dict[str, Any]) -> dict[str, list[bytes]]:
    """Pull the layers of all images of an index, by architecture."""
    found: dict[str, list[bytes]] = {}
    for entry in index["manifests"]:
        value = client.manifest(name, entry["digest"])
        if "manifests" in value:
            found.update(images(client, name, value))
        elif entry["platform"]["os"] == "linux":
            tars = [plain_of(client.blob(name, layer["digest"])) for layer in value["layers"]]
            found[entry["platform"]["architecture"]] = tars
    return found


@pytest.mark.parametrize("other", [False, True], ids=["same repository", "other repository"])
def test_every_platform(
    front: Front, client: Client, made: Platforms, name: str, env: Make, other: bool
) -> None:
    """Each is squashed above its own base, of which nothing moves; the tag goes last."""
    digest = push(client, name, made)
    target = f"{name}-new" if other else name
    host = front.host

    result = lamella.squash(
        f"docker://{host}/{name}:app", "#1", f"{target}:slim", platform="all", check=True, env=env()
    )

    index = client.manifest(target, "slim")
    assert (result.source_digest, len(result.platforms)) == (digest, 3)
    assert index["annotations"] == {"whole": "kept"}
    kept = {entry["digest"]: entry for entry in index["manifests"]}
    for entry in (made.images["arm"], made.beside["arm"], made.beside["artifact"]):
        assert kept[entry["digest"]] == entry
    assert len(kept) == 5
    after = images(client, target, index)
    for arch, before in made.tars.items():
        assert differences(flatten(after[arch]), flatten(before)) == []
    assert {arch: len(tars) for arch, tars in after.items()} == {"amd64": 2, "arm64": 2, "arm": 2}
    assert client.manifest(name, "app")["manifests"][0] == made.images["amd64"]
    puts = [line for line in front.requests if line.startswith("PUT") and "/manifests/" in line]
    assert puts[-1].split()[1].endswith("/slim")
    assert all("sha256:" in line for line in puts[:-1])


def test_base_of_each_platform(
    plain: Server, client: Client, made: Platforms, name: str, env: Make
) -> None:
    """LAYER as an image's name: the base has a layer more on arm64."""
    push(client, name, made)
    base = f"{plain.host}/{name}:base"
    source = f"docker://{plain.host}/{name}:app"
    result = lamella.squash(source, base, f"{name}:slim", platform="all", env=env())
    assert [one.kept for one in result.platforms] == [1, 2, 2]
    assert lamella.verify(source, f"docker://{result.tags[0]}", platform="all", env=env()) == []


def test_between_registry_and_layout(
    plain: Server, client: Client, made: Platforms, name: str, env: Make, tmp_path: Path
) -> None:
    """There and back: the same index, to the byte, as when it stays where it is."""
    push(client, name, made)
    source, folder = f"docker://{plain.host}/{name}:app", tmp_path / "layout"
    squash = partial(lamella.squash, base="#1", platform="all", env=env())

    here = squash(source, tag=f"{name}:here")
    down = squash(source, output=f"oci:{folder}:app")
    back = squash(f"oci:{folder}:app", output=f"docker://{plain.host}/{name}-back:1")

    assert here.id == down.id == back.id
    assert not back.squashed
    assert client.manifest(f"{name}-back", "1") == client.manifest(name, "here")


def test_others_read_it(
    plain: Server,
    client: Client,
    name: str,
    env: Make,
    skopeo: Tool,
    crane: Tool,
    tmp_path: Path,
) -> None:
    """Skopeo copies all of it, crane finds each image sound."""
    push(client, name, three_platforms(nested=False))
    source, new = f"docker://{plain.host}/{name}:app", f"{plain.host}/{name}:slim"
    lamella.squash(source, "#1", f"{name}:slim", platform="all", env=env())

    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{new}", f"oci:{tmp_path}/all:1")
    assert lamella.verify(source, f"oci:{tmp_path}/all:1", platform="all", env=env()) == []
    index = json.loads(crane("manifest", "--insecure", new))
    assert index == client.manifest(name, "slim")
    found = [e["digest"] for e in index["manifests"] if e["platform"]["os"] == "linux"]
    assert len(found) == 3
    for digest in found:  # crane takes an attestation for an image, and a broken one
        crane("validate", "--insecure", "--remote", f"{plain.host}/{name}@{digest}")


def test_index_that_is_refused_moves_no_tag(
    front: Front, client: Client, made: Platforms, name: str, env: Make
) -> None:
    """The images are there, unnamed; the tag is as it was."""
    push(client, name, made)
    front.add("PUT .*/manifests/app", status=403)
    source = f"docker://{front.host}/{name}:app"
    with pytest.raises(lamella.LamellaError, match="out of order"):
        lamella.squash(source, "#1", f"{name}:app", platform="all", env=env())
    assert client.manifest(name, "app")["manifests"][0] == made.images["amd64"]
