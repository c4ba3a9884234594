"""What becomes of the layers that stay: what is told is what is written, and the default is pure.

The truth is in the bytes of the output: each layer's first bytes tell how it is stored.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

import lamella
from lamella.layer.compression import detect
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.transport.forms import (
    TARS,
    Layout,
    compress,
    config_bytes,
    docker_archive_with,
    validate_archive,
)

MIXED = [["none", "none"], ["gzip", "gzip"], ["zstd", "zstd"], ["gzip", "zstd"], ["gzip", "none"]]
"""How two kept layers and two squashed ones are stored."""
OUTPUTS = ("docker-archive", "oci", "oci-archive")
ONE, TWO, THREE = TARS


def layout(where: Path, kinds: list[str]) -> str:
    """Write a layout of four layers: two of `kinds`, and again two."""
    made = Layout()
    tars = (ONE, TWO, THREE, TWO)
    parts = [made.manifest([tar], kind) for tar, kind in zip(tars, [*kinds, *kinds], strict=True)]
    layers = [json.loads(made.files[_file(part)])["layers"][0] for part in parts]
    whole = json.loads(made.files[_file(made.manifest(tars))])
    raw = json.dumps({**whole, "layers": layers}).encode()
    made.add(made.blob(raw, whole["mediaType"]), "app")
    return f"oci:{made.write(where)}"


def _file(descriptor: dict[str, str]) -> str:
    return "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")


def archive(where: Path, kinds: list[str]) -> str:
    """Write a docker-archive of the same four layers."""
    tars = (ONE, TWO, THREE, TWO)
    names = [f"{number}.tar" for number in range(4)]
    stored = [compress(kind, tar) for kind, tar in zip([*kinds, *kinds], tars, strict=True)]
    files: dict[str, bytes | str] = {
        "c.json": config_bytes(tars),
        **dict(zip(names, stored, strict=True)),
    }
    entry = {"Config": "c.json", "RepoTags": ["app:1"], "Layers": names}
    where.write_bytes(docker_archive_with(files, [entry]))
    return f"docker-archive:{where}"


def stored_kinds(form: str, where: Path) -> list[str]:
    """Name the compression of each layer of an output, by its bytes."""

    def read(name: str) -> bytes:
        if form == "oci":
            return (where / name).read_bytes()
        with tarfile.open(where) as tar:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

    if form == "docker-archive":
        names = json.loads(read("manifest.json"))[0]["Layers"]
    else:
        index = json.loads(read("index.json"))
        manifest = json.loads(read(_file(index["manifests"][0])))
        names = [_file(descriptor) for descriptor in manifest["layers"]]
    return [detect(read(name)[:6]) for name in names]


def told(kinds: list[str]) -> str:
    """Name kinds as a conversion does."""
    return " and ".join("plain" if kind == "none" else kind for kind in dict.fromkeys(kinds))


@pytest.mark.parametrize("form", OUTPUTS)
@pytest.mark.parametrize("kinds", MIXED, ids="-".join)
@pytest.mark.parametrize("make", [layout, archive])
@pytest.mark.parametrize("compression", [None, "none", "gzip", "zstd"])
def test_what_is_told_is_what_is_stored(
    make: object, kinds: list[str], form: str, compression: str | None, tmp_path: Path
) -> None:
    """Whatever layers stay, wherever to: the conversion told is the one seen in the bytes."""
    source = make(tmp_path / "source", kinds)  # type: ignore[operator]
    target = tmp_path / "new"

    def squash() -> lamella.Result:
        return lamella.squash(source, last=2, output=f"{form}:{target}", compression=compression)

    if form == "docker-archive" and compression == "zstd":
        with pytest.raises(lamella.LamellaError, match="loads no zstd"):
            squash()
        return
    converted = squash().converted
    kept = stored_kinds(form, target)[:2]
    change = f"kept layers {told(kinds)} → {told(kept)}"
    assert (change in converted, "kept layers" in converted) == (kinds != kept,) * 2, converted


@pytest.mark.parametrize("kinds", MIXED, ids="-".join)
@pytest.mark.parametrize("make", [layout, archive])
@pytest.mark.parametrize("compression", [None, "zstd"])
def test_what_a_registry_stores_is_told(
    make: object, kinds: list[str], compression: str | None, tmp_path: Path
) -> None:
    """Into one and out of it again; within it nothing that stays is changed or sent."""
    source = make(tmp_path / "source", kinds)  # type: ignore[operator]
    with registry_in_memory(Oddly(0)) as registry:
        there, again = (f"docker://{registry.host}/app:{tag}" for tag in "12")
        pushed = lamella.squash(source, last=2, output=there, compression=compression)
        first = stored_in(registry, "1")
        change = f"kept layers {told(kinds)} → {told(first[:2])}"
        assert (change in pushed.converted) == (kinds != first[:2]), pushed.converted
        if make is layout:
            assert first[:2] == kinds, "what has a descriptor is sent as it is"
        assert first[2] == (compression or first[2])
        blobs = set(registry.blobs)
        within = lamella.squash(there, last=2, output=again)
        assert within.converted == ""
        assert stored_in(registry, "2")[0] == first[0]
        assert len(set(registry.blobs) - blobs) == 2, "a layer and a config"
        assert lamella.verify(source, again) == []


def stored_in(registry: MemoryRegistry, tag: str) -> list[str]:
    """Name the compression of each layer of an image in a registry, by its bytes."""
    manifest = json.loads(registry.manifests["app", tag][1])
    return [detect(registry.blobs[layer["digest"]][:6]) for layer in manifest["layers"]]


@pytest.mark.parametrize("form", OUTPUTS)
@pytest.mark.parametrize("kinds", MIXED, ids="-".join)
@pytest.mark.parametrize("make", [layout, archive])
def test_asking_for_the_default_gives_the_default(
    make: object, kinds: list[str], form: str, tmp_path: Path
) -> None:
    """`--compression X`, where X is what the default chose, gives the same bytes."""
    source = make(tmp_path / "source", kinds)  # type: ignore[operator]
    lamella.squash(source, last=2, output=f"{form}:{tmp_path}/default")
    chosen = stored_kinds(form, tmp_path / "default")[-1]
    lamella.squash(source, last=2, output=f"{form}:{tmp_path}/asked", compression=chosen)
    default, asked = (_content(tmp_path / name) for name in ("default", "asked"))
    assert default == asked


def _content(where: Path) -> dict[str, bytes]:
    if where.is_file():
        return {"": where.read_bytes()}
    return {
        str(path.relative_to(where)): path.read_bytes()
        for path in where.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kinds", MIXED, ids="-".join)
@pytest.mark.parametrize("make", [layout, archive])
@pytest.mark.parametrize("compression", [None, "none", "gzip:1"])
@pytest.mark.parametrize("choice", [{"last": 1}, {"layers": ["1-2"]}], ids=str)
def test_layers_of_a_docker_archive_are_alike(
    make: object, kinds: list[str], compression: str | None, choice: object, tmp_path: Path
) -> None:
    """Kept or new, all are plain or all are gzip: crane takes each for what the first one is."""
    source = make(tmp_path / "source", kinds)  # type: ignore[operator]
    target = tmp_path / "new"
    lamella.squash(source, output=f"docker-archive:{target}", compression=compression, **choice)  # type: ignore[arg-type]
    found = set(stored_kinds("docker-archive", target))
    assert len(found) == 1
    if compression:
        assert found == {compression.partition(":")[0]}
    validate_archive(target)
