"""Squashing changes no file: against a slow, literal reading of the layer rules."""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Sequence

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from lamella.image import Image
from lamella.layer.blob import Bytes
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.sieve import sieves
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.merge.independent import difference_alone
from lamella.merge.overlay import Tree
from lamella.merge.plan import Plan, make_plan
from lamella.operations.merge_layers import prepare
from lamella.progress import SILENT
from lamella.selection import Selection
from lamella.spec.digest import Digest
from tests.properties.check import check_every_selection, selections
from tests.properties.corners import CORNERS
from tests.properties.reading import clean
from tests.properties.reference import differences, flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import merge, prepared, squash, stream_of
from tests.support.tars import Entry, layer, link, opaque, symlink, whiteout

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def tars_of(drawn: Sequence[Sequence[Entry]]) -> list[bytes]:
    """Write the layers of a drawn image."""
    return [layer(*entries) for entries in drawn]


@pytest.mark.parametrize("name", CORNERS)
def test_corners_keep_their_files(name: str) -> None:
    """Every corner case, squashed in every way, shows the same files in a portable form."""
    check_every_selection(CORNERS[name])


@examples(350)
@given(layers)
def test_squashing_keeps_the_files(drawn: list[list[Entry]]) -> None:
    """`apply(squash(layers)) == apply(layers)`, for every choice of ranges, in a portable form."""
    event(f"{len(drawn)} layers")
    check_every_selection(tars_of(drawn))


@examples(60)
@given(layers, st.randoms(use_true_random=False))
def test_order_of_whiteouts_is_free(drawn: list[list[Entry]], chance: random.Random) -> None:
    """Whiteouts concern the layers below, so where they stand in a layer changes nothing.

    But for one thing: a path leads through the symlinks that were made before it.
    """
    moved = [_shuffle_whiteouts(entries, chance) for entries in drawn]
    assert merge(*tars_of(moved)) == merge(*tars_of(drawn))
    above = merge(*tars_of(moved), above=1), merge(*tars_of(drawn), above=1)
    assert above[0] == above[1]


def _shuffle_whiteouts(entries: Sequence[Entry], chance: random.Random) -> list[Entry]:
    links = {clean(e.name).rpartition(b"/")[2] for e in entries if e.type in b"12"}
    named = {clean(e.link) for e in entries if e.type == b"1"}  # must stay before what names them
    free = [
        e
        for e in entries
        if b"/.wh." in b"/" + e.name and clean(e.name) not in named and not links & _above(e)
    ]
    rest = [e for e in entries if e not in free]
    for mark in free:
        rest.insert(chance.randint(0, len(rest)), mark)
    return rest


def _above(entry: Entry) -> set[bytes]:
    return set(clean(entry.name).split(b"/")[:-1])


@examples(60)
@given(layers, st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 2000)), max_size=20))
@example([[Entry(b"a")], [Entry(b"b")]], [(0, 0), (10**6, 1), (511, 2)])
def test_any_part_can_be_read(drawn: list[list[Entry]], places: list[tuple[int, int]]) -> None:
    """The merged layer reads alike from every place, in pieces of every size."""
    source = image(*tars_of(drawn))
    positions = range(len(drawn))
    with prepared(source, positions) as ready:
        tar = ready.merged(positions)
        whole = stream_of(tar)
        for offset, length in places:
            assert tar.read_at(offset, length) == whole[offset : offset + length]
        for step in (1 + places[0][0] % 700 if places else 13, 512, len(whole)):
            parts = [tar.read_at(at, step) for at in range(0, len(whole), step)]
            assert b"".join(parts) == whole
        written = bytearray()
        assert tar.write_to(written.extend) == Digest.of(whole)
        assert bytes(written) == whole


@examples(40)
@given(layers)
def test_kept_layers_are_untouched(drawn: list[list[Entry]]) -> None:
    """The new image has the old layers outside the ranges, and says what its layers are."""
    tars = tars_of(drawn)
    source = image(*tars)
    for ranges in selections(len(tars)):
        written, sink = squash(source, *ranges)
        squashed = {position for positions in ranges for position in positions}
        assert sink.kept == [la for i, la in enumerate(source.layers) if i not in squashed]
        assert list(written.config.diff_ids) == [Digest.of(tar) for tar in sink.tars]
        assert [d.digest for d in written.descriptors] == list(written.config.diff_ids)
        assert [d.size for d in written.descriptors] == [len(tar) for tar in sink.tars]


def _packed(tar: bytes, chance: random.Random) -> bytes:
    return gzip.compress(tar, 1) if chance.random() < 0.5 else zstd.compress(tar)


