"""What real tools attach is carried, and what lamella attaches or states they all read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lamella
from lamella.operations.attestation import PREDICATE
from tests.engines.tools import Tool
from tests.transport.forms import TARS
from tests.transport.registry.conftest import Make
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server

pytestmark = pytest.mark.engine

SBOM = "application/spdx+json"


@pytest.fixture
def cosign(cosign: Tool, tmp_path: Path) -> Tool:
    """The tool with a key of its own, ``cosign.key``, and no service elsewhere."""
    prefix = f"--output-key-prefix={tmp_path}/cosign"
    cosign("generate-key-pair", prefix)
    return cosign


def listed_by(oras: Tool, name: str) -> dict[str, str]:
    """Return what oras finds attached to an image: types by digest."""
    found = json.loads(oras("discover", "--plain-http", "--format", "json", name))
    referrers = found.get("referrers") or ()
    return {one["reference"].partition("@")[2]: one["artifactType"] for one in referrers}


def test_an_sbom_is_carried_and_a_signature_is_not(
    plain: Server, client: Client, oras: Tool, cosign: Tool, name: str, env: Make, tmp_path: Path
) -> None:
    """It is listed by oras, with the same bytes; by default nothing is carried."""
    digest = client.push(f"{name}:app", TARS)
    home = f"{plain.host}/{name}"
    (tmp_path / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    file = f"{tmp_path}/sbom.json:{SBOM}"
    oras(
        *("attach", "--plain-http", "--disable-path-validation", "--artifact-type", SBOM),
        *(f"{home}@{digest}", file),
    )
    options = ("--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false")
    key = f"--key={tmp_path}/cosign.key"
    cosign("sign", key, "--yes", *options, f"{home}@{digest}")
    assert len(listed_by(oras, f"{home}@{digest}")) == 2

    result = lamella.squash(
        f"docker://{home}:app", "1", f"{name}:slim", check=True, referrers="copy", env=env()
    )

    states = {one.artifact_type: one.state for one in result.referrers}
    assert states.pop(SBOM) == "copied"
    assert set(states.values()) == {"left"}
    [(own, kind)] = listed_by(oras, f"{home}@{result.digest}").items()
    assert kind == SBOM
    assert (tmp_path / "sbom.json").read_bytes() == client.blob(
        name, client.manifest(name, own)["layers"][0]["digest"]
    )
    plainly = lamella.squash(f"docker://{home}:app", tag=f"{name}:one", env=env())
    assert listed_by(oras, f"{home}@{plainly.digest}") == {}


def test_cosign_signs_what_is_stated(
    plain: Server, client: Client, oras: Tool, cosign: Tool, name: str, env: Make, tmp_path: Path
) -> None:
    """The predicate for an image, the whole statement for a file; and it verifies both."""
    client.push(f"{name}:app", TARS)
    home = f"{plain.host}/{name}"
    result = lamella.squash(f"docker://{home}:app", "1", f"{name}:slim", check=True, env=env())
    statement = lamella.attestation(result)
    new = f"{home}@{result.digest}"
    (tmp_path / "predicate.json").write_text(json.dumps(statement["predicate"]))
    (tmp_path / "statement.json").write_text(json.dumps(statement))
    key, public = f"--key={tmp_path}/cosign.key", f"--key={tmp_path}/cosign.pub"
    offline = ("--use-signing-config=false", "--tlog-upload=false", "--yes")
    http, type_ = "--allow-http-registry", f"--type={PREDICATE}"
    cosign("attest", key, f"--predicate={tmp_path}/predicate.json", type_, http, *offline, new)
    cosign("verify-attestation", public, "--insecure-ignore-tlog", type_, http, new)
    bundle = f"--bundle={tmp_path}/bundle.json"
    cosign("attest-blob", key, f"--statement={tmp_path}/statement.json", bundle, *offline)
    cosign(
        *("verify-blob-attestation", public, bundle, type_, "--insecure-ignore-tlog"),
        *("--digestAlg=sha256", f"--digest={result.digest.removeprefix('sha256:')}"),
    )
    kind = "application/vnd.in-toto+json"
    file = f"{tmp_path}/statement.json:{kind}"
    oras(
        *("attach", "--plain-http", "--disable-path-validation", "--artifact-type", kind, new),
        file,
    )
    assert kind in listed_by(oras, new).values()
