"""An image: its config, its layers base first, and what it is called. It knows no place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lamella.layer.blob import Layer
from lamella.spec.config import Config
from lamella.spec.digest import Digest, chain_ids
from lamella.spec.manifest import Manifest
from lamella.spec.platform import Platform

__all__ = ["Image", "Step"]


def _made_layers(history: Sequence[Mapping[str, Any]]) -> int:
    return sum(not entry.get("empty_layer") for entry in history)


@dataclass(frozen=True)
class Step:
    """One history entry, and which layer it made."""

    entry: Mapping[str, Any]
    layer: int | None
    """None: it only changed the config, or its layer is not there any more."""
    top: int
    """The topmost layer that is there after this step; -1: none."""


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
    """Those of the index that it was chosen from; none if it was the only choice."""
    index: Digest | None = None
    """Digest of the index that its name stands for; None: it stands for this image alone, or the
    place does not tell."""

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

        Entries and layers are matched from the top, for builders add both to what they find: where
        they are not as many, it is the base that tells too little or too much.
        """
        history = self.config.history
        if not history:
            return None
        steps: list[Step] = []
        position = len(self.layers) - _made_layers(history)
        for entry in history:
            if entry.get("empty_layer"):
                steps.append(Step(entry, None, max(position, 0) - 1))
            else:
                steps.append(Step(entry, position if position >= 0 else None, max(position, -1)))
                position += 1
        return steps

    @property
    def history_gap(self) -> str:
        """Tell that the history does not fit the layers, and what is made of it; empty if it does.

        An image without any history is nothing to tell of.
        """
        made, count = _made_layers(self.config.history or ()), len(self.layers)
        if not self.config.history or made == count:
            return ""
        told = f"{self.name}: its history lists {made} layers, it has {count}"
        if made < count:
            return f"{told}; the lowest {count - made} are taken for those without an entry"
        return f"{told}; the lowest {made - count} entries are taken for those without a layer"

    def is_prefix_of(self, other: Image) -> bool:
        """Whether the other image is built on exactly these layers."""
        return other.diff_ids[: len(self.diff_ids)] == self.diff_ids
