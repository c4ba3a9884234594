"""Corrupt every blob in turn: it must fail, and nothing may be published."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamella.spec.digest import Digest
from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.transport.forms import (
    COMPRESSIONS,
    TARS,
    Layout,
    compress,
    config_bytes,
    docker_archive_since_25,
    docker_archive_with,
    layout_of,
    state_of,
    to_file,
)

Damage = Callable[[bytes], bytes]


def flip(data: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def cut(data: bytes) -> bytes:
    """Lose the last third."""
    return data[: len(data) * 2 // 3]


def grow(data: bytes) -> bytes:
    """Have more at the end."""
    return data + data[-512:]


def swap(data: bytes) -> bytes:
    """Be another, sound layer."""
    del data
    return compress("gzip", TARS[0] + bytes(512))


SLOW_KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("none", "zstd")]

# The kept layer below, the squashed ones, and, for the last, a kept one above.
CHOICES = (["#1"], ["--layers", "1-2"])


def assert_refused(lamella: Lamella, source: str, work: Path) -> None:
    """No choice of layers, and no destination, gets anything out of it."""
    for choice in CHOICES:
        for target in ("docker-archive", "oci-archive", "oci"):
            before = state_of(work)
            ran = lamella("squash", source, *choice, "-o", f"{target}:{work}/new")
            ran.failed(1, "lamella: ")
            assert "unexpected" not in ran.err
            assert ran.out == b""
            assert state_of(work) == before


@pytest.mark.parametrize("damage", [flip, cut, grow, swap])
@pytest.mark.parametrize("compression", ["gzip", *SLOW_KINDS])
def test_each_blob_of_a_layout(
    lamella: Lamella, work: Path, compression: str, damage: Damage
) -> None:
    """Manifest, config and layers are held against their digests; so in a folder and an archive."""
    sound = layout_of(compression=compression)
    blobs = [name for name in sound.files if name.startswith("blobs/")]
    assert len(blobs) == 5
    for name in blobs:
        damaged = Layout({**sound.files, name: damage(sound.files[name])}, sound.entries)
        folder = work / name.rpartition("/")[2]
        assert_refused(lamella, f"oci:{damaged.write(folder / 'layout')}", folder)
        archive = to_file(folder / "archive.tar", damaged.tar())
        assert_refused(lamella, f"oci-archive:{archive}", folder)


def test_each_blob_of_a_layout_is_missed(lamella: Lamella, work: Path) -> None:
    """What is not there is named."""
    sound = layout_of()
    for name in [name for name in sound.files if name.startswith("blobs/")]:
        rest = {other: content for other, content in sound.files.items() if other != name}
        folder = work / name.rpartition("/")[2]
        assert_refused(
            lamella, f"oci:{Layout(rest, sound.entries).write(folder / 'layout')}", folder
        )
        ran = lamella("layers", f"oci:{folder}/layout")
        ran.failed(1, name)


@pytest.mark.parametrize("damage", [flip, cut, grow, swap])
def test_damaged_blob_that_the_destination_has_too(
    lamella: Lamella, work: Path, damage: Damage
) -> None:
    """A layout that gets another image is not trusted: its blobs may be damaged as well."""
    sound = layout_of()
    layers = json.loads(sound.files[f"blobs/{sound.entries[0]['digest'].replace(':', '/')}"])[
        "layers"
    ]
    for number, layer in enumerate(layers):
        name = f"blobs/{layer['digest'].replace(':', '/')}"
        damaged = Layout({**sound.files, name: damage(sound.files[name])}, sound.entries)
        folder = damaged.write(work / str(number))
        for choice in CHOICES:
            before = state_of(folder)
            source = f"oci:{folder}:app"
            ran = lamella("squash", source, *choice, "-o", f"oci:{folder}:new").failed(1)
            assert "layer" in ran.err
            assert state_of(folder) == before


def test_damaged_blob_of_the_destination_is_mended(lamella: Lamella, work: Path) -> None:
    """The source has the right bytes, so they are written again."""
    source = layout_of().write(work / "source")
    target = layout_of().write(work / "target")
    for blob in (target / "blobs/sha256").iterdir():
        blob.write_bytes(flip(blob.read_bytes()))
    lamella("squash", f"oci:{source}", "#1", "-o", f"oci:{target}:new").worked()
    lamella("verify", f"oci:{source}", f"oci:{target}:new").worked()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, cut, grow])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_each_layer_of_a_docker_archive(
    lamella: Lamella, work: Path, compression: str, damage: Damage
) -> None:
    """There are no digests of the stored bytes, but the diff_ids of the config hold."""
    config = config_bytes(TARS)
    for number in range(len(TARS)):
        files: dict[str, bytes | str] = {"config.json": config}
        for position, tar in enumerate(TARS):
            stored = compress(compression, tar)
            files[f"{position}.tar"] = damage(stored) if position == number else stored
        names = list(files)[1:]
        folder = work / str(number)
        folder.mkdir()
        archive = docker_archive_with(files, [{"Config": "config.json", "Layers": names}])
        assert_refused(lamella, f"docker-archive:{to_file(folder / 'a.tar', archive)}", folder)


def test_config_named_by_its_digest(lamella: Lamella, work: Path) -> None:
    """Docker 25 and later name it so; a changed one is refused."""
    sound = docker_archive_since_25()
    wrong = sound.replace(b'"kept"', b'"lost"')
    assert wrong != sound
    name = to_file(work / "app.tar", wrong)
    lamella("layers", name).failed(1, "config: digest mismatch")
    assert_refused(lamella, f"docker-archive:{name}", work)


def test_layer_missing_from_a_docker_archive(lamella: Lamella, work: Path) -> None:
    """Its name is told."""
    files: dict[str, bytes | str] = {"c.json": config_bytes(TARS[:2]), "1.tar": TARS[0]}
    entries = [{"Config": "c.json", "Layers": ["1.tar", "2.tar"]}]
    name = to_file(work / "app.tar", docker_archive_with(files, entries))
    lamella("layers", name).failed(1, "'2.tar' is not in the archive")


def test_layers_and_diff_ids_must_be_as_many(lamella: Lamella, work: Path) -> None:
    """Otherwise nobody knows which is which."""
    files: dict[str, bytes | str] = {"c.json": config_bytes(TARS), "1.tar": TARS[0]}
    name = to_file(
        work / "a.tar", docker_archive_with(files, [{"Config": "c.json", "Layers": ["1.tar"]}])
    )
    lamella("layers", name).failed(1, "lists 3 layers, manifest.json 1")
    made = Layout()
    manifest = made.manifest(config={"rootfs": {"type": "layers", "diff_ids": []}})
    lamella("layers", f"oci:{made.add(manifest).write(work / 'oci')}").failed(1, "0 layers", "3")


def test_history_need_not_fit_the_layers(lamella: Lamella, work: Path) -> None:
    """Engines take such an image; what is made of it is said, and what comes of it has both."""
    made = Layout()
    made.add(made.manifest(config={"history": [{"created_by": "one"}]})).write(work / "oci")
    ran = lamella("squash", f"oci:{work}/oci", "--last", "2", "-o", f"oci:{work}/new").worked()
    assert "1 layers, it has 3; the lowest 2 are taken for those without an entry" in ran.err
    lamella("verify", f"oci:{work}/oci", f"oci:{work}/new").worked()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_archive_that_was_cut_off(lamella: Lamella, work: Path, share: float) -> None:
    """A download that broke off, in a file and through a pipe."""
    whole = docker_archive(*TARS)
    part = whole[: int(len(whole) * share)]
    name = to_file(work / "cut.tar", part)
    assert_refused(lamella, f"docker-archive:{name}", work)
    told = "the archive is cut off ", " (truncated ", "save it again"
    lamella("squash", "-", "-o", f"docker-archive:{work}/new", stdin=part).failed(1, *told)
    lamella("layers", name).failed(1, name, *told)


def test_archive_that_was_cut_off_between_two_files(lamella: Lamella, work: Path) -> None:
    """What is there is sound, but its end is missing, and with it the list of images."""
    whole = docker_archive(*TARS)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        third = tar.getmembers()[2]
    name = to_file(work / "cut.tar", whole[: third.offset])
    lamella("layers", name).failed(1, "the archive is cut off after ", "/layer.tar; download or")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2"])
def test_compressed_archive_that_was_cut_off(
    lamella: Lamella, work: Path, compression: str
) -> None:
    """It says that the compressed data are at fault."""
    part = cut(compress(compression, docker_archive(*TARS)))
    name = to_file(work / "cut.tar", part)
    lamella("layers", name).failed(1, f"{compression} data are damaged or cut off", "save it again")
    lamella("layers", "-", stdin=part).failed(1, "damaged or cut off", "save it again")


@pytest.mark.parametrize("size", [0, 100])
def test_blob_that_was_cut_off(lamella: Lamella, work: Path, size: int) -> None:
    """It shows by its size, even where no layer is read."""
    made = layout_of()
    made.write(work / "layout")
    blobs = (work / "layout/blobs/sha256").iterdir()
    blob = next(path for path in blobs if not path.read_bytes().startswith(b"{"))
    expected = f"expected {blob.stat().st_size} bytes, got {size} bytes"
    os.truncate(blob, size)
    for command in ("layers", "analyze", "ls"):
        lamella(command, f"oci:{work}/layout").failed(1, "layer ", expected)


def test_descriptor_of_another_size_is_refused(lamella: Lamella, work: Path) -> None:
    """A right digest with a wrong size is a wrong descriptor."""
    made = Layout()
    descriptor = made.manifest()
    blob = f"blobs/{descriptor['digest'].replace(':', '/')}"
    value = json.loads(made.files[blob])
    for number in range(len(TARS)):
        changed = json.loads(json.dumps(value))
        changed["layers"][number]["size"] += 1
        raw = json.dumps(changed).encode()
        wrong = Layout({**made.files})
        wrong.add(wrong.blob(raw, descriptor["mediaType"]))
        folder = work / str(number)
        assert_refused(lamella, f"oci:{wrong.write(folder / 'layout')}", folder)
        assert Digest.of(raw) != descriptor["digest"]
