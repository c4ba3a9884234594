"""Two images, side by side: the layers that they share, and the files that only one of them has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import takewhile

from lamella.analysis.lifetimes import Laid
from lamella.analysis.model import Analysis
from lamella.merge.gc_pause import collector_paused
from lamella.merge.overlay import Folder, Link
from lamella.tar.entry import Member

__all__ = ["Changed", "Comparison", "Extra", "compare"]

_SHOWN = 100
"""Paths that are told of each kind; the sums count all."""


@dataclass(frozen=True)
class Extra:
    """A path that only one image shows; a directory with all that is in it."""

    path: bytes
    directory: bool
    size: int
    """Bytes of the tars of its layers."""
    entries: int


@dataclass(frozen=True)
class Changed:
    """A path that both images show, of another size, or another kind."""

    path: bytes
    before: int
    after: int


@dataclass(frozen=True)
class Comparison:
    """What two images have in common, and what they don't."""

    a: Analysis
    b: Analysis
    same_layers: int
    """How many of the lowest layers are the same."""
    only_a: tuple[Extra, ...]
    """The biggest, biggest first."""
    only_b: tuple[Extra, ...]
    only_a_bytes: int
    """Of all that only it shows."""
    only_b_bytes: int
    changed: tuple[Changed, ...]
    """Those that differ most in size, most first."""
    changed_count: int
    changed_bytes: int
    """By how much all of them grew; negative: shrank."""

    @property
    def same_bytes(self) -> int:
        """Bytes of the layers that are the same."""
        return sum(layer.size for layer in self.a.layers[: self.same_layers])


_Shown = Mapping[bytes, tuple[bool, int]]
"""By path: whether it is a directory, and the bytes of its entry."""


@collector_paused()
def compare(a: tuple[Analysis, Laid], b: tuple[Analysis, Laid]) -> Comparison:
    """Compare what two images show. Files of the same size count as the same: none is read.

    Args:
        a: one of them, and its layers laid over each other.
        b: the other.
    """
    ours, theirs = _shown(a[1]), _shown(b[1])
    only_a, only_b = _extras(ours, theirs), _extras(theirs, ours)
    changed = [
        Changed(path, size, theirs[path][1])
        for path, (directory, size) in ours.items()
        if path in theirs and not directory and theirs[path] != (directory, size)
    ]
    pairs = zip(a[0].layers, b[0].layers, strict=False)
    return Comparison(
        a[0],
        b[0],
        sum(1 for _ in takewhile(lambda pair: pair[0].diff_id == pair[1].diff_id, pairs)),
        tuple(nsmallest(_SHOWN, only_a, key=_rank)),
        tuple(nsmallest(_SHOWN, only_b, key=_rank)),
        sum(extra.size for extra in only_a),
        sum(extra.size for extra in only_b),
        tuple(nsmallest(_SHOWN, changed, key=lambda one: (-abs(one.after - one.before), one.path))),
        len(changed),
        sum(one.after - one.before for one in changed),
    )


def _shown(laid: Laid) -> _Shown:
    found: dict[bytes, tuple[bool, int]] = {}
    for path, node in laid.tree.walk():
        found[path] = isinstance(node, Folder), _size(node)
    return found


def _size(node: Folder | Member | Link) -> int:
    member = node if isinstance(node, Member) else node.member
    return member.span if member else 0


def _extras(here: _Shown, there: _Shown) -> list[Extra]:
    """Return the topmost paths that the other has not, with all that is in them."""
    sums: dict[bytes, list[int]] = {}
    tops: dict[bytes, bytes] = {}
    for path, (_, size) in here.items():  # parents first
        if path in there:
            continue
        top = tops[path] = tops.get(path.rpartition(b"/")[0], path)
        numbers = sums.setdefault(top, [0, 0])
        numbers[0] += size
        numbers[1] += 1
    return [Extra(top, here[top][0], size, count) for top, (size, count) in sums.items()]


def _rank(extra: Extra) -> tuple[int, bytes]:
    return -extra.size, extra.path
