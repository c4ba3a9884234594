"""All that a container of an image sees, as one tar.

It is what a merged layer of the whole image would be: bytes are copied as the layers have them, and
there is nothing below that would have to be deleted. Names are written as `docker export` does,
without ``./`` before them: layers differ in that.
"""

from __future__ import annotations

from collections.abc import Callable

from lamella.errors import MalformedTar
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.sieve import sieves
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.edits import Edits
from lamella.merge.emit import PlanTar
from lamella.merge.gc_pause import collector_paused
from lamella.merge.overlay import Tree
from lamella.merge.plan import make_plan
from lamella.spec.digest import Digest
from lamella.tar.entry import DIRECTORY, Header, clean

__all__ = ["FlatTar"]


class FlatTar:
    """A file system as a tar that is made while it is read; a `layer.blob.Merged`."""

    def __init__(self, image: Image, opener: LayerOpener) -> None:
        """Read the headers of all layers.

        Args:
            image: of which every layer can be read as a whole.
            opener: opens them.

        Raises:
            ImageError: a layer is damaged, or is not what its digest says.
        """
        self._opener = opener
        with opener.explaining(), collector_paused():
            tars = dict(enumerate(opener.open(image.layers, sieves(image.layers, 0))))
            changesets: dict[int, Changeset] = {}
            tree = Tree()
            for position, tar in tars.items():
                try:
                    changesets[position] = read_changeset(tar, position)
                    tree.apply(changesets[position])
                except MalformedTar as error:
                    raise error.at(image.layers[position].where) from error
            plan = make_plan(tree, changesets, Edits(change=_plainly_named))
        self._tar = PlanTar(plan, tars)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._tar.size

    def write_to(self, write: Callable[[memoryview], object]) -> Digest:
        """Write all of it in chunks that are valid only during the call; return its digest.

        Raises:
            ImageError: at its end: a layer was not what its digest says.
        """
        with self._opener.explaining():
            digest = self._tar.write_to(write)
        self._opener.verify()
        return digest


def _plainly_named(header: Header) -> Header:
    """Return a header with its name as others write it: ``etc/passwd``, ``etc/``."""
    name = clean(header.name)
    if header.type == DIRECTORY:
        name = name + b"/" if name else b"./"
    return header if name == header.name else header._replace(name=name)
