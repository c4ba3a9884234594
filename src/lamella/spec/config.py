"""The image config: raw bytes, and views of what lamella needs.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lamella.errors import InvalidReference, MalformedImage
from lamella.spec.digest import Digest
from lamella.spec.fields import CONFIG
from lamella.spec.json import format_json, parse_json

__all__ = ["Config", "format_json"]

_Stored = TypeVar("_Stored")


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
        value = parse_json(raw, where, CONFIG)
        history = value.get("history")
        return cls(raw, value, _diff_ids(value, where), None if history is None else tuple(history))

    @property
    def digest(self) -> Digest:
        """The config's digest: the image ID in Docker's classic store."""
        return Digest.of(self.raw)

    def layers(
        self, stored: Sequence[_Stored], where: str, of: str = "its manifest"
    ) -> list[tuple[Digest, _Stored]]:
        """Pair the diff_id of each layer with what else is said of the layer, base first.

        Args:
            stored: what is said of each.
            where: what messages call the image.
            of: who says that.

        Raises:
            MalformedImage: they are more or fewer layers than the config's.
        """
        if len(self.diff_ids) != len(stored):
            raise MalformedImage(
                where, f"its config lists {len(self.diff_ids)} layers, {of} {len(stored)}"
            )
        return list(zip(self.diff_ids, stored, strict=True))

    def text(self, key: str) -> str:
        """Return a text field (``os``, ``architecture``, ``variant``), empty if not given."""
        return self.value.get(key) or ""


def _diff_ids(value: Mapping[str, Any], where: str) -> tuple[Digest, ...]:
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict):
        raise MalformedImage(
            where, "no image config: it has no rootfs (images of Docker before 1.10 have none)"
        )
    try:
        return tuple(Digest.parse(item) for item in rootfs.get("diff_ids") or ())
    except InvalidReference as error:
        raise MalformedImage(where, f"rootfs.diff_ids: {error}") from error