@examples(100)
@given(layers, st.randoms(use_true_random=False))
def test_compressed_layers_merge_alike(drawn: list[list[Entry]], chance: random.Random) -> None:
    """Whatever is known of newer layers while a layer is unpacked: the bytes are the same."""
    tars = tars_of(drawn)
    source = image(*tars)
    stored = image(*tars, stored={i: _packed(tar, chance) for i, tar in enumerate(tars)})
    for ranges in selections(len(tars)):
        with prepared(source, *ranges) as want, LayerOpener(Spool()) as opened:
            if chance.random() < 0.5:
                _unpack_one_by_one(stored, ranges, opened)
            found = prepare(stored, Selection(ranges), opened, SILENT)
            assert found.dropped == want.dropped
            for positions in ranges:
                assert stream_of(found.merged(positions)) == stream_of(want.merged(positions))
            opened.verify()


def _unpack_one_by_one(source: Image, ranges: Sequence[range], opened: LayerOpener) -> None:
    for positions in ranges:
        squashed = source.layers[positions.start : positions.stop]
        for one, sieve in reversed(list(zip(squashed, sieves(squashed), strict=True))):
            opened.open([one], [sieve])


@examples(60)
@given(layers)
def test_same_image_same_bytes(drawn: list[list[Entry]]) -> None:
    """Nothing but the input settles the output."""
    assert merge(*tars_of(drawn)) == merge(*tars_of(drawn))


@examples(60)
@given(layers)
def test_ranges_can_be_squashed_one_after_the_other(drawn: list[list[Entry]]) -> None:
    """Squashing a range, and then all, shows the same files as squashing all at once."""
    tars = tars_of(drawn)
    want = flatten(tars)
    for count in range(2, len(tars)):
        lower, upper = merge(*tars[:count]), merge(*tars, above=count)
        assert differences(flatten([merge(lower, upper)]), want) == []
        assert differences(flatten([lower, upper]), want) == []


def test_every_selection_is_tried() -> None:
    """The list of ways to squash is complete and has no way twice."""
    assert list(selections(2)) == [(range(2),)]
    assert len(list(selections(3))) == 3
    found = list(selections(4))
    assert len(found) == len(set(found)) == 7
    assert (range(2), range(2, 4)) in found


def test_reading_back_needs_no_file() -> None:
    """A merged layer can be a layer of the next squash while it isn't written yet."""
    source = image(layer("a"), layer("b"))
    with prepared(source, range(2)) as ready:
        tar = ready.merged(range(2))
        assert Bytes(stream_of(tar)).read_at(0, 5) == tar.read_at(0, 5)
        assert tar.read_at(tar.size, 1) == b""


def _plans(tars: Sequence[bytes], start: int, stop: int) -> tuple[Plan, Plan | None]:
    """Plan a range over the layers below it, and without them if it claims that it can."""
    changesets = {i: read_changeset(Bytes(tar), i) for i, tar in enumerate(tars)}
    below = Tree()
    for position in range(start):
        below.apply(changesets[position])
    difference = Tree(below)
    for position in range(start, stop):
        difference.apply(changesets[position])
    alone = difference_alone([changesets[position] for position in range(start, stop)])
    return (
        make_plan(difference, changesets),
        None if alone is None else make_plan(alone, changesets),
    )


def _check_alone(tars: Sequence[bytes]) -> int:
    """Hold each plan made without the layers below against the one made with them; count them."""
    found = 0
    for start in range(1, len(tars)):
        for stop in range(start + 1, len(tars) + 1):
            with_lower, alone = _plans(tars, start, stop)
            if alone is not None:
                assert alone == with_lower, f"{start}-{stop}"
                found += 1
    return found


@examples(400)
@given(layers)
def test_what_needs_no_lower_layers_is_the_same_over_any(drawn: list[list[Entry]]) -> None:
    """A range that says that it stands alone has the same plan over the layers below."""
    event(f"{min(3, _check_alone(tars_of(drawn)))} ranges stand alone")


@pytest.mark.parametrize("name", CORNERS)
def test_corners_that_need_no_lower_layers_are_the_same(name: str) -> None:
    """The same for every corner, which has at least one layer below."""
    _check_alone(CORNERS[name])


@pytest.mark.parametrize(
    ("lower", "upper", "alone"),
    [
        (layer("d/"), layer("d/", "d/a", ("b", b"1"), link("c", "b")), True),
        (layer("a"), layer(symlink("s", "d"), "d/", "s/a"), True),
        (layer("a"), layer("a"), True),
        (layer("a"), layer(whiteout("a")), False),
        (layer("d/"), layer("d/", opaque("d")), False),
        (layer("d/"), layer("d/a"), False),
        (layer("a"), layer(link("b", "a")), False),
        (layer("d/", "d/a"), layer("d", "d/"), False),
        (layer(symlink("d", "e"), "e/"), layer("d/", "d/a", link("b", "s/a")), False),
        (layer("e/"), layer("d/", "d/a", symlink("s", "x/../d"), link("b", "s/a")), False),
    ],
)
def test_when_the_lower_layers_are_needed(lower: bytes, upper: bytes, alone: bool) -> None:
    """Ordinary additions stand alone; removals, strange links and implied parents do not."""
    changesets = [read_changeset(Bytes(upper), 1)]
    assert (difference_alone(changesets) is not None) is alone
    assert lower
