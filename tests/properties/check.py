"""The property: squashed or not, the same files; and everything else that must hold of a squash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamella.image import Image
from lamella.operations.merge_layers import Prepared
from tests.properties.portable import complaints
from tests.properties.reference import BrokenLayer, Listing, differences, flatten
from tests.support.images import image
from tests.support.squashing import merge_one, prepared, stream_of

__all__ = ["check_every_selection", "selections"]


def selections(count: int, first: int = 0) -> Iterator[tuple[range, ...]]:
    """Yield every way to squash so many layers: one range or several, each of two or more."""
    for start in range(first, count):
        for stop in range(start + 2, count + 1):
            yield (range(start, stop),)
            for rest in selections(count, stop):
                yield (range(start, stop), *rest)


def check_every_selection(tars: Sequence[bytes]) -> None:
    """Squash layers in every way; fail if one changes what it must not."""
    want = flatten(tars)
    source = image(*tars)
    for ranges in selections(len(tars)):
        with prepared(source, *ranges) as ready:
            _check(source, ranges, ready, want)


def _check(source: Image, ranges: Sequence[range], ready: Prepared, want: Listing) -> None:
    tars = [layer.blob.open().read() for layer in source.layers]
    starts = {positions.start: positions for positions in ranges}
    squashed = {position for positions in ranges for position in positions}
    out: list[bytes] = []
    for position, tar in enumerate(tars):
        if position in starts:
            merged = stream_of(ready.merged(starts[position]))
            assert len(merged) == ready.plans[starts[position]].size, "the size was known before"
            assert complaints(merged, tars[:position]) == [], f"{ranges}"
            assert merge_one([*tars[:position], merged]) == merged, "squashed again: the same bytes"
            out.append(merged)
        elif position not in squashed:
            out.append(tar)
    try:
        found = flatten(out)
    except BrokenLayer as error:
        message = f"{ranges}: {error}"
        raise AssertionError(message) from error
    assert differences(found, want) == [], f"{ranges}"
