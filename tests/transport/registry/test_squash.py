"""Squashing in real registries: the files stay, and only what must move moves."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

import lamella
from lamella.errors import EngineError, ImageNotFound, Unsupported, UsageError
from tests.properties.reference import differences, flatten
from tests.support.tars import entry, folder, layer, link, symlink, whiteout
from tests.transport.forms import compress
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import DOCKER, OCI, Client, digest_of
from tests.transport.registry.server import Server, write_auth
from tests.transport.registry.tokens import REFRESH, TokenServer

pytestmark = pytest.mark.engine

_RANDOM = random.Random(7)
_BIG = 3 << 20
BASE = layer("etc/", ("etc/a", b"a"), "usr/", entry("usr/big", _RANDOM.randbytes(_BIG)))
ADDED = [
    layer(folder("app"), ("app/a", b"1" * 5000), link("app/b", "app/a", mode=0o644)),
    layer(folder("app"), ("app/a", b"2" * 5000), symlink("app/s", "a")),
    layer(folder("etc"), ("etc/new", b"new")),
]
DELETED = [ADDED[0], layer(whiteout("app/a"), whiteout("etc/a")), ADDED[2]]


def check_same(before: Sequence[bytes], after: Sequence[bytes]) -> None:
    """Both stacks of layers show the same files."""
    assert differences(flatten(after), flatten(before)) == []


@pytest.mark.parametrize("names", [OCI, DOCKER], ids=["oci", "docker"])
@pytest.mark.parametrize("upper", [ADDED, DELETED], ids=["added", "deleted"])
def test_registry_to_registry(
    plain: Server,
    client: Client,
    name: str,
    env: Make,
    names: dict[str, str],
    upper: list[bytes],
) -> None:
    """The dialect of the manifest, the base's blobs and the files are as they were."""
    digest = client.push(f"{name}:1", [BASE, *upper], names)
    old = client.manifest(name, "1")

    result = lamella.squash(
        f"docker://{plain.host}/{name}:1", "#1", f"{name}:s", check=True, env=env()
    )

    manifest, config, tars = client.pull(f"{name}:s")
    check_same([BASE, *upper], tars)
    assert manifest["mediaType"] == names["manifest"]
    assert manifest["config"]["mediaType"] == names["config"]
    assert [la["mediaType"] for la in manifest["layers"]] == [names["layer"]] * 2
    assert manifest["layers"][0] == old["layers"][0]
    assert result.tags == (f"{plain.host}/{name}:s",)
    assert result.source_digest == digest
    assert result.id == manifest["config"]["digest"]
    assert config["config"] == {"Env": ["A=b"], "Cmd": ["/bin/true"]}
    assert client.manifest(name, "1") == old, "the source is as it was"


@pytest.mark.parametrize(("upper", "listed"), [(ADDED, False), (DELETED, True)])
def test_the_base_moves_only_if_its_listing_is_needed(
    front: Front, client: Client, name: str, env: Make, upper: list[bytes], listed: bool
) -> None:
    """Nothing of the base comes when nothing is deleted, and nothing of it ever goes."""
    client.push(f"{name}:1", [BASE, *upper])
    size = client.manifest(name, "1")["layers"][0]["size"]

    lamella.squash(f"docker://{front.host}/{name}:1", "#1", f"{name}-other:s", env=env())

    small = size // 20
    assert front.down < small + (size if listed else 0)
    assert front.up < small
    check_same([BASE, *upper], client.pull(f"{name}-other:s")[2])
    assert front.count(r"POST .*mount=.* 201") == 1


def test_listing_is_fetched_once(
    front: Front, client: Client, name: str, env: Make, tmp_path: Path
) -> None:
    """What the base says is remembered, if there is a place for it; the result is the same."""
    client.push(f"{name}:1", [BASE, *DELETED])
    size = client.manifest(name, "1")["layers"][0]["size"]
    results, down = [], []
    for _ in range(2):
        front.down = 0
        source = f"docker://{front.host}/{name}:1"
        there = env(cache=str(tmp_path / "cache"))
        results.append(lamella.squash(source, "#1", f"{name}-o:s", env=there))
        down.append(front.down)
    assert down[0] > size
    assert down[1] < size // 20
    assert results[0].digest == results[1].digest
    check_same([BASE, *DELETED], client.pull(f"{name}-o:s")[2])


