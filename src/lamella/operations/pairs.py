"""Two images, or all images of two indexes, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

from lamella.errors import UsageError
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.opener import LayerOpener
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.gc_pause import collector_paused
from lamella.rootfs import RootFs, lay_rootfs
from lamella.spec.codec import Codec
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.index import HasIndex, images_of
from lamella.transport.location import Location
from lamella.transport.transports import locate

__all__ = [
    "Pair",
    "fetch_pair",
    "locate_pair",
    "open_pair",
    "platform_pairs",
    "read_pair",
    "shared_layers",
    "source_by_platform",
]


def open_pair(
    locations: tuple[Location, Location],
    platform: Platform | None,
    env: Environment,
    stack: ExitStack,
) -> tuple[Source, Source]:
    """Open two images; they are closed with the stack.

    Raises:
        UsageError: both are to come through standard input.
        LamellaError: one can't be reached.
    """
    one, other = locations
    if one.is_stream and other.is_stream:
        raise UsageError("only one of two images can come through standard input")
    first = stack.enter_context(one.open_source(platform, env))
    return first, stack.enter_context(other.open_source(platform, env))


def locate_pair(names: tuple[str, str], env: Environment) -> tuple[Location, Location]:
    """Return the places that two references mean; raises what `locate` does."""
    return locate(names[0], env), locate(names[1], env)


def source_by_platform(source: Source, name: str) -> dict[str, Source]:
    """Return the images of an index; those that it lists, and that are not there, are left out."""
    if not isinstance(source, HasIndex) or (index := source.index()) is None:
        return {str(Platform.of(source.describe().config.value)): source}
    images: dict[str, Source] = {}
    for descriptor in images_of(index, source.nested, name):
        image = source.image_of(descriptor)
        if image is not None:
            images[str(Platform.of(descriptor.platform))] = image
    return images


def platform_pairs(
    sources: tuple[Source, Source], names: tuple[str, str]
) -> Iterator[tuple[str, Source | None, Source | None]]:
    """Yield each platform of two indexes, and the images that they have for it."""
    ours, theirs = map(source_by_platform, sources, names)
    for platform in dict.fromkeys([*ours, *theirs]):
        yield platform, ours.get(platform), theirs.get(platform)


def shared_layers(ours: Image, theirs: Image) -> int:
    """Return how many of the lowest layers two images have in common."""
    pairs = zip(ours.layers, theirs.layers, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].diff_id == pair[1].diff_id, pairs))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images; of the layers that both begin with only the headers were read, and once."""

    images: tuple[Image, Image]
    shared: int
    """How many of the lowest layers are the same."""
    files: tuple[RootFs, RootFs]
    layers: tuple[Layer, ...]
    """Those that were read: of the first image, then those of the second that are not shared."""
    changesets: dict[int, Changeset]
    """By position in these."""


def fetch_pair(
    one: Source, other: Source, more: AbstractSet[int] = frozenset()
) -> tuple[Image, Image]:
    """Fetch two images so that files which may differ can be compared.

    Args:
        one: the first.
        other: the second.
        more: positions of layers of the first whose content is wanted, too.

    Raises:
        LamellaError: one of them can't be read.
    """
    described = one.describe(), other.describe()
    shared = shared_layers(*described)
    counts = [len(image.layers) for image in described]
    if shared == max(counts):  # equal layers make equal files
        ours = one.fetch(frozenset(more), frozenset()) if more else described[0]
        return ours, described[1]
    content = frozenset(range(shared, counts[0])) | more
    ours = one.fetch(content, frozenset(range(shared)) - content)
    return ours, other.fetch(frozenset(range(shared, counts[1])), frozenset())


def read_pair(
    images: tuple[Image, Image], opener: LayerOpener, *, finds_blocks: Codec | None = None
) -> Pair:
    """Lay the layers of each of two images over each other.

    The files of what both begin with are the very same members in both, so they are equal without
    being looked at; so are those of a layer that both have anywhere.

    Args:
        images: both, as `fetch_pair` returns them.
        opener: opens their layers.
        finds_blocks: find what of their layers can be taken over, as far as they are compressed so.

    Raises:
        ImageError: a layer is damaged, or not what its digest says.
    """
    ours, theirs = images
    shared, count = shared_layers(ours, theirs), len(ours.layers)
    if shared == max(count, len(theirs.layers)):
        nothing = lay_rootfs((), ())
        return Pair(images, shared, (nothing, nothing), (), {})
    own = ours.layers[shared:]
    known = {layer.diff_id: layer for layer in own}
    above = [known.get(layer.diff_id, layer) for layer in theirs.layers[shared:]]
    with opener.explaining(), collector_paused():
        tars = [
            *opener.open_headers(ours.layers[:shared]),
            *opener.open([*own, *above], finds_blocks=finds_blocks),
        ]
        changesets = {at: read_changeset(tar, at) for at, tar in enumerate(tars)}
        stacks = (range(count), [*range(shared), *range(count, len(tars))])
        first, second = (
            lay_rootfs((changesets[at] for at in positions), tars) for positions in stacks
        )
    return Pair(images, shared, (first, second), (*ours.layers, *above), changesets)
