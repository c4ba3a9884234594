"""``oci:`` and ``oci-archive:``: the image layout, as others write it and as we do."""

from __future__ import annotations

import errno
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.errors import (
    Ambiguous,
    DigestMismatch,
    ImageNotFound,
    OutputError,
    Unsupported,
    UsageError,
)
from lamella.files import NewFile
from lamella.spec.digest import Digest
from tests.support.images import docker_archive
from tests.transport.forms import (
    COMPRESSIONS,
    TARS,
    Layout,
    config_bytes,
    docker_archive_since_25,
    layout_of,
    state_of,
    to_file,
    validate_archive,
    validate_layout,
)

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}
REF_NAME = "org.opencontainers.image.ref.name"


def layers_of(reference: str, **more: str) -> int:
    """Count the layers of an image."""
    with lamella.open_image(reference, **more) as image:  # type: ignore[arg-type]
        return len(image.layers)


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_layers_in_every_compression(tmp_path: Path, compression: str) -> None:
    """In a folder and in an archive; kept layers keep their bytes and their descriptors."""
    made = layout_of(compression=compression)
    archive = to_file(tmp_path / "app.tar", made.tar())
    folder = made.write(tmp_path / "app")
    old, _ = validate_layout(folder)
    for number, source in enumerate(
        (f"oci:{folder}", str(folder), f"oci-archive:{archive}", archive)
    ):
        target = tmp_path / str(number)
        lamella.squash(source, last=2, output=f"oci:{target}", check=True)
        new, _ = validate_layout(target)
        assert new["layers"][0] == old["layers"][0]
        assert len(new["layers"]) == 2
        assert lamella.verify(source, f"oci:{target}") == []


