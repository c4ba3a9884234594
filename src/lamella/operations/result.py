"""What a squash did, as facts: for people, for programs, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lamella.analysis.known_base import Base
from lamella.merge.causes import Dropped
from lamella.operations.secrets import FoundSecret
from lamella.spec.changes import FieldChange
from lamella.tar.entry import path_text

__all__ = ["FORMAT_VERSION", "LayerOfRange", "ReferrerOutcome", "Result", "SquashedRange"]

FORMAT_VERSION = 1
"""Of the JSON documents; grows when a field changes its meaning or goes, not when one is added."""


@dataclass(frozen=True)
class LayerOfRange:
    """A new layer that took, alone or with others, the place of a range."""

    bytes: int
    """Of its tar."""
    entries: int
    stored: int = 0
    """Bytes as it is stored; 0 after a dry run."""
    diff_id: str = ""
    """Empty after a dry run."""


@dataclass(frozen=True)
class SquashedRange:
    """One range of layers and the layers that took their place: one, unless they are cut."""

    first: int
    """Number of the first layer, from 1."""
    last: int
    bytes_before: int
    bytes_after: int
    entries: int
    whiteouts: tuple[tuple[str, str], ...] = ()
    """Deletions that the merged layer must still tell: path and reason."""
    promoted: tuple[tuple[str, str], ...] = ()
    """Hard links: the name that is gone, and the one that holds the content now."""
    diff_id: str = ""
    """Of the lowest new layer; empty after a dry run."""
    spliced: int = 0
    """Bytes of the new layer whose compressed form was taken over."""
    recompressed: int = 0
    """Bytes of it that were compressed anew; 0 where it is stored plain, and after a dry run."""
    layers: tuple[LayerOfRange, ...] = ()
    """The new layers, base first."""


@dataclass(frozen=True)
class ReferrerOutcome:
    """Something that is attached to the source: an SBOM, a signature; and what became of it."""

    artifact_type: str
    digest: str
    """Of its manifest."""
    state: Literal["copied", "left"]
    """``copied``: it is attached to the new image, too; ``left``: to the source alone."""
    reason: str = ""
    """Why it was left, for people."""


@dataclass(frozen=True)
class Result:
    """Facts of one squash. Sizes are bytes of uncompressed layer tars.

    Of a squash of every platform: sums over all of them, and each in `platforms`.
    """

    source: str
    source_id: str
    destination: str
    tags: tuple[str, ...]
    layers_before: int
    layers_after: int
    bytes_before: int
    bytes_after: int
    kept: int
    """Layers below the first squashed range, shared with the base."""
    kept_bytes: int
    kept_name: str
    """What the base is called, if there is an image that has these layers."""
    ranges: tuple[SquashedRange, ...]
    dropped: Dropped
    reason: str = ""
    """Why nothing was squashed; empty: something was."""
    id: str = ""
    """The new image's ID; empty after a dry run."""
    source_digest: str = ""
    """Of the source's manifest, where its place keeps one."""
    digest: str = ""
    """Of the new manifest, where the destination keeps one."""
    reference: str = ""
    """What names the new image exactly: ``HOST/REPOSITORY@DIGEST`` in a registry, the manifest's
    digest in a layout, the ID elsewhere; empty after a dry run."""
    source_tags: tuple[str, ...] = ()
    """What the source is called where it is."""
    dry_run: bool = False
    verified: bool = False
    converted: str = ""
    """How manifest and kept layers are stored now, if it is otherwise than before."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    platform: str = ""
    """``OS/ARCH[/VARIANT]``; empty for several."""
    base: Base | None = None
    """The image whose layers are kept, or what is taken for the base: LAYER names it, or was to be
    found; None: layers were chosen otherwise."""
    platforms: tuple[Result, ...] = ()
    """One for each image of the index, in its order, if every platform was squashed."""
    left_out: tuple[str, ...] = ()
    """What the new index no longer lists, and why."""
    excluded: tuple[str, ...] = ()
    """Paths that the image had and the new one has not; of a directory its own alone."""
    shipped: tuple[tuple[int, str], ...] = ()
    """Paths that were to be left out, but that a kept layer still has: its number, and the path."""
    config_changes: tuple[FieldChange, ...] = ()
    """Fields of config, history, manifest and index that are changed beside the squash itself."""
    kept_digest: str = ""
    """Of the manifest of the base that the user named, or the base's ID where it has none."""
    referrers: tuple[ReferrerOutcome, ...] = ()
    """What is attached to the source, if that was looked for."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What the new image was to be, but for which layers are squashed: parameters that were given,
    as JSON values."""
    secrets: tuple[FoundSecret, ...] = ()
    """Likely secrets that were left out."""
    kept_secrets: tuple[FoundSecret, ...] = ()
    """Likely secrets in layers that are kept, if secrets were to be left out."""

    @property
    def squashed(self) -> bool:
        """Whether there was anything to squash."""
        return bool(self.ranges) or any(one.squashed for one in self.platforms)

    @property
    def restated(self) -> bool:
        """Whether the image says of itself something else than before, beside the squash."""
        return bool(self.all_changes)

    @property
    def all_changes(self) -> tuple[FieldChange, ...]:
        """What is changed in the index and in any of its images; what is the same in all, once."""
        found = list(self.config_changes)
        for one in self.platforms:
            found += [change for change in one.config_changes if change not in found]
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``lamella squash --json`` (see docs/json.md)."""
        value = {
            "version": FORMAT_VERSION,
            "platform": self.platform,
            "squashed": self.squashed,
            "reason": self.reason,
            "dry_run": self.dry_run,
            "verified": self.verified,
            "converted": self.converted,
            "source": {
                "reference": self.source,
                "id": self.source_id,
                "digest": self.source_digest,
                "tags": list(self.source_tags),
            },
            "image": {
                "id": self.id,
                "digest": self.digest,
                "reference": self.reference,
                "destination": self.destination,
                "tags": list(self.tags),
            },
            "base": None if self.base is None else asdict(self.base),
            "layers": {"before": self.layers_before, "after": self.layers_after, "kept": self.kept},
            "bytes": {
                "before": self.bytes_before,
                "after": self.bytes_after,
                "kept": self.kept_bytes,
            },
            "removed": {**self.dropped.to_json(), "excluded": self.dropped.excluded},
            "excluded": list(self.excluded),
            "shipped": [{"layer": layer, "path": path} for layer, path in self.shipped],
            "config_changes": [change.to_json() for change in self.config_changes],
            "referrers": [asdict(referrer) for referrer in self.referrers],
            "secrets": {
                "removed": [_secret_to_json(secret) for secret in self.secrets],
                "kept": [_secret_to_json(secret) for secret in self.kept_secrets],
            },
            "ranges": [_range_to_json(r) for r in self.ranges],
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
        }
        if self.platforms:
            value["platforms"] = [one.to_json() for one in self.platforms]
            value["left_out"] = list(self.left_out)
        return value


def _secret_to_json(secret: FoundSecret) -> dict[str, Any]:
    return {"path": path_text(secret.path), "kind": secret.kind, "layer": secret.layer}


def _range_to_json(squashed: SquashedRange) -> dict[str, Any]:
    return {
        "first": squashed.first,
        "last": squashed.last,
        "bytes_before": squashed.bytes_before,
        "bytes_after": squashed.bytes_after,
        "entries": squashed.entries,
        "diff_id": squashed.diff_id,
        "spliced": squashed.spliced,
        "recompressed": squashed.recompressed,
        "layers": [asdict(layer) for layer in squashed.layers],
        "whiteouts": [{"path": p, "reason": r} for p, r in squashed.whiteouts],
        "promoted": [{"gone": a, "path": b} for a, b in squashed.promoted],
    }
