"""An image taken apart: its headers are scanned once, and all that is told comes out of that.

All layers are laid over each other; what a layer takes away on that way is dead. Content is read
only to tell a file from a copy of it, and to look into files that may be secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from lamella.analysis.dive import measure
from lamella.analysis.groups import Lots
from lamella.analysis.lifetimes import Laid, lay
from lamella.analysis.model import Analysis, LayerFacts
from lamella.analysis.savings import savings
from lamella.analysis.secrets.config import config_secrets
from lamella.analysis.secrets.find import SecretSearch
from lamella.analysis.setup import read_setup
from lamella.analysis.usage import DeadOf, find_dead, make_places, sort_dead
from lamella.analysis.wastes import find_caches, sum_up
from lamella.errors import MalformedTar
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.protocols import LayerTar
from lamella.merge.causes import Dropped, causes_of
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.gc_pause import collector_paused
from lamella.progress import Progress
from lamella.spec.platform import Platform

__all__ = ["Label", "dead_shares", "lay_image", "take_apart"]


class Label(NamedTuple):
    """What a layer is called, which its tar doesn't tell."""

    id: str
    command: str
    tags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Read:
    """An image of which all layers' headers are read."""

    image: Image
    tars: Mapping[int, LayerTar]
    changesets: Mapping[int, Changeset]


def _read(image: Image, opener: LayerOpener, *, whole: bool = False) -> _Read:
    # Of what is unpacked for its headers alone most would be unpacked again for its content.
    tars = dict(enumerate((opener.open if whole else opener.open_headers)(image.layers)))
    changesets = {}
    for position, tar in tars.items():
        try:
            changesets[position] = read_changeset(tar, position)
        except MalformedTar as error:
            raise error.at(image.layers[position].where) from error
    return _Read(image, tars, changesets)


@collector_paused()
def lay_image(image: Image, opener: LayerOpener) -> Laid:
    """Read the headers of all layers; return what becomes of each entry.

    Raises:
        ImageError: a layer is damaged; the message tells which.
    """
    return lay(list(_read(image, opener).changesets.values()))


@collector_paused()
def dead_shares(image: Image, opener: LayerOpener) -> list[float]:
    """Return which part of each layer's bytes is dead, 0 to 1; only headers are read.

    Raises:
        ImageError: a layer is damaged; the message tells which.
    """
    read = _read(image, opener)
    sums = [0] * len(read.tars)
    for member, _, _ in lay(list(read.changesets.values())).dead():
        sums[member.origin] += member.span
    return [dead / (read.tars[position].size or 1) for position, dead in enumerate(sums)]


@collector_paused()
def take_apart(
    image: Image, opener: LayerOpener, labels: Sequence[Label], progress: Progress, *, secrets: bool
) -> tuple[Analysis, Laid]:
    """Find out all there is to say of an image's bytes, and what became of each entry.

    Args:
        image: the image; all its layers can be read.
        opener: opens them.
        labels: one for each layer.
        progress: is told of phases.
        secrets: whether to look for them.

    Raises:
        ImageError: a layer is damaged; the message tells which.
    """
    progress.phase("read layers")
    read = _read(image, opener, whole=secrets)
    with ExitStack() as stack:
        looking = stack.enter_context(SecretSearch(read.changesets, read.tars)) if secrets else None
        laid = lay(list(read.changesets.values()))
        return _facts(read, labels, laid, looking, progress), laid


def _facts(
    read: _Read,
    labels: Sequence[Label],
    laid: Laid,
    looking: SecretSearch | None,
    progress: Progress,
) -> Analysis:
    image = read.image
    dead, lots = laid.dead(), laid.lots
    progress.phase("compare files")
    causes = causes_of(((member, by) for member, _, by in dead), read.tars)
    dead_of = sort_dead(dead, causes)
    dive = measure(read.changesets, read.tars, lots, laid.deaths)
    return Analysis(
        reference=image.name,
        id=str(image.id),
        platform=str(Platform.of(image.config.value)),
        tags=image.tags,
        layers=tuple(_layer_facts(read, labels, lots, dead_of)),
        savings=savings(laid),
        dead=find_dead(dead_of, lots),
        secrets=(*looking.found(laid.fates), *config_secrets(image)) if looking else None,
        root=make_places(dead_of, laid),
        efficiency=dive.efficiency,
        wasted=dive.wasted,
        user_bytes=dive.user_bytes,
        wastes=sum_up(dead, causes),
        caches=find_caches(lots),
        setup=read_setup(image),
    )


def _layer_facts(
    read: _Read, labels: Sequence[Label], lots: Sequence[Lots], dead: Mapping[int, DeadOf]
) -> Iterator[LayerFacts]:
    for position, (layer, label) in enumerate(zip(read.image.layers, labels, strict=True)):
        changeset = read.changesets[position]
        dropped = dead[position].dropped() if position in dead else Dropped()
        every = sum(size for _, size, _ in lots[position].by_folder())
        yield LayerFacts(
            number=position + 1,
            id=label.id,
            diff_id=str(layer.diff_id),
            command=label.command,
            tags=label.tags,
            entries=len(changeset.entries),
            whiteouts=len(changeset.whiteouts) + len(changeset.opaques),
            size=read.tars[position].size,
            stored=layer.descriptor.size if layer.descriptor else layer.blob.size,
            live=every - dropped.total,
            dead=dropped,
        )
