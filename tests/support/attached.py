"""Things that are attached to an image, as tools attach them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.odd.registry import MemoryRegistry
from tests.transport.forms import Layout

__all__ = ["BUNDLE", "INDEX", "MANIFEST", "SBOM", "Attaching", "in_layout", "in_registry"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SBOM = "application/spdx+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass
class Attaching:
    """Attaches to one image."""

    subject: Mapping[str, Any]
    """Descriptor of its manifest."""
    put_blob: Callable[[bytes, str], dict[str, Any]]
    put_manifest: Callable[[bytes, str], dict[str, Any]]
    """Given a tag, or nothing."""
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, *types: str, config: str = _EMPTY, **more: object) -> dict[str, Any]:
        """Attach an artifact whose content has these types; return its descriptor."""
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            **({"artifactType": kind} if kind else {}),
            "config": self.put_blob(b"{}", config),
            "layers": [self.put_blob(f"a {kind} of {t}".encode(), t) for t in types],
            "subject": {key: self.subject[key] for key in ("mediaType", "digest", "size")},
            "annotations": {"made.by": "a scanner"},
            **more,
        }
        found = {**self.put_manifest(json.dumps(value).encode(), ""), "artifactType": kind}
        self.listed.append(found)
        return found

    def add_by_tag(self, suffix: str, kind: str) -> dict[str, Any]:
        """Attach something as cosign did before there were subjects."""
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.put_blob(b"{}", _CONFIG),
            "layers": [self.put_blob(f"a {suffix}".encode(), kind)],
        }
        return self.put_manifest(json.dumps(value).encode(), self.tag + suffix)

    def list_by_tag(self) -> None:
        """List what has a subject where a registry doesn't."""
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.listed}
        self.put_manifest(json.dumps(value).encode(), self.tag)

    @property
    def tag(self) -> str:
        """What the list is called."""
        return str(self.subject["digest"]).replace(":", "-")


def _described(data: bytes, kind: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def in_registry(registry: MemoryRegistry, repository: str, reference: str) -> Attaching:
    """Attach to an image in a registry."""
    kind, raw = registry.manifests[repository, reference]

    def put_blob(data: bytes, media_type: str) -> dict[str, Any]:
        found = _described(data, media_type)
        registry.blobs[found["digest"]] = data
        return found

    def put_manifest(data: bytes, tag: str) -> dict[str, Any]:
        own = json.loads(data)["mediaType"]
        found = _described(data, own)
        registry.put(repository, tag or found["digest"], own, data)
        return found

    return Attaching(_described(raw, kind), put_blob, put_manifest)


def in_layout(layout: Layout, image: Mapping[str, Any], *, only_listed: bool = False) -> Attaching:
    """Attach to an image in a layout.

    Args:
        layout: it has the image.
        image: descriptor of its manifest.
        only_listed: what has a subject is only in the list that has a tag.
    """

    def put_manifest(data: bytes, tag: str) -> dict[str, Any]:
        value = json.loads(data)
        found = layout.blob(data, value["mediaType"])
        more = {"artifactType": value["artifactType"]} if "artifactType" in value else {}
        if tag or not only_listed:
            layout.add({**found, **more}, tag)
        return found

    return Attaching(image, layout.blob, put_manifest)
