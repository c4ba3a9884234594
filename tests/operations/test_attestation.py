"""What is stated about a new image, so that others can sign it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.support.platforms import three_platforms
from tests.support.schemas import STATEMENT_SCHEMA, assert_valid
from tests.transport.forms import layout_of


def checked(result: lamella.Result, folder: Path) -> dict[str, Any]:
    """Return the statement, held against the schema."""
    statement = lamella.attestation(result)
    (folder / "statement.json").write_text(json.dumps(statement))
    assert_valid(folder / "statement.json", "--schemafile", STATEMENT_SCHEMA)
    return statement


def hex_of(digest: str) -> dict[str, str]:
    """Return a digest as in-toto has it."""
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}


def test_it_is_about_the_manifest_that_others_pull(tmp_path: Path) -> None:
    """With what it was made of, how, and whether that was proven."""
    made = layout_of(tag="app")
    made.add(made.manifest(), "base").write(tmp_path / "app")
    app = f"oci:{tmp_path}/app:app"
    with lamella.open_image(app) as image:
        digest = str(image.manifest and image.manifest.digest)
    result = lamella.squash(
        *(app, "1", "slim"),
        output=f"oci:{tmp_path}/new:slim",
        exclude=["etc/new"],
        clamp_mtime="1970-01-02",
        annotations={"a": "b"},
        check=True,
    )
    statement = checked(result, tmp_path)
    assert statement["subject"] == [{"name": "slim", "digest": hex_of(result.digest)}]
    predicate = statement["predicate"]
    assert predicate["source"]["digest"] == digest
    assert predicate["base"]["layers"] == 1
    [squashed] = predicate["ranges"]
    assert (squashed["first"], squashed["last"]) == (2, 3)
    assert squashed["diff_id"] == result.ranges[0].diff_id
    assert (predicate["excluded"], predicate["verified"]) == (1, True)
    assert predicate["lamella"] == lamella.__version__
    assert predicate["options"] == {
        "annotations": {"a": "b"},
        "clamp_mtime": "1970-01-02T00:00:00Z",
        "exclude": ["etc/new"],
    }


def test_the_base_is_told_if_an_image_is_it(tmp_path: Path) -> None:
    """By its name and the digest of its manifest."""
    made = three_platforms()
    made.layout.write(tmp_path / "app")
    app = f"oci:{tmp_path}/app"
    result = lamella.squash(
        f"{app}:app", "base", output=f"oci:{tmp_path}/new", platform="linux/arm64"
    )
    with lamella.open_image(f"{app}:base", platform="linux/arm64") as base:
        digest = str(base.manifest and base.manifest.digest)
    statement = checked(result, tmp_path)
    assert "name" not in statement["subject"][0]
    assert statement["predicate"]["base"] == {
        "name": f"{app}:base",
        "digest": digest,
        "layers": 2,
    }
    assert statement["predicate"]["verified"] is False


def test_of_every_platform_it_is_about_the_index_and_each_image(tmp_path: Path) -> None:
    """A verifier may resolve the name to any of them."""
    three_platforms().layout.write(tmp_path / "app")
    result = lamella.squash(
        f"oci:{tmp_path}/app:app", "1", "slim", output=f"oci:{tmp_path}/new", platform="all"
    )
    statement = checked(result, tmp_path)
    names = ["slim", "slim (linux/amd64)", "slim (linux/arm64)", "slim (linux/arm/v7)"]
    assert [subject["name"] for subject in statement["subject"]] == names
    digests = [result.digest, *(one.digest for one in result.platforms)]
    assert [subject["digest"] for subject in statement["subject"]] == list(map(hex_of, digests))
    platforms = statement["predicate"]["platforms"]
    assert [one["platform"] for one in platforms] == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    assert [len(one["ranges"]) for one in platforms] == [1, 1, 0]
    assert platforms[0]["source"]["digest"] == result.platforms[0].source_digest


def test_without_a_manifest_it_is_about_the_image_id(tmp_path: Path) -> None:
    """Which is what names the image in an engine, or in an archive."""
    layout_of().write(tmp_path / "app")
    target = f"docker-archive:{tmp_path}/new.tar"
    result = lamella.squash(f"oci:{tmp_path}/app", output=target)
    assert checked(result, tmp_path)["subject"] == [{"digest": hex_of(result.id)}]
    with pytest.raises(ValueError, match="dry run"):
        lamella.attestation(lamella.squash(f"oci:{tmp_path}/app", dry_run=True))
