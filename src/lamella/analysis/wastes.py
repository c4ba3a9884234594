"""Who made the dead bytes, who took them away, and why, summed up so far that it can be told."""

from __future__ import annotations

import os.path
from collections import defaultdict
from collections.abc import Iterable, Sequence

from lamella.analysis.caches import cache_of
from lamella.analysis.groups import Lots
from lamella.analysis.lifetimes import Life
from lamella.analysis.model import LiveCache, Waste
from lamella.merge.causes import Cause
from lamella.tar.entry import DIRECTORY, join

__all__ = ["find_caches", "sum_up"]


def sum_up(dead: Iterable[Life], causes: Iterable[Cause]) -> tuple[Waste, ...]:
    """Return sums of the dead entries, biggest first.

    Args:
        dead: entries that are dead.
        causes: why, each of them.
    """
    by_folder: defaultdict[tuple[int, int, Cause, bytes], list[int]] = defaultdict(lambda: [0, 0])
    only: dict[tuple[int, int, Cause, bytes], bytes] = {}
    for (member, killed, _), cause in zip(dead, causes, strict=True):
        folder, name, kind, _, _, head, size, _, origin = member  # at once, for there are many
        if kind == DIRECTORY:
            folder, name = join(folder, name), b""
        key = (origin, killed, cause, folder)
        numbers = by_folder[key]
        numbers[0] += head + (size + 511 & ~511)
        numbers[1] += 1
        only[key] = name
    sums: defaultdict[tuple[int, int, Cause, str], list[int]] = defaultdict(lambda: [0, 0])
    paths: defaultdict[tuple[int, int, Cause, str], list[bytes]] = defaultdict(list)
    for (origin, killed, cause, folder), (span, entries) in by_folder.items():
        place = (origin, killed, cause, cache_of(folder))
        sums[place][0] += span
        sums[place][1] += entries
        name = only[origin, killed, cause, folder] if entries == 1 else b""
        paths[place].append(join(folder, name) if name else folder)
    found = [
        Waste(origin + 1, killed + 1, cause, cache, _common(paths[place]), *sums[place])
        for place in sums
        for origin, killed, cause, cache in [place]
    ]
    return tuple(sorted(found, key=_rank))


def find_caches(lots: Sequence[Lots]) -> tuple[LiveCache, ...]:
    """Return what the image still shows of caches, layer by layer.

    Args:
        lots: all entries of all layers.
    """
    sums: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    paths: defaultdict[tuple[int, str], list[bytes]] = defaultdict(list)
    for number, of_layer in enumerate(lots, 1):
        for lot in of_layer.lots:
            cache = cache_of(lot.folder) if lot.end == len(lots) else ""
            if cache:
                sums[number, cache][0] += lot.size
                sums[number, cache][1] += lot.entries
                paths[number, cache].append(lot.folder)
    return tuple(
        LiveCache(layer, cache, _common(paths[layer, cache]), *sums[layer, cache])
        for layer, cache in sums
    )


def _common(paths: list[bytes]) -> bytes:
    """Return what all paths are in."""
    return os.path.commonpath(paths)


def _rank(waste: Waste) -> tuple[int, int, int, str, str]:
    return -waste.size, waste.layer, waste.by, waste.cause, waste.cache
