"""What a delta is, as facts: for people, for programs, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DeltaResult"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class DeltaResult:
    """Facts of one delta. Sizes are bytes of uncompressed layer tars, but for `stored`."""

    old: str
    """The image whose layers it has."""
    new: str
    """The image that it is otherwise."""
    old_id: str
    new_id: str
    destination: str
    tags: tuple[str, ...]
    platform: str
    shared_layers: int
    """How many of the lowest layers both images have."""
    layers: int
    """Of the image that was made."""
    old_bytes: int
    delta_bytes: int
    """Of the layer that makes the difference; 0: there is none, for the files are the same."""
    entries: int
    """In that layer: files, directories that lead to them, and deletions."""
    whiteouts: tuple[tuple[str, str], ...]
    """The deletions among them: path and reason."""
    ignored: Mapping[str, int]
    """By word, how many differences were left out."""
    diff_id: str = ""
    """Of that layer; empty after a dry run."""
    stored: int = 0
    """Bytes of that layer as it is stored; 0 after a dry run."""
    id: str = ""
    digest: str = ""
    """Of the manifest, where the destination keeps one."""
    reference: str = ""
    """What names the image exactly; empty after a dry run."""
    verified: bool = False
    dry_run: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    platforms: tuple[DeltaResult, ...] = ()
    """One for each image of an index, of which the others are sums, if all were asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``lamella delta --json`` (see docs/json.md)."""
        document: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "platform": self.platform,
            "dry_run": self.dry_run,
            "verified": self.verified,
            "old": {"reference": self.old, "id": self.old_id},
            "new": {"reference": self.new, "id": self.new_id},
            "image": {
                "id": self.id,
                "digest": self.digest,
                "reference": self.reference,
                "destination": self.destination,
                "tags": list(self.tags),
            },
            "layers": {"shared": self.shared_layers, "after": self.layers},
            "bytes": {"old": self.old_bytes, "delta": self.delta_bytes, "stored": self.stored},
            "entries": self.entries,
            "whiteouts": [{"path": path, "reason": why} for path, why in self.whiteouts],
            "diff_id": self.diff_id,
            "ignored": dict(self.ignored),
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
        }
        if self.platforms:
            document["platforms"] = [one.to_json() for one in self.platforms]
        return document
