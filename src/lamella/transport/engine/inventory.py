"""Which layers an engine has; it is asked for one image after another, and once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lamella.layer.blob import Layer
from lamella.layer.partial.headers import has_content
from lamella.spec.digest import Digest
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.description import diff_ids_of
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment

__all__ = ["Engine", "Inventory"]


class Inventory:
    """Which layers an engine has, as far as it can be known. If it lost one, the load will tell."""

    def __init__(self, client: EngineClient, *, has_containerd_store: bool) -> None:
        self._client, self.has_containerd_store = client, has_containerd_store
        self._chains: list[tuple[str, ...]] = []
        self._unseen: Iterator[tuple[str, ...]] | None = None

    def note(self, diff_ids: Sequence[Digest]) -> None:
        """Take note of an image that the engine has, so that it need not be asked for it."""
        chain = tuple(map(str, diff_ids))
        if chain not in self._chains:
            self._chains.append(chain)

    def has(self, layer: Layer, stack: Sequence[Digest], *, seen: bool) -> bool:
        """Whether the engine has a layer where it is to be.

        Args:
            layer: one that stays.
            stack: diff_ids of all layers up to it; none if it comes to stand on a new layer.
            seen: whether its image was seen in this very engine.
        """
        if self.has_containerd_store:
            # What is kept under a digest can't be asked for. That the digest is there is sure if it
            # was seen in this very store, likely if the layer is, in whatever form; what is missing
            # shows in the new image, but not in Docker 26.
            sure = seen or not has_content(layer)
            return layer.descriptor is not None and (sure or self._is_likely(layer.diff_id))
        if self._client.is_podman:
            return seen or self._knows(layer.diff_id)
        chain = tuple(map(str, stack))
        return bool(chain) and any(k[: len(chain)] == chain for k in self._known_chains())

    def _is_likely(self, diff_id: Digest) -> bool:
        return self._client.api_at_least(1, 48) and self._knows(diff_id)

    def _knows(self, diff_id: Digest) -> bool:
        return any(str(diff_id) in known for known in self._known_chains())

    def _known_chains(self) -> Iterator[tuple[str, ...]]:
        """The layers of each image in the engine."""
        yield from self._chains
        if self._unseen is None:
            self._unseen = self._ask_for_chains()
        for chain in self._unseen:
            self._chains.append(chain)
            yield chain

    def _ask_for_chains(self) -> Iterator[tuple[str, ...]]:
        for listed in self._client.images():
            found = self._client.find(listed["Id"])
            if found is not None:
                yield tuple(diff_ids_of(found))


@dataclass(frozen=True)
class Engine:
    """An engine that was reached."""

    client: EngineClient
    inventory: Inventory
    options: EngineOptions
    """How; equal for the same engine."""
    env: Environment