def test_layers_above_a_range_are_not_looked_into(
    front: Front, client: Client, name: str, env: Make
) -> None:
    """They are kept by their digests, like those below."""
    client.push(f"{name}:1", [*ADDED[:2], BASE])

    lamella.squash(f"docker://{front.host}/{name}:1", layers=["1-2"], tag=f"{name}:s", env=env())

    assert front.down < 10_000
    check_same([*ADDED[:2], BASE], client.pull(f"{name}:s")[2])


def test_to_another_registry_all_is_copied(
    plain: Server, tokened: Server, client: Client, name: str, env: Make, tmp_path: Path
) -> None:
    """Kept layers pass through, to the byte."""
    client.push(f"{name}:1", [BASE, *ADDED])
    old = client.manifest(name, "1")
    authfile = write_auth(tmp_path, tokened.host)
    there = env(authfile=str(authfile))

    lamella.squash(
        f"docker://{plain.host}/{name}:1", "#1", output=f"docker://{tokened.host}/{name}", env=there
    )

    copied = lamella.verify(
        f"docker://{plain.host}/{name}:1", f"docker://{tokened.host}/{name}:latest", env=there
    )
    assert copied == []
    with lamella.open_image(f"docker://{tokened.host}/{name}", env=there) as image:
        assert image.manifest is not None
        assert image.manifest.layers[0].to_json() == old["layers"][0]


@pytest.mark.parametrize("kind", ["docker-archive:", "oci-archive:", "oci:"])
@pytest.mark.parametrize("upper", [ADDED, DELETED], ids=["added", "deleted"])
def test_to_files_and_back(
    front: Front,
    client: Client,
    name: str,
    env: Make,
    tmp_path: Path,
    kind: str,
    upper: list[bytes],
) -> None:
    """All pairs with files keep the files; a layer that is kept comes only once."""
    client.push(f"{name}:1", [BASE, *upper])
    size = client.manifest(name, "1")["layers"][0]["size"]
    out = f"{kind}{tmp_path}/out"

    lamella.squash(f"docker://{front.host}/{name}:1", "#1", output=out, env=env())
    down = front.down
    lamella.squash(out, output=f"docker://{front.host}/{name}:back", env=env())

    assert size <= down < size * 1.2
    check_same([BASE, *upper], client.pull(f"{name}:back")[2])


def test_digests_name_images(plain: Server, client: Client, name: str, env: Make) -> None:
    """An image without a tag is found by its digest, and can be left without one."""
    digest = client.push(name, [BASE, *ADDED])

    result = lamella.squash(f"docker://{plain.host}/{name}@{digest}", "#1", env=env())

    check_same([BASE, *ADDED], client.pull(f"{name}:{result.digest}")[2])
    assert result.tags == ()


def test_several_tags_of_one_repository(
    plain: Server, client: Client, name: str, env: Make
) -> None:
    """All names are given; names in two repositories are refused."""
    client.push(f"{name}:1", [BASE, *ADDED])
    source = f"docker://{plain.host}/{name}:1"

    lamella.squash(source, "#1", [f"{name}:a", f"docker://{plain.host}/{name}:b"], env=env())

    assert client.manifest(name, "a") == client.manifest(name, "b")
    with pytest.raises(UsageError, match="another repository"):
        lamella.squash(source, "#1", [f"{name}:a", f"{name}-2:b"], env=env())


def test_base_named_beside_the_source(plain: Server, client: Client, name: str, env: Make) -> None:
    """LAYER may be an image of the source's registry, with or without its host."""
    client.push(f"{name}/base:1", [BASE, ADDED[0]])
    client.push(f"{name}:1", [BASE, *ADDED])
    for base in (
        f"{name}/base:1",
        f"{plain.host}/{name}/base:1",
        f"docker://{plain.host}/{name}/base:1",
    ):
        result = lamella.squash(f"docker://{plain.host}/{name}:1", base, f"{name}:s", env=env())
        assert (result.kept, result.layers_after) == (2, 3)


