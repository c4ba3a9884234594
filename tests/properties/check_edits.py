"""The check of a squash that leaves out and limits times, against the slow reading."""

from __future__ import annotations

from collections.abc import Sequence

from lamella.errors import UsageError
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.edits import Edits
from lamella.merge.patterns import PathPatterns
from lamella.operations.merge_layers import Prepared, prepare
from lamella.operations.prove import prove
from lamella.progress import SILENT
from lamella.selection import Selection
from tests.properties.finishing import finished, is_like
from tests.properties.portable import complaints
from tests.properties.reference import flatten
from tests.support.images import image
from tests.support.squashing import stream_of
from tests.support.tars import Entry, layer

__all__ = ["check_finished"]


def check_finished(
    drawn: Sequence[Sequence[Entry]],
    ranges: Sequence[range],
    lines: Sequence[str],
    latest: int | None = None,
) -> bool:
    """Squash with edits; fail if the new image is not what it is to be.

    Returns:
        Whether it could be done; that it is refused is right then.
    """
    want = finished(drawn, ranges, lines, latest)
    edits = Edits(leave_out=PathPatterns.parse(lines) if lines else None, latest=latest)
    tars = [layer(*entries) for entries in drawn]
    with LayerOpener(Spool()) as opener:
        try:
            ready = prepare(
                image(*tars), Selection(tuple(ranges), alone=True), opener, SILENT, edits
            )
        except UsageError:
            if want is None:
                return False
            raise
        assert want is not None, "a kept layer brings something back, or needs what is gone"
        found = flatten(_new_layers(ready, tars))
        assert found.keys() == want.listing.keys()
        for path, row in found.items():
            asked = want.listing[path]
            limit = latest if path in want.repeated else None
            assert is_like(row, asked, limit), f"{path!r}: {row} != {asked}"
        prove(ready, edits)
    return True


def _new_layers(ready: Prepared, tars: Sequence[bytes]) -> list[bytes]:
    starts = {positions.start: positions for positions in ready.plans}
    squashed = {position for positions in ready.plans for position in positions}
    out: list[bytes] = []
    for position, tar in enumerate(tars):
        if position in starts:
            merged = stream_of(ready.merged(starts[position]))
            assert len(merged) == ready.plans[starts[position]].size, "the size was known before"
            assert complaints(merged, out) == []
            out.append(merged)
        elif position not in squashed:
            out.append(tar)
    return out
