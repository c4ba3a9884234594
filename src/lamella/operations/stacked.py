"""The layers of one image's upper part over another image, as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.spec.config import Config
from lamella.spec.digest import Digest
from lamella.transport.base import Source

__all__ = ["Stacked"]


class Stacked(Source):
    """An image that is at no place: its lower layers are one image's, its upper ones another's."""

    def __init__(self, upper: Source, count: int, lower: Source, config: Config) -> None:
        """Stack them.

        Args:
            upper: has the upper layers.
            count: how many of its lowest layers are left out.
            lower: has the lower layers; all of them count.
            config: of the whole.
        """
        self._upper, self._count, self._lower, self._config = upper, count, lower, config
        self._below = len(lower.describe().layers)
        self.home = object()  # no place has this stack of layers

    def describe(self) -> Image:
        """Return the image that it would be, with the upper one's manifest and name."""
        return self._stacked(self._upper.describe(), self._lower.describe().layers)

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return it with layers that can be read; see `Source.fetch`."""
        lower = self._lower.fetch(*map(self._of_lower, (content, listed)))
        upper = self._upper.fetch(*map(self._of_upper, (content, listed)))
        return self._stacked(upper, lower.layers)

    def fetch_parts(self, content: frozenset[int], *, listed: bool) -> tuple[Image, Image]:
        """Return both images: what is needed of this one, and headers of all layers of both.

        Args:
            content: positions of the layers that must be readable as a whole.
            listed: the headers of all other layers are wanted, also of those that are left out.
        """
        of_upper, of_lower = self._of_upper(content), self._of_lower(content)
        every = frozenset(range(len(self._upper.describe().layers))) if listed else frozenset[int]()
        below = frozenset(range(self._below)) if listed else frozenset[int]()
        upper = self._upper.fetch(of_upper, every - of_upper)
        return upper, self._lower.fetch(of_lower, below - of_lower)

    def stacked(self, upper: Image, lower: Image) -> Image:
        """Return the whole of both images that were fetched."""
        return self._stacked(upper, lower.layers)

    def beside(self, name: str) -> Image:
        """Describe another image of the upper one's place."""
        return self._upper.beside(name)

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Nothing: it has no place of its own."""
        return {}

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it: both images may be used."""
        del new_tags
        return "two images are its source; they are left alone"

    def recheck(self) -> None:
        """See to it that both are still there."""
        self._upper.recheck()
        self._lower.recheck()

    def _of_lower(self, positions: frozenset[int]) -> frozenset[int]:
        return frozenset(p for p in positions if p < self._below)

    def _of_upper(self, positions: frozenset[int]) -> frozenset[int]:
        return frozenset(p - self._below + self._count for p in positions if p >= self._below)

    def _stacked(self, upper: Image, lower: Sequence[Layer]) -> Image:
        layers = (*lower, *upper.layers[self._count :])
        return Image(upper.name, self._config, layers, upper.manifest, upper.tags)
