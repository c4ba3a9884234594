"""Image manifests and indexes, OCI's and Docker's.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lamella.errors import MalformedImage
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.fields import INDEX, MANIFEST
from lamella.spec.json import format_json, parse_json
from lamella.spec.media_type import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    oci_type,
)

__all__ = ["Index", "Manifest"]


@dataclass(frozen=True)
class Manifest:
    """An image manifest; `raw` is the truth."""

    raw: bytes
    value: Mapping[str, Any]
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Manifest:
        """Read a manifest.

        Raises:
            MalformedImage: it isn't one, or a part of it is wrong.
        """
        value = parse_json(raw, where, MANIFEST)
        if value.get("config") is None or "layers" not in value:
            raise MalformedImage(where, "no image manifest: expected config and layers")
        layers = value["layers"] or []
        return cls(
            raw,
            value,
            Descriptor.parse(value["config"], f"{where}: config"),
            tuple(Descriptor.parse(d, f"{where}: layer {i}") for i, d in enumerate(layers, 1)),
        )

    @property
    def digest(self) -> Digest:
        """Digest of the raw bytes."""
        return Digest.of(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """What names it elsewhere."""
        return Descriptor(self.media_type or OCI_MANIFEST, self.digest, len(self.raw))

    @property
    def media_type(self) -> str:
        """As the manifest itself says; empty where it doesn't (OCI 1.0)."""
        return self.value.get("mediaType") or ""

    @property
    def is_docker(self) -> bool:
        """Whether it is Docker's (schema 2)."""
        return self.media_type == DOCKER_MANIFEST

    def as_oci(self) -> Manifest:
        """Return the same in OCI's words; itself if it has them."""
        if not self.is_docker:
            return self
        value = {
            **self.value,
            "mediaType": OCI_MANIFEST,
            "config": _oci_descriptor(self.config).to_json(),
            "layers": [_oci_descriptor(layer).to_json() for layer in self.layers],
        }
        return Manifest.parse(format_json(value), "the manifest in OCI's words")


@dataclass(frozen=True)
class Index:
    """An image index (or Docker's manifest list); `raw` is the truth."""

    raw: bytes
    value: Mapping[str, Any]
    manifests: tuple[Descriptor, ...]

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Index:
        """Read an index.

        Raises:
            MalformedImage: it isn't one, or a part of it is wrong.
        """
        value = parse_json(raw, where, INDEX)
        if "manifests" not in value:
            raise MalformedImage(where, "no index: expected a list of manifests")
        manifests = value["manifests"] or []  # an empty list of Go's is null
        found = tuple(
            Descriptor.parse(d, f"{where}: manifest {i}") for i, d in enumerate(manifests, 1)
        )
        return cls(raw, value, found)

    @property
    def digest(self) -> Digest:
        """Digest of the raw bytes."""
        return Digest.of(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """What names it elsewhere."""
        return Descriptor(self.media_type, self.digest, len(self.raw))

    @property
    def media_type(self) -> str:
        """As the index itself says; OCI's where it doesn't."""
        return self.value.get("mediaType") or OCI_INDEX

    def as_oci(self) -> Index:
        """Return the same in OCI's words; itself if it has them. What it lists stays."""
        if self.media_type != DOCKER_INDEX:
            return self
        value = {**self.value, "mediaType": OCI_INDEX}
        return Index.parse(format_json(value), "the index in OCI's words")


def _oci_descriptor(descriptor: Descriptor) -> Descriptor:
    return replace(descriptor, media_type=oci_type(descriptor.media_type))
