"""LAYER as the name of an image: which image that is now, looked up once for all that have it."""

from __future__ import annotations

from typing import NamedTuple

from lamella.errors import ImageNotFound, LamellaError, UsageError
from lamella.selection import AUTO, is_layer_name
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.transport.transports import locate

__all__ = ["Bases", "FoundBase"]


class FoundBase(NamedTuple):
    """What LAYER stands for."""

    layer: str | None
    """As a squash is to be told: by digest, where the place of the image knows it by that."""
    digest: str = ""
    """Of the image, as its place tells it; empty: it is no image, or none that is known."""


class Bases:
    """What is known of bases in one run."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._known: dict[str, FoundBase | LamellaError] = {}
        """By LAYER; where that is a bare name, by the reference of the image."""

    def find(self, layer: str | None, source: Location) -> FoundBase:
        """Return what LAYER stands for.

        Args:
            layer: as it was given; None: it was not.
            source: the image to be squashed: a bare name is that of another image of its place.

        Raises:
            Cancelled: the work was cancelled.
            LamellaError: the place of the base can't be asked, or what it has makes no sense.
        """
        if layer is None or layer == AUTO or is_layer_name(layer):
            return FoundBase(layer)
        found = self._known.get(layer) or self._known.get(_beside(layer, source))
        if found is None:
            found = self._look_up(layer, source)
        if isinstance(found, LamellaError):
            raise found
        return found

    def _look_up(self, layer: str, source: Location) -> FoundBase | LamellaError:
        key, found = layer, FoundBase(layer)
        try:
            image = locate(layer, self._env)
            if image.is_bare:
                image, key = source.beside(layer), _beside(layer, source)
            digest = image.digest(self._env)
            pinned = image.pinned(digest)
            found = FoundBase(layer if pinned == image else str(pinned), digest)
        except (ImageNotFound, UsageError):
            pass  # the squash says it, with the names of the layers that there are
        except LamellaError as error:
            self._env.connections.check()
            self._known[key] = error
            return error
        self._known[key] = found
        return found


def _beside(layer: str, source: Location) -> str:
    """Return the reference of an image of which only the name was said."""
    try:
        return str(source.beside(layer))
    except UsageError:  # it is no name there
        return layer