def test_nothing_to_squash_copies_the_image(
    plain: Server, client: Client, name: str, env: Make
) -> None:
    """It gets its tag, and the manifest is the same to the byte."""
    digest = client.push(f"{name}:1", [BASE, ADDED[0]])

    result = lamella.squash(f"docker://{plain.host}/{name}:1", "#1", f"{name}:s", env=env())

    assert not result.squashed
    assert result.digest == digest
    assert client.manifest(name, "s") == client.manifest(name, "1")


def test_image_of_several_platforms(plain: Server, client: Client, name: str, env: Make) -> None:
    """The platform that is asked for is taken, attestations are passed over."""
    entries = []
    for arch in ("amd64", "arm64", "s390x"):
        upper = layer(folder("app"), ("app/arch", arch.encode()))
        digest = client.push(name, [BASE, ADDED[0], upper], architecture=arch)
        size = len(client.ask("GET", f"/v2/{name}/manifests/{digest}", Accept=OCI["manifest"])[2])
        described = {"mediaType": OCI["manifest"], "digest": digest, "size": size}
        entries.append({**described, "platform": {"os": "linux", "architecture": arch}})
        entries.append(
            {
                **described,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            }
        )
    index = {"schemaVersion": 2, "mediaType": OCI["index"], "manifests": entries}
    client.put_manifest(name, "multi", index, OCI["index"])

    source = f"docker://{plain.host}/{name}:multi"
    lamella.squash(source, "#1", f"{name}:arm", platform="linux/arm64", env=env())

    _, config, tars = client.pull(f"{name}:arm")
    assert config["architecture"] == "arm64"
    assert b"arm64" in tars[1]
    with pytest.raises(UsageError, match="linux/s390x"):
        lamella.squash(source, "#1", f"{name}:no", platform="linux/riscv64", env=env())


def test_compression_is_as_it_was_unless_said(
    plain: Server, client: Client, name: str, env: Make
) -> None:
    """Zstd stays zstd in OCI manifests; Docker's have no word for it."""
    packed = [compress("zstd", tar) for tar in [BASE, *ADDED]]
    kind = OCI["layer"].replace("gzip", "zstd")
    stored = {position: (data, kind) for position, data in enumerate(packed)}
    client.push(f"{name}:1", [BASE, *ADDED], stored=stored)
    source = f"docker://{plain.host}/{name}:1"

    lamella.squash(source, "#1", f"{name}:z", env=env())
    lamella.squash(source, "#1", f"{name}:n", compression="none", env=env())

    assert [la["mediaType"] for la in client.manifest(name, "z")["layers"]] == [kind] * 2
    layers = client.manifest(name, "n")["layers"]
    assert layers[1]["mediaType"] == OCI["layer"].removesuffix("+gzip")
    client.push(f"{name}:d", [BASE, *ADDED], DOCKER)
    with pytest.raises(Unsupported, match="schema 2"):
        lamella.squash(
            f"docker://{plain.host}/{name}:d", "#1", f"{name}:z", compression="zstd", env=env()
        )


def test_foreign_layers_stay_where_they_are(
    plain: Server, client: Client, name: str, env: Make
) -> None:
    """In the base they are kept by name alone; in the range they can't be read."""
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    client.push(f"{name}:1", [BASE, *ADDED], stored={0: (b"not there", kind)})
    manifest = client.manifest(name, "1")
    gone = {**manifest["layers"][0], "digest": digest_of(b"gone"), "size": 4}
    gone["urls"] = ["https://example.com/layer"]
    manifest["layers"][0] = gone
    client.put_manifest(name, "2", manifest, OCI["manifest"])
    source = f"docker://{plain.host}/{name}:2"

    lamella.squash(source, "#1", f"{name}:s", env=env())

    assert client.manifest(name, "s")["layers"][0] == gone
    with pytest.raises(Unsupported, match="layer 1: a non-distributable layer"):
        lamella.squash(source, tag=f"{name}:x", env=env())


def test_what_is_not_there_is_said(plain: Server, client: Client, name: str, env: Make) -> None:
    """The tag, or the whole repository; the nearest tag is offered."""
    client.push(f"{name}:none", [BASE])
    with pytest.raises(ImageNotFound) as error:
        lamella.squash(f"docker://{plain.host}/{name}:no", env=env())
    assert str(error.value) == f"no tag 'no' in {plain.host}/{name}"
    with pytest.raises(ImageNotFound, match="did you mean 'none'"):
        lamella.squash(f"docker://{plain.host}/{name}:nome", env=env())
    with pytest.raises(ImageNotFound, match=f"no repository {plain.host}/{name}-x"):
        lamella.squash(f"docker://{plain.host}/{name}-x:1", env=env())


