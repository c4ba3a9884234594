"""What is left out and what is clamped, against the slow reading of the rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import event, given
from hypothesis import strategies as st

from lamella.errors import UsageError
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.edits import Edits
from lamella.merge.patterns import PathPatterns
from lamella.operations.merge_layers import Prepared, prepare
from lamella.operations.prove import prove
from lamella.progress import SILENT
from lamella.selection import Selection
from tests.properties.ignoring import is_meant
from tests.properties.portable import complaints
from tests.properties.reading import clean
from tests.properties.reference import Row, flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import stream_of
from tests.support.tars import MTIME, Entry, layer

LINES = st.lists(
    st.sampled_from(
        [
            *("a", "b", "a/a", "*/a", "a/*", "**/b", "a/**", "s", "c", "?", "[ab]/a", "long-*"),
            *("!a/a", "!**/b", "!b", "!a/**/a", "**", "*", "caf?", "nothing", "a/a/a"),
        ]
    ),
    max_size=4,
)
LATEST = st.sampled_from([None, None, 0, 10**9, MTIME])
NANO = 10**9


@st.composite
def ranges_of(draw: st.DrawFn, count: int) -> tuple[range, ...]:
    """Draw ranges of one layer or more, in order."""
    cuts = sorted(draw(st.sets(st.integers(0, count), min_size=2)))
    pairs = [range(a, b) for a, b in pairwise(cuts)]
    return tuple(r for r in pairs if draw(st.booleans())) or (pairs[0],)


@examples(300)
@given(layers, LINES, LATEST, st.data())
def test_exactly_what_is_asked_for_is_another_thing(
    drawn: list[list[Entry]], lines: list[str], latest: int | None, data: st.DataObject
) -> None:
    """Paths that are meant are gone, times are clamped, all else is as it was; `prove` agrees."""
    ranges = data.draw(ranges_of(len(drawn)))
    patterns = PathPatterns.parse(lines)
    edits = Edits(leave_out=patterns if lines else None, latest=latest)
    source = image(*(layer(*entries) for entries in drawn))
    with LayerOpener(Spool()) as opener:
        try:
            ready = prepare(source, Selection(ranges, alone=True), opener, SILENT, edits)
        except UsageError as error:
            event("a kept layer brings it back, or needs it")
            told = re.search(r"layer (\d+) has", str(error))
            assert told
            assert _brings_back(drawn[int(told[1]) - 1], lines)
            return
        new = _new_layers(ready, [layer(*entries) for entries in drawn])
        want = _wanted(drawn, ready, lines, latest)
        found = flatten(new)
        assert want.keys() == found.keys()
        for path, row in found.items():
            assert _same(row, want[path], latest), path
        prove(ready, edits)


def _brings_back(entries: Sequence[Entry], lines: Sequence[str]) -> bool:
    """Whether a layer has a path that is meant, or a link, by which one may be."""
    return any(_is_meant(entry, lines) or entry.type in {b"1", b"2"} for entry in entries)


def _is_meant(entry: Entry, lines: Sequence[str]) -> bool:
    path = clean(entry.name)
    if not path or path.rpartition(b"/")[2].startswith(b".wh."):
        return False
    return is_meant(path.decode("utf-8", "surrogateescape"), lines)


def _new_layers(ready: Prepared, tars: Sequence[bytes]) -> list[bytes]:
    starts = {positions.start: positions for positions in ready.plans}
    squashed = {position for positions in ready.plans for position in positions}
    out: list[bytes] = []
    for position, tar in enumerate(tars):
        if position in starts:
            merged = stream_of(ready.merged(starts[position]))
            assert complaints(merged, out) == []
            out.append(merged)
        elif position not in squashed:
            out.append(tar)
    return out


def _wanted(
    drawn: Sequence[Sequence[Entry]], ready: Prepared, lines: Sequence[str], latest: int | None
) -> dict[bytes, Row]:
    squashed = {position for positions in ready.plans for position in positions}
    clamped = [
        layer(*(_clamp(e, latest) if position in squashed else e for e in entries))
        for position, entries in enumerate(drawn)
    ]
    rows = flatten(clamped)
    gone = {p for p in rows if p and is_meant(p.decode("utf-8", "surrogateescape"), lines)}
    for path in rows.keys() - gone:  # a directory of which something stays
        names = path.split(b"/")
        gone -= {b"/".join(names[:count]) for count in range(1, len(names))}
    return {
        path: replace(row, group=tuple(name for name in row.group if name not in gone))
        for path, row in rows.items()
        if path not in gone
    }


def _clamp(entry: Entry, latest: int | None) -> Entry:
    return entry if latest is None or entry.mtime <= latest else replace(entry, mtime=latest)


def _same(found: Row, want: Row, latest: int | None) -> bool:
    """Compare; what a merged layer says again of those below has a clamped time, too."""
    if want.mtime is None or (found.mtime is None and want.type == b"5"):
        return replace(found, mtime=None) == replace(want, mtime=None)
    if latest is not None and found.mtime == min(want.mtime, latest):
        return replace(found, mtime=want.mtime) == want
    return found == want
