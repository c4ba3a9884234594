"""Layers chosen by what squashing them would save, where the user named none."""

from __future__ import annotations

from collections.abc import Iterable

from lamella.analysis.facts import lay_image
from lamella.analysis.lifetimes import Laid, Life
from lamella.analysis.plans import choose_auto, choose_max_layers
from lamella.analysis.savings import savings
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.selection import Selection
from lamella.tar.entry import DIRECTORY

__all__ = ["select_auto", "select_max_layers"]


def select_max_layers(image: Image, opener: LayerOpener, most: int, shared: int) -> Selection:
    """Choose what brings an image to so many layers at the least cost; see `choose_max_layers`.

    Args:
        image: the image; all its layers can be read.
        opener: opens them.
        most: how many layers there may be.
        shared: how many of the lowest other images use too.

    Raises:
        UsageError: less than one layer is asked for.
        ImageError: a layer is damaged.
    """
    laid = _lay(image, opener)
    found = savings(laid)
    sizes = [found[number, number].before for number in range(1, len(image.layers) + 1)]
    used = [size if position < shared else 0 for position, size in enumerate(sizes)]
    return Selection(choose_max_layers(found, most, used))


def select_auto(image: Image, opener: LayerOpener, base: int) -> Selection:
    """Choose the fewest layers whose merging removes what is dead; see `choose_auto`.

    An entry of a directory that a later layer repeats does not count. Nearly every layer repeats
    those above its files, 512 bytes each: nearly every layer would be squashed for them.

    Args:
        image: the image; all its layers can be read.
        opener: opens them.
        base: how many of the lowest layers are left alone.

    Raises:
        ImageError: a layer is damaged.
    """
    return Selection(choose_auto(_worth(_lay(image, opener).dead()), base))


def _worth(dead: Iterable[Life]) -> Iterable[Life]:
    for life in dead:
        repeated = life.by is not None and life.by.type == DIRECTORY
        if not (repeated and life.member.type == DIRECTORY):
            yield life


def _lay(image: Image, opener: LayerOpener) -> Laid:
    with opener.explaining():
        return lay_image(image, opener)
