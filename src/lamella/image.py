"""An image: its config, its layers base first, and what it is called. It knows no place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamella.errors import MalformedImage
from lamella.layer.blob import Layer
from lamella.spec.config import Config
from lamella.spec.digest import Digest, chain_ids
from lamella.spec.manifest import Manifest
from lamella.spec.platform import Platform

__all__ = ["Image", "Step"]


@dataclass(frozen=True)
class Step:
    """One history entry, and which layer it made (None: it only changed the config)."""

    entry: Mapping[str, Any]
    layer: int | None


@dataclass(frozen=True, eq=False)
class Image:
    """One image of one platform."""

    name: str
    """The reference it was opened by, for messages."""
    config: Config
    layers: tuple[Layer, ...]
    manifest: Manifest | None = None
    """As stored, where the place keeps one; a docker-archive has none."""
    tags: tuple[str, ...] = ()
    """What the place calls it."""
    history_ids: tuple[str | None, ...] = field(default=())
    """Image IDs that an engine still knows for history entries, base first."""
    platforms: tuple[Platform, ...] = ()
    """Those of the index out of which it was chosen; none if it was the only choice."""

    @property
    def choice(self) -> str:
        """Tell which of several platforms it is of, for who has not said which."""
        platform = Platform.of(self.config.value)
        return f"{self.name} has images for {len(self.platforms)} platforms; taking {platform}"

    @property
    def id(self) -> Digest:
        """The config's digest."""
        return self.config.digest

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """Digests of the layers' tars, base first."""
        return self.config.diff_ids

    @property
    def chain_ids(self) -> list[Digest]:
        """Digests of the stacks that end with each layer."""
        return chain_ids(self.config.diff_ids)

    def steps(self) -> list[Step] | None:
        """Return the history with the layers it made; None if there is no history.

        Raises:
            MalformedImage: its entries with content are not as many as the layers.
        """
        history = self.config.history
        if not history:
            return None
        steps: list[Step] = []
        made = 0
        for entry in history:
            empty = bool(entry.get("empty_layer"))
            steps.append(Step(entry, None if empty else made))
            made += not empty
        if made != len(self.layers):
            message = f"its history tells of {made} layers, but it has {len(self.layers)}"
            raise MalformedImage(self.name, message)
        return steps

    def is_prefix_of(self, other: Image) -> bool:
        """Whether the other image is built on exactly these layers."""
        return other.diff_ids[: len(self.diff_ids)] == self.diff_ids