def test_nested_indexes_and_attestations(tmp_path: Path) -> None:
    """BuildKit's layout: an index in the index, with an attestation beside each image."""
    made = Layout()
    note = made.blob(b"{}", "application/vnd.oci.image.manifest.v1+json", annotations=ATTESTATION)
    amd64 = {**made.manifest(), "platform": {"os": "linux", "architecture": "amd64"}}
    config = {"architecture": "arm64"}
    arm64 = {
        **made.manifest(TARS[:2], config=config),
        "platform": {"os": "linux", "architecture": "arm64"},
    }
    unknown = {**note, "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = made.index(amd64, arm64, unknown)
    source = f"oci:{made.add(made.index(inner), 'app').write(tmp_path / 'app')}"
    for reference in (source, f"{source}:app"):
        assert layers_of(reference, platform="linux/amd64") == 3
        assert layers_of(reference, platform="linux/arm64") == 2
        with pytest.raises(UsageError, match="linux/amd64, linux/arm64"):
            layers_of(reference, platform="linux/s390x")


@pytest.mark.parametrize("archive", [False, True], ids=["folder", "archive"])
def test_manifest_list_in_an_index(tmp_path: Path, archive: bool) -> None:
    """Docker's list of Docker's manifests inside OCI's index: read, and written in OCI's words."""
    made = Layout()
    platform = {"os": "linux", "architecture": "arm64"}
    image = {**made.manifest(docker=True, config=platform), "platform": platform}
    kind = "application/vnd.docker.distribution.manifest.list.v2+json"
    value = {"schemaVersion": 2, "mediaType": kind, "manifests": [image]}
    made.add(made.index(made.blob(json.dumps(value).encode(), kind)), "app")
    source = f"oci:{made.write(tmp_path / 'app')}:app"
    if archive:
        source = f"oci-archive:{to_file(tmp_path / 'app.tar', made.tar())}:app"

    lamella.squash(source, "#1", platform="linux/arm64", output=f"oci:{tmp_path}/one")
    lamella.squash(source, "#1", platform="all", output=f"oci:{tmp_path}/all")

    new, config = validate_layout(tmp_path / "one")
    assert (len(new["layers"]), config["architecture"]) == (2, "arm64")
    found = json.loads((tmp_path / "all/index.json").read_bytes())["manifests"][0]
    for wanted in ("index.v1", "index.v1", "manifest.v1"):
        assert found["mediaType"] == f"application/vnd.oci.image.{wanted}+json"
        blob = tmp_path / "all/blobs" / found["digest"].replace(":", "/")
        found = json.loads(blob.read_bytes()).get("manifests", [None])[0]


def test_indexes_nested_for_ever_are_refused(tmp_path: Path) -> None:
    """Nobody nests them more than a few levels."""
    made = Layout()
    descriptor = made.manifest()
    for _ in range(20):
        descriptor = made.index(descriptor)
    with pytest.raises(lamella.LamellaError, match="nested more than"):
        layers_of(f"oci:{made.add(descriptor).write(tmp_path / 'app')}")


def test_index_with_only_attestations_has_no_image(tmp_path: Path) -> None:
    """That is said, and not that the blob is odd."""
    made = Layout()
    made.add(
        made.blob(b"{}", "application/vnd.oci.image.manifest.v1+json", annotations=ATTESTATION)
    )
    with pytest.raises(lamella.LamellaError, match="no image manifest"):
        layers_of(f"oci:{made.write(tmp_path / 'app')}")


def test_tags_choose(tmp_path: Path) -> None:
    """By name or by digest; without one there must be only one image, however often it is named."""
    made = Layout()
    app, small = made.manifest(), made.manifest(TARS[:1])
    made.add(app, "a").add(app, "b")
    assert layers_of(f"oci:{made.write(tmp_path / 'one')}") == 3
    source = f"oci:{made.add(small, 'c').write(tmp_path / 'two')}"
    assert layers_of(f"{source}:c") == 1
    assert layers_of(f"{source}:{app['digest']}") == 3
    with pytest.raises(Ambiguous, match=f"{source}:a, {source}:c"):
        layers_of(source)
    with pytest.raises(ImageNotFound, match="a, b, c"):
        layers_of(f"{source}:d")


def test_platform_of_a_single_image_is_held_against_the_request(tmp_path: Path) -> None:
    """An image without a platform in the index has one in its config; so has an archive's."""
    layout = f"oci:{layout_of().write(tmp_path / 'app')}"
    archive = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    for source in (layout, archive):
        assert layers_of(source, platform="linux/amd64") == 3
        with pytest.raises(UsageError, match="it is for linux/amd64"):
            layers_of(source, platform="linux/arm64")


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_digest_of_another_kind_is_refused(tmp_path: Path, part: str) -> None:
    """What can't be checked is not taken."""
    made = Layout()
    descriptor = made.manifest()
    value = json.loads(made.files[f"blobs/{descriptor['digest'].replace(':', '/')}"])
    wrong = {"manifest": descriptor, "config": value["config"], "layer": value["layers"][1]}[part]
    wrong["digest"] = f"sha512:{'0' * 128}"
    if part != "manifest":
        descriptor = made.blob(json.dumps(value).encode(), descriptor["mediaType"])
    with pytest.raises(Unsupported, match="only sha256"):
        layers_of(f"oci:{made.add(descriptor).write(tmp_path / 'app')}")


def foreign(tars: int, *, absent: int) -> Layout:
    """Return a layout with a layer that may not be distributed, and is not there."""
    made = Layout()
    manifest = made.manifest(TARS[:tars])
    value = json.loads(made.files[f"blobs/{manifest['digest'].replace(':', '/')}"])
    layer = value["layers"][absent]
    layer["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    layer["urls"] = ["https://example.com/layer"]
    del made.files[f"blobs/{layer['digest'].replace(':', '/')}"]
    return made.add(made.blob(json.dumps(value).encode(), manifest["mediaType"]), "app")


def test_foreign_layer_that_is_absent(tmp_path: Path) -> None:
    """It can be listed, but neither squashed nor squashed upon: what it holds is not known."""
    source = f"oci:{foreign(3, absent=0).write(tmp_path / 'app')}"
    assert layers_of(source) == 3
    for choice in ({"last": 3}, {"last": 2}):
        with pytest.raises(Unsupported, match="layer 1: a non-distributable layer"):
            lamella.squash(source, output=f"oci:{tmp_path}/new", **choice)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_foreign_layer_above_what_is_squashed(tmp_path: Path) -> None:
    """It can't be copied either, which is said before anything is published."""
    source = f"oci:{foreign(3, absent=2).write(tmp_path / 'app')}"
    with pytest.raises(Unsupported, match="layer 3"):
        lamella.squash(source, layers=["1-2"], output=f"oci:{tmp_path}/new")
    assert not (tmp_path / "new").exists()


# --- Writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [1, 2], ids=["nothing to squash", "squashed"])
def test_layouts_speak_oci(tmp_path: Path, last: int) -> None:
    """Few tools find Docker's manifests in a layout: there they are put in OCI's words."""
    made = Layout()
    foreign = made.manifest(docker=True, note="kept")
    source = f"oci:{made.add(foreign).write(tmp_path / 'app')}"
    result = lamella.squash(source, last=last, output=f"oci:{tmp_path}/new")
    manifest, _ = validate_layout(tmp_path / "new")
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    types = {layer["mediaType"] for layer in manifest["layers"]}
    assert types == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    assert manifest["note"] == "kept"
    entry = json.loads((tmp_path / "new/index.json").read_bytes())["manifests"][0]
    assert (entry["mediaType"], entry["digest"]) == (manifest["mediaType"], result.digest)


def test_unknown_fields_and_annotations_are_kept(tmp_path: Path) -> None:
    """Of the manifest, of its config's descriptor, of kept layers, of the config."""
    made = Layout()
    more: dict[str, Any] = {"annotations": {"org.example": "kept"}, "x-unknown": [1, {"a": None}]}
    source = f"oci:{made.add(made.manifest(**more)).write(tmp_path / 'app')}"
    lamella.squash(source, last=2, output=f"oci:{tmp_path}/new")
    manifest, config = validate_layout(tmp_path / "new")
    assert {key: manifest[key] for key in more} == more
    assert manifest["layers"][0]["annotations"] == {"layer": "0"}
    assert "annotations" not in manifest["layers"][1]
    assert config["x-unknown"] == json.loads(config_bytes())["x-unknown"]


def test_existing_layout_gets_another_image(tmp_path: Path) -> None:
    """What is there stays, fields that nobody knows too; shared layers are not written again."""
    made = layout_of(tag="old")
    made.index_fields = {"x-unknown": "kept", "annotations": {"a": "b"}}
    made.entries[0]["x-more"] = "kept too"
    folder = made.write(tmp_path / "layout")
    before = state_of(folder)
    for _ in range(2):  # the second time it takes the place of the first
        lamella.squash(f"oci:{folder}:old", last=2, output=f"oci:{folder}:new")
        index = json.loads((folder / "index.json").read_bytes())
        assert index["x-unknown"] == "kept"
        assert index["annotations"] == {"a": "b"}
        assert [entry["annotations"][REF_NAME] for entry in index["manifests"]] == ["old", "new"]
        assert index["manifests"][0] == made.entries[0]
        after = state_of(folder)
        assert {name: after[name] for name in before if name != "index.json"} == {
            name: content for name, content in before.items() if name != "index.json"
        }
        assert len(after) == len(before) + 3  # a layer, a config, a manifest
    validate_layout(folder, "old")
    validate_layout(folder, "new")


def test_abort_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    """Also one that was not there, or was empty."""
    made = layout_of()
    last = json.loads(made.files[f"blobs/{made.entries[0]['digest'].replace(':', '/')}"])["layers"][
        2
    ]
    made.files[f"blobs/{last['digest'].replace(':', '/')}"] = b"damaged"
    source = f"oci:{made.write(tmp_path / 'app')}"
    (tmp_path / "empty").mkdir()
    layout_of(TARS[:1], tag="old").write(tmp_path / "layout")
    before = state_of(tmp_path)
    for folder in ("none", "empty", "layout"):
        with pytest.raises(lamella.LamellaError):
            lamella.squash(source, layers=["1-2"], output=f"oci:{tmp_path / folder}")
        assert state_of(tmp_path) == before


def test_failure_at_the_very_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is the last file to be written, and may fail as well."""
    real = NewFile.give_name

    def fail(self: NewFile, name: str, folder: int | None = None) -> bool:
        if name == "index.json":
            raise OSError(errno.ENOSPC, "full")
        return real(self, name, folder)

    source = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    before = state_of(tmp_path)
    for target in ("new", "."):
        monkeypatch.setattr(NewFile, "give_name", fail)
        with pytest.raises(OutputError):
            lamella.squash(source, output=f"oci:{tmp_path}/{target}")
        assert state_of(tmp_path) == before


def test_archive_is_read_by_tar(tmp_path: Path) -> None:
    """It starts with ``oci-layout``; every blob is where its digest says."""
    source = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    lamella.squash(source, last=2, output=f"oci-archive:{tmp_path}/new.tar:slim")
    with tarfile.open(tmp_path / "new.tar") as tar:
        assert tar.getnames()[0] == "oci-layout"
        tar.extractall(tmp_path / "new", filter="data")
    validate_layout(tmp_path / "new", "slim")


def test_output_may_be_the_input(tmp_path: Path) -> None:
    """An archive is replaced; in a folder the tag moves."""
    archive = f"oci-archive:{to_file(tmp_path / 'app.tar', layout_of().tar())}"
    folder = f"oci:{layout_of().write(tmp_path / 'app')}:app"
    for reference in (archive, folder):
        lamella.squash(reference, output=reference, check=True)
        assert layers_of(reference) == 1


def test_round_trip_keeps_layers_and_config(tmp_path: Path) -> None:
    """From form to form an image that is not squashed stays the same, to the byte."""
    forms = [
        "oci:{}/a",
        "oci-archive:{}/b",
        "docker-archive:{}/c",
        "oci:{}/d",
        "docker-archive:{}/e",
    ]
    source = to_file(tmp_path / "app.tar", docker_archive_since_25())
    for form in forms:
        target = form.format(tmp_path)
        result = lamella.squash(source, last=1, output=target)
        assert not result.squashed
        with lamella.open_image(target) as image:
            assert image.config.raw == config_bytes()
            assert image.diff_ids == tuple(Digest.of(tar) for tar in TARS)
        assert lamella.verify(source, target) == []
        source = target
    validate_archive(tmp_path / "e")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "e").read_bytes()


def real_layouts() -> list[Path]:
    """List layouts of other people, where they are at hand."""
    return sorted(path for path in FIXTURES.glob("*") if (path / "index.json").exists())


@pytest.mark.parametrize("path", real_layouts(), ids=lambda path: path.name)
def test_layout_of_others(tmp_path: Path, path: Path) -> None:
    """What other tools wrote is read, squashed, and the same afterwards."""
    try:
        with lamella.open_image(f"oci:{path}"):
            pass
    except lamella.LamellaError as error:
        assert re.search("choose one|no image config", str(error))  # noqa: PT017 - else read
        return
    lamella.squash(f"oci:{path}", output=f"oci:{tmp_path}/new", check=True)
    validate_layout(tmp_path / "new")
    assert lamella.verify(f"oci:{path}", f"oci:{tmp_path}/new") == []


def test_layer_that_stays_is_unpacked_to_be_proved(tmp_path: Path) -> None:
    """Its digest holds, and its content is not what the config says: engines refuse such images."""
    wrong = [Digest.of(tar) for tar in (*TARS[:2], b"wrong")]
    made = layout_of(config={"rootfs": {"type": "layers", "diff_ids": wrong}})
    source, target = f"oci:{made.write(tmp_path / 'old')}", f"oci:{tmp_path}/new"
    lamella.squash(source, layers=["1-2"], output=target)
    with pytest.raises(DigestMismatch, match=str(wrong[2])):
        lamella.squash(source, layers=["1-2"], output=f"{target}-proved", check=True)
    assert not (tmp_path / "new-proved").exists()
