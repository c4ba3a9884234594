"""The same image in every form in which it may lie in a file: archives, layouts, compressions."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamella.spec.digest import Digest
from tests.support.images import config_of, made_by
from tests.support.tars import END, entry, folder, layer, link, symlink, whiteout
from tests.support.zstd_frames import skippable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = [
    "COMPRESSIONS",
    "TARS",
    "Layout",
    "compress",
    "config_bytes",
    "docker_archive_since_25",
    "docker_archive_with",
    "layout_of",
    "plain",
    "several_images",
    "state_of",
    "tars_of_archive",
    "to_file",
    "validate_archive",
    "validate_layout",
]

TARS = (
    layer("etc/", ("etc/name", b"base\n" * 200), ("etc/old", b"x" * 700)),
    layer(("etc/name", b"changed\n" * 150), whiteout("etc/old")),
    layer(("etc/new", b"n" * 900), symlink("etc/link", "new")),
)
COMPRESSIONS = ("none", "gzip", "gzip in parts", "zstd", "zstd in parts", "xz", "bzip2")

_MEDIA = "application/vnd.oci.image"
_SUFFIX = {
    "none": "",
    "gzip": "+gzip",
    "gzip in parts": "+gzip",
    "zstd": "+zstd",
    "zstd in parts": "+zstd",
}


def compress(kind: str, data: bytes) -> bytes:  # noqa: PLR0911 - a table with code in it
    """Compress as engines and users do; the same bytes each time."""
    match kind:
        case "gzip":
            return gzip.compress(data, mtime=0)
        case "gzip in parts":  # pigz and eStargz write several members
            half = len(data) // 2
            return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)
        case "zstd":
            return zstd.compress(data)
        case "zstd in parts":  # pzstd and zstd:chunked write several frames, and some to be skipped
            step = len(data) // 4 + 1
            first, *more = (zstd.compress(data[at : at + step]) for at in range(0, len(data), step))
            return first + skippable(b"more") + b"".join(more) + skippable(b"end")
        case "xz":
            return lzma.compress(data, preset=0)
        case "bzip2":
            return bz2.compress(data)
    return data


def config_bytes(tars: Sequence[bytes] = TARS, **more: object) -> bytes:
    """Return a config with a history and with fields that no standard knows."""
    steps = made_by(*(f"step {number}" for number in range(1, len(tars) + 1)))
    known = config_of([Digest.of(tar) for tar in tars], steps)
    return json.dumps(
        {**known, **more, "x-unknown": {"kept": ["as", "it is", 1.50]}}, indent=1
    ).encode()


def docker_archive_with(
    files: Mapping[str, bytes | str], entries: Sequence[Mapping[str, Any]]
) -> bytes:
    """Return a docker-archive of any files.

    Text is the target of a symlink, or of a hard link if it starts with ``=``.
    """
    out = b""
    for name, content in files.items():
        if isinstance(content, bytes):
            out += entry(name, content).encode()
        elif content.startswith("="):
            out += link(name, content[1:]).encode()
        else:
            out += symlink(name, content).encode()
    return out + entry("manifest.json", json.dumps(entries).encode()).encode() + END


def several_images(images: Mapping[str, Sequence[bytes]]) -> bytes:
    """Return a docker-archive of several images, by tag; layers they share are there once."""
    files: dict[str, bytes | str] = {}
    entries = []
    for tag, tars in images.items():
        config = config_bytes(tars)
        name = f"{Digest.of(config).hex}.json"
        files[name] = config
        names = [f"{Digest.of(tar).hex}/layer.tar" for tar in tars]
        files.update(zip(names, tars, strict=True))
        tags = [] if tag.startswith("untagged") else [tag]
        entries.append({"Config": name, "RepoTags": tags, "Layers": names})
    return docker_archive_with(files, entries)


def docker_archive_since_25(tars: Sequence[bytes] = TARS, tag: str = "app:latest") -> bytes:
    """Return what Docker 25 saves, with the wrong OCI index that some releases put beside it."""
    config = config_bytes(tars)
    names = [f"blobs/sha256/{Digest.of(blob).hex}" for blob in (config, *tars)]
    files: dict[str, bytes | str] = dict(zip(names, (config, *tars), strict=True))
    missing = {"mediaType": f"{_MEDIA}.manifest.v1+json", "digest": f"sha256:{'0' * 64}", "size": 7}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [missing]}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    sources = {Digest.of(tar): {"size": len(tar)} for tar in tars}
    manifest = {"Config": names[0], "RepoTags": [tag], "Layers": names[1:], "LayerSources": sources}
    return docker_archive_with(files, [manifest])


@dataclass
class Layout:
    """An OCI image layout in the making."""

    files: dict[str, bytes] = field(
        default_factory=lambda: {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    )
    entries: list[dict[str, Any]] = field(default_factory=list)
    index_fields: dict[str, Any] = field(default_factory=dict)

    def blob(self, content: bytes, media_type: str, **more: object) -> dict[str, Any]:
        """Add a blob; return its descriptor."""
        digest = Digest.of(content)
        self.files[f"blobs/sha256/{digest.hex}"] = content
        return {"mediaType": media_type, "digest": str(digest), "size": len(content), **more}

    def manifest(
        self,
        tars: Sequence[bytes] = TARS,
        compression: str = "gzip",
        *,
        config: Mapping[str, object] | None = None,
        docker: bool = False,
        **more: object,
    ) -> dict[str, Any]:
        """Add an image; return the descriptor of its manifest, which no index lists yet."""
        layer_type, config_type = f"{_MEDIA}.layer.v1.tar", f"{_MEDIA}.config.v1+json"
        kind = f"{_MEDIA}.manifest.v1+json"
        layer_type += _SUFFIX.get(compression, "")
        if docker:
            layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip"
            config_type = "application/vnd.docker.container.image.v1+json"
            kind = "application/vnd.docker.distribution.manifest.v2+json"
        layers = [
            self.blob(compress(compression, tar), layer_type, annotations={"layer": str(number)})
            for number, tar in enumerate(tars)
        ]
        value = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": self.blob(config_bytes(tars, **(config or {})), config_type),
            "layers": layers,
            **more,
        }
        return self.blob(json.dumps(value, indent=2).encode(), kind)

    def index(self, *manifests: Mapping[str, Any], **more: object) -> dict[str, Any]:
        """Add an index of images; return its descriptor."""
        kind = f"{_MEDIA}.index.v1+json"
        value = {"schemaVersion": 2, "mediaType": kind, "manifests": manifests, **more}
        return self.blob(json.dumps(value).encode(), kind)

    def add(self, descriptor: Mapping[str, Any], tag: str = "", **more: object) -> Layout:
        """List a manifest, or an index, in ``index.json``."""
        notes = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
        self.entries.append({**descriptor, **notes, **more})
        return self

    def all_files(self) -> dict[str, bytes]:
        """Return every file, ``index.json`` last."""
        value = {"schemaVersion": 2, **self.index_fields, "manifests": self.entries}
        return {**self.files, "index.json": json.dumps(value).encode()}

    def write(self, where: Path) -> Path:
        """Write it to a folder."""
        for name, content in self.all_files().items():
            path = where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return where

    def tar(self) -> bytes:
        """Return it as an oci-archive."""
        folders = b"".join(folder(name).encode() for name in ("blobs/", "blobs/sha256/"))
        files = (entry(name, content).encode() for name, content in self.all_files().items())
        return folders + b"".join(files) + END


def layout_of(
    tars: Sequence[bytes] = TARS, compression: str = "gzip", tag: str = "app", **more: object
) -> Layout:
    """Return a layout of one image."""
    made = Layout()
    return made.add(made.manifest(tars, compression, **more), tag)  # type: ignore[arg-type]


def to_file(path: Path, content: bytes) -> str:
    """Write a file; return its name."""
    path.write_bytes(content)
    return str(path)


def state_of(where: Path) -> dict[str, bytes | None]:
    """Return all that is in a folder, to be compared with later; folders are None."""
    return {
        str(path.relative_to(where)): path.read_bytes() if path.is_file() else None
        for path in sorted(where.rglob("*"))
    }


def validate_archive(path: Path) -> dict[str, Any]:
    """Check a docker-archive of one image by the tar program; return its config.

    Every layer has the diff_id that the config lists.
    """
    entries = json.loads(_member(path, "manifest.json"))
    config: dict[str, Any] = json.loads(_member(path, entries[0]["Config"]))
    tars = [plain(_member(path, name)) for name in entries[0]["Layers"]]
    assert len(entries) == 1
    assert config["rootfs"]["diff_ids"] == [str(Digest.of(tar)) for tar in tars]
    return config


def tars_of_archive(path: Path) -> list[bytes]:
    """Return the layers of the one image of a docker-archive, base first, uncompressed."""
    [described] = json.loads(_member(path, "manifest.json"))
    return [plain(_member(path, name)) for name in described["Layers"]]


def _member(path: Path, name: str) -> bytes:
    return subprocess.run(["tar", "-xOf", path, name], check=True, capture_output=True).stdout


def plain(data: bytes) -> bytes:
    """Decompress what may be compressed."""
    for magic, opened in (
        (b"\x1f\x8b", gzip.decompress),
        (b"\x28\xb5\x2f\xfd", zstd.decompress),
        (b"\xfd7zXZ", lzma.decompress),
        (b"BZh", bz2.decompress),
    ):
        if data.startswith(magic):
            return opened(data)
    return data


def validate_layout(where: Path, tag: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a layout's every blob, then one image of it; return its manifest and its config."""
    blobs = {str(Digest.of(path.read_bytes())): path for path in (where / "blobs/sha256").iterdir()}
    assert {f"sha256:{path.name}" for path in blobs.values()} == set(blobs)
    assert json.loads((where / "oci-layout").read_bytes())["imageLayoutVersion"] == "1.0.0"
    index = json.loads((where / "index.json").read_bytes())
    found = [
        m
        for m in index["manifests"]
        if not tag or m.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag
    ]
    assert len(found) == 1, found
    manifest: dict[str, Any] = json.loads(_blob(blobs, found[0]))
    config: dict[str, Any] = json.loads(_blob(blobs, manifest["config"]))
    tars = [plain(_blob(blobs, descriptor)) for descriptor in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [str(Digest.of(tar)) for tar in tars]
    return manifest, config


def _blob(blobs: Mapping[str, Path], descriptor: Mapping[str, Any]) -> bytes:
    content = blobs[descriptor["digest"]].read_bytes()
    assert len(content) == descriptor["size"]
    return content
