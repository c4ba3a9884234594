"""A rebase reports all that is otherwise: against a slow, literal reading of the layer rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import assume, event, given

from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.rebasing.files import file_conflicts
from lamella.rebasing.trees import Both
from lamella.spec.digest import Digest
from tests.properties.reference import BrokenLayer, Listing, flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.tars import Entry, layer


def told(old: bytes, new: bytes, own: Sequence[bytes]) -> dict[bytes, set[str]]:
    """Return the kinds that a report has for each path."""
    tars = [old, new, *own]
    below, above, mine = ([Bytes(tar) for tar in some] for some in ([old], [new], own))
    both = Both(below, above, mine, 0, [Digest.of(tar) for tar in tars])
    found: dict[bytes, set[str]] = {}
    for conflict in file_conflicts(both):
        found.setdefault(conflict.path or b"", set()).add(conflict.kind)
    return found


def above(path: bytes) -> Iterator[bytes]:
    """Yield a path and all directories that lead to it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def changed(ours: Listing, theirs: Listing) -> set[bytes]:
    """Return the paths that are not the same in both, but for times."""
    return {
        path
        for path in ours.keys() | theirs.keys()
        if path and _plain(ours, path) != _plain(theirs, path)
    }


def _plain(listing: Listing, path: bytes) -> object:
    row = listing.get(path)
    return None if row is None else replace(row, mtime=None, group=())


@examples(300)
@given(layers, layers)
def test_what_is_hidden_is_told(drawn: list[list[Entry]], others: list[list[Entry]]) -> None:
    """What the new base changed, and the image does not show, has a line there or above it."""
    old, *own = (layer(*entries) for entries in drawn)
    new = layer(*others[0])
    assume(own)
    try:
        after = flatten([new, *own])
        report = told(old, new, own)
    except (BrokenLayer, MalformedTar):
        assume(False)
    was, now = flatten([old]), flatten([new])
    hidden = changed(was, now) & changed(after, now)
    event(f"{min(len(hidden), 5)} hidden")
    # A directory without an entry, in which all is deleted, is not told of.
    made_up = {path for path, row in after.items() if row.mtime is None}
    for path in hidden - made_up:
        assert any(one in report for one in above(path)), f"{path!r} is hidden, and not told"
