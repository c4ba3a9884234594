"""A descriptor: what a blob is, its digest and its size.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamella.errors import InvalidReference, MalformedImage
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
    def parse(cls, value: Mapping[str, Any], where: str) -> Descriptor:
        """Make a descriptor out of what `parse_json` read as `fields.DESCRIPTOR`.

        Raises:
            MalformedImage: a field is missing or makes no sense.
        """
        size = value.get("size")
        if size is None or size < 0:
            raise MalformedImage(where, f"descriptor size: expected bytes, got {size}")
        try:
            digest = Digest.parse(value.get("digest"))
        except InvalidReference as error:
            raise MalformedImage(where, str(error)) from error
        return cls(value.get("mediaType") or "", digest, size, value)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations, empty where there are none."""
        return self.raw.get("annotations") or {}

    @property
    def platform(self) -> Mapping[str, Any]:
        """The platform of a manifest in an index, empty where none is given."""
        return self.raw.get("platform") or {}

    @property
    def is_attestation(self) -> bool:
        """Whether this is BuildKit's attestation manifest, which is no image."""
        kind = self.annotations.get("vnd.docker.reference.type")
        return kind == "attestation-manifest"

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as JSON values, unknown fields included."""
        own = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        return {**own, **{k: v for k, v in self.raw.items() if k not in own}}
