"""Images as paths in one tree: a node is a layer on all that lies below it, known by its chain ID.

Images that share layers share the beginning of their paths. Sizes are bytes of layer tars; places
that keep content by digest, registries and layouts among them, store what has the same digest once,
wherever it stands in the tree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from lamella.spec.digest import Digest, chain_ids

__all__ = ["Catalogue", "FleetImage", "TreeNode", "UnreadImage"]


@dataclass(frozen=True)
class FleetImage:
    """One image of a catalogue."""

    name: str
    """As it is asked for."""
    diff_ids: tuple[Digest, ...]
    """Of its layers, base first; at least one."""
    sizes: tuple[int, ...]
    """Bytes of each layer's tar."""
    dead: tuple[int, ...] = ()
    """Of these, bytes that a later layer takes away; empty: not known."""
    steps: tuple[str, ...] = ()
    """The command that made each layer; empty: not known."""
    id: str = ""
    """Digest of its config."""
    digest: str = ""
    """Of its manifest, where there is one."""
    fixed: str = ""
    """Why none of its layers can be merged; empty: they can."""


@dataclass(frozen=True)
class UnreadImage:
    """An image that is in no catalogue, because it can't be read."""

    name: str
    """As it is asked for."""
    message: str
    """Of the error."""
    exit_code: int


@dataclass(frozen=True)
class TreeNode:
    """A layer, and all that lies below it."""

    number: int
    """In `Catalogue.nodes`; that of what lies below is smaller."""
    parent: int
    """Of the layer below; -1: there is none."""
    depth: int
    """How many layers lie below."""
    chain_id: Digest
    diff_id: Digest
    size: int
    dead: int
    """Bytes that are dead in the image where they are fewest: no more are dead in each image."""
    step: str
    kids: tuple[int, ...]
    """Numbers of the layers that lie on it."""
    ends: tuple[int, ...]
    """Images of which it is the last layer: their places in `Catalogue.images`."""
    images: int
    """How many different images have it; several names of one count once."""


@dataclass
class _Growing:
    """A node in the making."""

    parent: int
    depth: int
    chain_id: Digest
    diff_id: Digest
    size: int
    dead: int
    step: str
    kids: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    images: int = 0


@dataclass(frozen=True)
class Catalogue:
    """Some images, and the tree of their layers."""

    images: tuple[FleetImage, ...]
    nodes: tuple[TreeNode, ...]
    """Each after its parent."""
    ends: tuple[int, ...]
    """The node of each image's last layer."""

    @classmethod
    def of(cls, images: Iterable[FleetImage]) -> Catalogue:
        """Return the tree of some images, each of which has layers."""
        every = tuple(images)
        nodes: list[_Growing] = []
        known: dict[Digest, int] = {}
        ends = []
        for place, image in enumerate(every):
            at = -1
            for depth, chain_id in enumerate(chain_ids(image.diff_ids)):
                dead = image.dead[depth] if image.dead else 0
                if (number := known.get(chain_id, -1)) < 0:
                    number = known[chain_id] = len(nodes)
                    step = image.steps[depth] if image.steps else ""
                    diff_id, size = image.diff_ids[depth], image.sizes[depth]
                    nodes.append(_Growing(at, depth, chain_id, diff_id, size, dead, step))
                    if at >= 0:
                        nodes[at].kids.append(number)
                nodes[number].dead = min(nodes[number].dead, dead)
                at = number
            nodes[at].ends.append(place)
            ends.append(at)
        for node in reversed(nodes):
            node.images += bool(node.ends)
            if node.parent >= 0:
                nodes[node.parent].images += node.images
        return cls(every, tuple(map(_grown, range(len(nodes)), nodes)), tuple(ends))

    def path(self, number: int) -> list[int]:
        """Return the nodes from the base to one, itself included."""
        found = []
        while number >= 0:
            found.append(number)
            number = self.nodes[number].parent
        return found[::-1]

    def stored(self) -> dict[Digest, int]:
        """Return what is stored: the size of each layer by its digest."""
        return {node.diff_id: node.size for node in self.nodes}

    @property
    def total(self) -> int:
        """Bytes of all images, as if they shared nothing; several names of one count once."""
        return sum(node.size * node.images for node in self.nodes)

    @property
    def shared(self) -> int:
        """Of the stored bytes, those of layers that several images have."""
        images: Counter[Digest] = Counter()
        for end in set(self.ends):
            images.update({self.nodes[number].diff_id for number in self.path(end)})
        return sum(size for diff_id, size in self.stored().items() if images[diff_id] > 1)

    @property
    def unique(self) -> int:
        """Of the stored bytes, those of layers that one image has."""
        return sum(self.stored().values()) - self.shared

    @property
    def dead(self) -> int:
        """Of the stored bytes, no more than these are dead in each image that has them."""
        least: defaultdict[Digest, list[int]] = defaultdict(list)
        for node in self.nodes:
            least[node.diff_id].append(node.dead)
        return sum(map(min, least.values()))


def _grown(number: int, node: _Growing) -> TreeNode:
    return TreeNode(
        number,
        node.parent,
        node.depth,
        node.chain_id,
        node.diff_id,
        node.size,
        node.dead,
        node.step,
        tuple(node.kids),
        tuple(node.ends),
        node.images,
    )