def test_dry_run_writes_nothing(front: Front, client: Client, name: str, env: Make) -> None:
    """It reads the range, and that is all."""
    client.push(f"{name}:1", [BASE, *ADDED])

    result = lamella.squash(
        f"docker://{front.host}/{name}:1", "#1", f"{name}:s", dry_run=True, env=env()
    )

    assert result.layers_after == 2
    assert not front.count("(?!GET|HEAD)")


def test_tls_and_passwords(guarded: Server, name: str, env: Make, tmp_path: Path) -> None:
    """With the authority and the password it works; without either it says what is missing."""
    auth = {"Authorization": "Basic dGVzdGVyOnNlY3JldA=="}
    client = Client(guarded.host, guarded.ca, auth)
    client.push(f"{name}:1", [BASE, *ADDED])
    authfile, ca = str(write_auth(tmp_path, guarded.host)), str(guarded.ca)
    source = f"docker://{guarded.host}/{name}:1"

    lamella.squash(source, "#1", f"{name}:s", env=env(authfile=authfile, ca=ca))
    lamella.squash(source, "#1", f"{name}:t", env=env(authfile=authfile, tls_verify=False))

    check_same([BASE, *ADDED], client.pull(f"{name}:s")[2])
    assert client.manifest(name, "s") == client.manifest(name, "t")
    with pytest.raises(EngineError, match=r"certificate is not trusted.*`ca` FILE"):
        lamella.squash(source, "#1", env=env(authfile=authfile))
    with pytest.raises(EngineError, match=r"401: .*log in with docker login"):
        lamella.squash(source, "#1", env=env(ca=ca))
    wrong = str(write_auth(tmp_path, guarded.host, password="n0t-the-secret"))
    with pytest.raises(EngineError) as error:
        lamella.squash(source, "#1", env=env(authfile=wrong, ca=ca))
    assert "401" in str(error.value)
    assert "n0t-the-secret" not in str(error.value)


@pytest.mark.parametrize("lifetime", [300, 1], ids=["one token", "expiring"])
@pytest.mark.parametrize("identity", [False, True], ids=["password", "identity token"])
def test_tokens(
    tokened: Server,
    tokens: TokenServer,
    name: str,
    env: Make,
    tmp_path: Path,
    lifetime: int,
    identity: bool,
) -> None:
    """They are asked for by scope, used while they hold, and renewed."""
    token = tokens.make([f"repository:{name}:pull,push"])
    client = Client(tokened.host, headers={"Authorization": f"Bearer {token}"})
    client.push(f"{name}:1", [BASE, *ADDED])
    authfile = write_auth(tmp_path, tokened.host)
    if identity:
        entry_of = {tokened.host: {"identitytoken": REFRESH}}
        authfile.write_text(json.dumps({"auths": entry_of}))
    tokens.asked.clear()
    tokens.said = lifetime
    try:
        lamella.squash(
            f"docker://{tokened.host}/{name}:1",
            "#1",
            f"{name}-o:s",
            env=env(authfile=str(authfile)),
        )
    finally:
        tokens.said = None

    read, write = f"repository:{name}:pull", f"repository:{name}-o:pull,push"
    assert [read] in tokens.asked
    assert [write] in tokens.asked
    assert [write, read] in tokens.asked
    if lifetime == 300:
        assert len(tokens.asked) == 3
    token = tokens.make([f"repository:{name}-o:pull"])
    reader = Client(tokened.host, headers={"Authorization": f"Bearer {token}"})
    check_same([BASE, *ADDED], reader.pull(f"{name}-o:s")[2])


def test_no_token_is_explained(tokened: Server, name: str, env: Make, tmp_path: Path) -> None:
    """The token server's own words, and no password."""
    wrong = write_auth(tmp_path, tokened.host, password="n0t-the-secret")
    with pytest.raises(EngineError, match="gives no token: 401: who are you") as error:
        lamella.squash(f"docker://{tokened.host}/{name}:1", env=env(authfile=str(wrong)))
    assert "n0t-the-secret" not in str(error.value)
