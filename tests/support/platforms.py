"""An image for three platforms, with what builders put beside the images."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.forms import Layout

__all__ = ["Platforms", "three_platforms"]

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_NOTE = "application/vnd.example.note"
_UNKNOWN = {"os": "unknown", "architecture": "unknown"}


@dataclass
class Platforms:
    """A layout with the image and its base, and what is in it."""

    layout: Layout = field(default_factory=Layout)
    tars: dict[str, list[bytes]] = field(default_factory=dict)
    """Layers by architecture; the base is the first one, of arm64 the first two."""
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of the images by architecture."""
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of the attestations by architecture, of the ``signature`` and the ``artifact``."""

    def add_image(self, arch: str, base: int, upper: int) -> dict[str, Any]:
        """Add an image and its base; return the base's entry."""
        own = arch.encode()
        tars = [layer("etc/", (f"etc/{n}", own * 50), ("etc/arch", own)) for n in range(base)]
        for n in range(1, upper + 1):
            new = entry("app/new", own * 100 * n)
            gone = [whiteout(f"app/{n - 1}")] if n > 1 else []
            tars.append(layer(folder("app"), new, (f"app/{n}", own), *gone))
        platform = {"os": "linux", "architecture": arch}
        if arch == "arm":
            platform["variant"] = "v7"
        image = self.layout.manifest(tars, config=platform)
        self.tars[arch] = tars
        self.images[arch] = {**image, "platform": platform, "annotations": {"image": arch}}
        return {**self.layout.manifest(tars[:base], config=platform), "platform": platform}

    def artifact(self, name: str, **more: object) -> dict[str, Any]:
        """Add a manifest that is no image, with a blob; return its entry."""
        value = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self.layout.blob(b"{}", _EMPTY),
            "layers": [self.layout.blob(f"content of {name}".encode(), _NOTE)],
            **more,
        }
        return {**self.layout.blob(json.dumps(value).encode(), _MANIFEST), "platform": _UNKNOWN}

    def attestation(self, arch: str) -> dict[str, Any]:
        """Add what a builder attests of an image; return its entry."""
        notes = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": self.images[arch]["digest"],
        }
        return {**self.artifact(f"attestation of {arch}"), "annotations": notes}


def three_platforms(*, nested: bool = True) -> Platforms:
    """Make it.

    The index lists linux/amd64 and its attestation, an index of linux/arm64, linux/arm/v7 (one
    layer above the base, so nothing to squash) and its attestation, a signature of linux/amd64 and
    an artifact about nothing. Tags are ``app`` and ``base``. Unless `nested`, linux/arm64 is listed
    like the others: not every tool reads indexes in indexes.
    """
    made = Platforms()
    layout = made.layout
    counts = (("amd64", 1, 3), ("arm64", 2, 4), ("arm", 1, 1))
    bases = [made.add_image(arch, base, upper) for arch, base, upper in counts]
    subject = {key: made.images["amd64"][key] for key in ("mediaType", "digest", "size")}
    made.beside = {
        "amd64": made.attestation("amd64"),
        "arm": made.attestation("arm"),
        "signature": {**made.artifact("signature", subject=subject), "artifactType": _NOTE},
        "artifact": made.artifact("artifact"),
    }
    inner = layout.index(made.images["arm64"], annotations={"inner": "kept"})
    entries = [
        made.images["amd64"],
        made.beside["amd64"],
        {**inner, "annotations": {"to inner": "kept"}} if nested else made.images["arm64"],
        made.images["arm"],
        made.beside["arm"],
        made.beside["signature"],
        made.beside["artifact"],
    ]
    layout.add(layout.index(*entries, annotations={"whole": "kept"}), "app")
    layout.add(layout.index(*bases), "base")
    return made
