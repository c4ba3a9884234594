"""A delta over the old layers shows the new files: against the slow reading of the layer rules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.emit import PlanTar
from lamella.operations.delta import plan_delta, prove_delta
from lamella.operations.ignoring import Ignoring
from lamella.operations.pairs import read_pair
from tests.properties.corners import CORNERS
from tests.properties.portable import complaints
from tests.properties.reading import Read, read_tar
from tests.properties.reference import Listing, Row, differences, flatten
from tests.properties.strategies import Operation, build, operations, tars_of
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import stream_of
from tests.support.tars import Entry, layer, link

_Plan = Sequence[Sequence[Operation]]
_layer = st.lists(operations, max_size=10)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Two images that have much in common: layers, files, or names alone."""
    old: _Plan = draw(st.lists(_layer, min_size=1, max_size=3))
    new: list[Sequence[Operation]] = []
    for one in old:
        match draw(st.sampled_from(["same", "same", "fewer", "fewer", "more", "gone", "twice"])):
            case "same":
                new.append(one)
            case "fewer":
                new.append([o for o in one if draw(st.integers(0, 3))])
            case "more":
                new.append([*one, *draw(_layer)])
            case "twice":
                new += [one, one]
    if not new or draw(st.booleans()):
        new.append(draw(_layer))
    return tars_of(build(old)), tars_of(build(new))


def delta_of(old: Sequence[bytes], new: Sequence[bytes], *ignore: str) -> bytes | None:
    """Return the layer that makes new files of old ones; None if they are the same."""
    with LayerOpener(Spool()) as opener:
        pair = read_pair((image(*old), image(*new)), opener)
        planned = plan_delta(pair, Ignoring.parse(ignore))
        if planned.plan is None:
            return None
        prove_delta(pair, planned, Ignoring.parse(ignore))
        found = stream_of(PlanTar(planned.plan, planned.tars))
        assert len(found) == planned.plan.size, "the size was known before"
        return found


def check(old: Sequence[bytes], new: Sequence[bytes]) -> str:
    """Fail if the delta is wrong, or says more than it must; return what kind it is."""
    before, after = flatten(old), flatten(new)
    delta = delta_of(old, new)
    if delta is None:
        assert differences(before, after) == []
        return "the same"
    assert complaints(delta, old) == []
    assert differences(flatten([*old, delta]), after) == []
    members, _ = read_tar(delta)
    said = {m.path for m in members if not _is_mark(m)}
    removed = [m for m in members if _is_mark(m)]
    assert sorted(_needless(said, before, after)) == []
    assert len(removed) == _fewest(before, after, said)
    assert delta_of([*old, delta], new) is None
    return "removals" if removed else "no removals"


def _is_mark(member: Read) -> bool:
    return member.path.rpartition(b"/")[2].startswith(b".wh.")


def _needless(said: set[bytes], before: Listing, after: Listing) -> list[bytes]:
    """Return what a delta says though it is as it was, and though it leads to nothing."""
    leading = {path.rpartition(b"/")[0] for path in (*said, *(before.keys() - after.keys()))}
    return [
        path
        for path in said
        if path not in leading and path in before and _as_before(before, after, path)
    ]


def _as_before(before: Listing, after: Listing, path: bytes) -> bool:
    """Whether a path stays as it is in all that a layer above can't help to say again."""
    one, other = before[path], after[path]
    names = tuple(name for name in one.group if name in after)
    if names != other.group and (len(one.group) > 1 or len(other.group) > 1):
        return False  # the file is divided, or has another name
    time = one.mtime == other.mtime or None in {one.mtime, other.mtime}
    return time and _without_time(one) == _without_time(other)


def _without_time(row: Row) -> tuple[object, ...]:
    return row.type, row.mode, row.uid, row.gid, row.sha256, row.link, row.device, row.xattrs


def _fewest(before: Listing, after: Listing, said: set[bytes]) -> int:
    """Return how many removals are needed if nothing is said again that stays."""
    folders = {path for path in before if before[path].type == b"5"}
    folders &= {path for path in after if after[path].type == b"5"}

    @cache
    def below(path: bytes) -> int:
        inner = path + b"/" if path else b""
        direct = [p for p in before if p.startswith(inner) and b"/" not in p[len(inner) :] and p]
        marks = sum(1 for p in direct if p not in after)
        marks += sum(below(p) for p in direct if p in folders)
        kept = any(p.startswith(inner) and p not in said for p in after)
        return marks if kept or not path else min(1, marks)

    return below(b"")


@examples(300)
@given(pairs())
def test_delta_makes_the_new_files(drawn: tuple[list[bytes], list[bytes]]) -> None:
    """Over the old layers it shows the new files, with no entry and no removal too many."""
    event(check(*drawn))


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    """From every part of a corner case to the whole, and back."""
    tars = CORNERS[name]
    for count in range(1, len(tars)):
        check(tars[:count], tars)
        check(tars, tars[:count])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # a directory of which nothing stays: one marker for all
        (layer("d/", "d/a", "d/b"), layer("d/", "d/c"), [b"d", b"d/.wh..wh..opq", b"d/c"]),
        (layer("d/", "d/a"), layer("d/", "d/c"), [b"d", b"d/.wh.a", b"d/c"]),
        (layer("d/", "d/a", "d/b", "d/c"), layer("d/", "d/c"), [b"d", b"d/.wh.a", b"d/.wh.b"]),
        (
            layer("d/", "d/e/", "d/e/a", "d/b"),
            layer("d/", "d/e/"),
            [b"d", b"d/.wh..wh..opq", b"d/e"],
        ),
        # never at the root
        (layer("a", "b"), layer("c"), [b".wh.a", b".wh.b", b"c"]),
        # what else was a name of a file is gone: the file stays
        (layer("a", link("b", "a"), link("c", "a")), layer("b", link("c", "b")), [b".wh.a"]),
        # a further name: all are said again
        (layer("a"), layer("a", link("b", "a")), [b"a", b"b"]),
        # divided: the larger part stays
        (layer("a", link("b", "a"), link("c", "a")), layer("a", link("b", "a"), "c"), [b"c"]),
    ],
)
def test_what_is_said(old: bytes, new: bytes, said: list[bytes]) -> None:
    """No more than must be."""
    check([old], [new])
    delta = delta_of([old], [new])
    assert delta is not None
    found = [member.path for member in read_tar(delta)[0]]
    assert sorted(found) == sorted(said)


def test_ignored_times_are_left_out() -> None:
    """What differs in its time alone stays as it is; the rest is as in the new image."""
    old = layer(Entry(b"a", content=b"1", mtime=1), Entry(b"b", content=b"1", mtime=1))
    new = layer(Entry(b"a", content=b"1", mtime=2), Entry(b"b", content=b"2", mtime=2))
    delta = delta_of([old], [new], "mtime")
    assert delta is not None
    [member] = read_tar(delta)[0]
    assert (member.path, member.mtime) == (b"b", 2)
    assert (
        delta_of([old], [layer(Entry(b"a", content=b"1"), Entry(b"b", content=b"1"))], "mtime")
        is None
    )
