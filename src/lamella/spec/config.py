"""The image config: raw bytes, and views of what lamella needs.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamella.errors import InvalidReference, MalformedImage
from lamella.spec.digest import Digest

__all__ = ["Config", "format_json", "parse_json"]


def parse_json(raw: bytes, where: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MalformedImage: it is no JSON, or no object.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedImage(where, f"no valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise MalformedImage(where, f"want a JSON object, found {type(value).__name__}")
    return value


def format_json(value: object) -> bytes:
    """Return JSON bytes: no blanks, keys in the order given, so equal values give equal bytes."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Config:
    """An image config. `raw` is the truth; its digest is Docker's image ID."""

    raw: bytes
    value: Mapping[str, Any]
    diff_ids: tuple[Digest, ...]
    history: tuple[Mapping[str, Any], ...] | None
    """None where the config has none."""

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Config:
        """Read a config.

        Raises:
            MalformedImage: it is no config of an image (no rootfs, digests that are none, …).
        """
        value = parse_json(raw, where)
        return cls(raw, value, _diff_ids(value, where), _history(value, where))

    @property
    def digest(self) -> Digest:
        """The config's digest: the image ID in Docker's classic store."""
        return Digest.of(self.raw)

    @property
    def created(self) -> str | None:
        """When the image was made, as written."""
        created = self.value.get("created")
        return created if isinstance(created, str) else None

    def text(self, key: str) -> str:
        """Return a text field (``os``, ``architecture``, ``variant``), empty if not given."""
        found = self.value.get(key)
        return found if isinstance(found, str) else ""


def _diff_ids(value: Mapping[str, Any], where: str) -> tuple[Digest, ...]:
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict):
        raise MalformedImage(
            where, "no image config: it has no rootfs (images of Docker before 1.10 have none)"
        )
    found = rootfs.get("diff_ids")
    found = [] if found is None else found
    if not isinstance(found, list):
        raise MalformedImage(where, f"rootfs.diff_ids: want a list, found {found!r:.60}")
    try:
        return tuple(Digest.parse(item) for item in found)
    except InvalidReference as error:
        raise MalformedImage(where, f"rootfs.diff_ids: {error}") from error


def _history(value: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], ...] | None:
    found: Sequence[Any] | None = value.get("history")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise MalformedImage(where, "history: want a list of objects")
    return tuple(found)
