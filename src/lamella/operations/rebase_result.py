"""What a rebase did, as facts: for people, for programs, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lamella.operations.result import FORMAT_VERSION
from lamella.rebasing.conflicts import KINDS, Conflict

__all__ = ["Rebase"]


@dataclass(frozen=True)
class Rebase:
    """What a rebase did, or would do."""

    source: str
    old_base: str
    new_base: str
    platform: str
    old_layers: int
    """Layers of the old base."""
    new_layers: int
    """Layers of the new base."""
    own_layers: int
    """Layers that stay."""
    conflicts: tuple[Conflict, ...]
    """Those of the config first, then those of files, by path."""
    files: bool = True
    """Whether files were looked at."""
    destination: str = ""
    tags: tuple[str, ...] = ()
    id: str = ""
    """The new image's ID; empty where only the report was wanted."""
    digest: str = ""
    """Of the new manifest, where the destination keeps one."""
    reference: str = ""
    """What names the new image exactly; as `Result.reference`."""
    dry_run: bool = False
    converted: str = ""
    """How manifest and layers are stored now, if it is otherwise than before."""

    def count(self, severity: str) -> int:
        """Return how many conflicts have a severity."""
        return sum(conflict.severity == severity for conflict in self.conflicts)

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing but notes."""
        return self.count("note") == len(self.conflicts)

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``lamella rebase --json`` (see docs/json.md)."""
        severities = ("error", "warning", "note")
        return {
            "version": FORMAT_VERSION,
            "platform": self.platform,
            "dry_run": self.dry_run,
            "files": self.files,
            "converted": self.converted,
            "source": self.source,
            "old_base": {"reference": self.old_base, "layers": self.old_layers},
            "new_base": {"reference": self.new_base, "layers": self.new_layers},
            "own_layers": self.own_layers,
            "image": {
                "id": self.id,
                "digest": self.digest,
                "reference": self.reference,
                "destination": self.destination,
                "tags": list(self.tags),
            },
            "counts": {severity: self.count(severity) for severity in severities},
            "conflicts": [
                {**conflict.to_json(), "about": KINDS[conflict.kind].about}
                for conflict in self.conflicts
            ],
        }
