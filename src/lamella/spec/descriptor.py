"""A descriptor: what a blob is, its digest and its size.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamella.errors import MalformedImage
from lamella.spec.digest import Digest

__all__ = ["Descriptor"]


@dataclass(frozen=True)
class Descriptor:
    """One descriptor. `raw` keeps what was read, so unknown fields survive a rewrite."""

    media_type: str
    digest: Digest
    size: int
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def parse(cls, value: object, where: str) -> Descriptor:
        """Make a descriptor out of parsed JSON.

        Raises:
            MalformedImage: a field is missing or of the wrong type.
        """
        if not isinstance(value, dict):
            raise MalformedImage(where, f"want a descriptor, found {value!r:.60}")
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise MalformedImage(where, f"descriptor size: want bytes, found {size!r:.60}")
        media_type = value.get("mediaType", "")
        if not isinstance(media_type, str):
            raise MalformedImage(where, f"mediaType: want text, found {media_type!r:.60}")
        try:
            digest = Digest.parse(value.get("digest"))
        except Exception as error:
            raise MalformedImage(where, str(error)) from error
        return cls(media_type, digest, size, value)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations, empty where there are none."""
        value = self.raw.get("annotations")
        return value if isinstance(value, dict) else {}

    @property
    def platform(self) -> Mapping[str, Any]:
        """The platform of a manifest in an index, empty where none is given."""
        value = self.raw.get("platform")
        return value if isinstance(value, dict) else {}

    @property
    def is_attestation(self) -> bool:
        """Whether this is BuildKit's attestation manifest, which is no image."""
        kind = self.annotations.get("vnd.docker.reference.type")
        return kind == "attestation-manifest"

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as JSON values, unknown fields included."""
        own = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        return {**own, **{k: v for k, v in self.raw.items() if k not in own}}
