"""What is in an image that was written, read without lamella."""

from __future__ import annotations

import gzip
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.transport.registry.images import digest_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Found", "read_archive", "read_folder"]


@dataclass(frozen=True)
class Found:
    """An image as others see it."""

    config: Mapping[str, Any]
    diff_ids: Sequence[str]
    """Of the layers that are there, whatever the config says."""
    compressions: Sequence[str]
    manifest: str = ""
    """``Docker`` or ``OCI``; empty where there is none."""

    def __str__(self) -> str:
        """Say in a few words how it is stored; kept layers only if not as the new one is."""
        below, new, above = self.compressions
        kept = f", kept {below}" if below == above != new else ""
        return f"{self.manifest} {new}{kept}".strip()


def read_archive(path: Path, *, has_manifest: bool = False) -> Found:
    """Read what `docker save` writes, or lamella as a docker-archive.

    Args:
        path: the file.
        has_manifest: of who keeps one; others make it up for the occasion.
    """
    with tarfile.open(path) as tar:
        files = {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar
            if not member.isdir()
        }
    (entry,) = json.loads(files["manifest.json"])
    manifest = ""
    if has_manifest:
        (listed,) = json.loads(files["index.json"])["manifests"]
        manifest = _dialect(listed["mediaType"])
    return _found(files[entry["Config"]], [files[name] for name in entry["Layers"]], manifest)


def read_folder(folder: Path) -> Found:
    """Read what `skopeo copy … dir:FOLDER` writes; it has compared every digest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())

    def blob(descriptor: Mapping[str, Any]) -> bytes:
        path = folder / str(descriptor["digest"]).partition(":")[2]
        content = path.read_bytes()
        assert len(content) == descriptor["size"]
        return content

    dialect = _dialect(manifest["mediaType"])
    found = _found(blob(manifest["config"]), [blob(d) for d in manifest["layers"]], dialect)
    for layer, compression in zip(manifest["layers"], found.compressions, strict=True):
        assert layer["mediaType"].endswith({"plain": "tar"}.get(compression, compression))
    parts = (*manifest["layers"], manifest["config"])
    assert {_dialect(part["mediaType"]) for part in parts} == {dialect}
    return found


def _dialect(media_type: str) -> str:
    return "Docker" if ".docker." in media_type else "OCI"


def _found(config: bytes, layers: Sequence[bytes], manifest: str) -> Found:
    opened = [_open(layer) for layer in layers]
    diff_ids = [digest_of(tar) for _, tar in opened]
    return Found(json.loads(config), diff_ids, [kind for kind, _ in opened], manifest)


def _open(layer: bytes) -> tuple[str, bytes]:
    if layer.startswith(b"\x1f\x8b"):
        return "gzip", gzip.decompress(layer)
    if layer.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd", zstd.decompress(layer)
    return "plain", layer
