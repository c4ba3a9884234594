"""What a merged layer says otherwise than its layers: the stage between difference and plan."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.edits import Edits
from lamella.operations.merge_layers import Prepared, prepare
from lamella.progress import SILENT
from lamella.selection import Selection
from lamella.tar.entry import Header
from tests.support.images import image
from tests.support.squashing import stream_of
from tests.support.tars import entry, folder, layer, link, whiteout

SECOND = 10**9

LAYERS = (
    layer(folder("d"), entry("d/base", b"1", mtime=5 * SECOND)),
    layer(
        entry("d/base", b"2", mtime=5 * SECOND),
        entry("d/new", b"3", mtime=9 * SECOND),
        folder("e"),
        "e/one",
    ),
    layer(entry("old", b"4", mtime=SECOND), link("d/other", "d/new"), "kept"),
)


@dataclass
class Edited:
    """Tars of the merged layers."""

    tars: list[bytes]
    plans: list[Prepared]

    def names(self, number: int = 0) -> list[str]:
        """Name the entries of one."""
        with tarfile.open(fileobj=io.BytesIO(self.tars[number])) as tar:
            return tar.getnames()


def edited(source: Image, *ranges: range, edits: Edits) -> Edited:
    """Squash with edits."""
    with LayerOpener(Spool()) as opener:
        ready = prepare(source, Selection(ranges), opener, SILENT, edits)
        return Edited([stream_of(ready.merged(positions)) for positions in ranges], [ready])


def test_what_the_base_has_too_is_deleted() -> None:
    """What it has not is not said at all; what is in a directory goes with it."""
    gone = {b"d/base", b"e"}
    merged = edited(image(*LAYERS), range(1, 3), edits=Edits(leave_out=gone.__contains__))
    assert merged.names() == ["d", "d/.wh.base", "d/new", "old", "d/other", "kept"]


def test_a_file_lives_on_by_its_other_names() -> None:
    """Where its first name is left out."""
    merged = edited(image(*LAYERS), range(1, 3), edits=Edits(leave_out=b"d/new".__eq__))
    assert "d/new" not in merged.names()
    with tarfile.open(fileobj=io.BytesIO(merged.tars[0])) as tar:
        file = tar.extractfile("d/other")
        assert file is not None
        assert file.read() == b"3"


def test_what_one_range_leaves_out_is_not_there_for_the_next() -> None:
    """So the next need not delete it."""
    layers = (*LAYERS, layer(whiteout("d/new"), "more"), layer("last"))
    ranges = range(1, 3), range(3, 5)
    left = edited(image(*layers), *ranges, edits=Edits(leave_out=b"d/new".__eq__))
    assert left.names(1) == ["more", "last"]
    stays = edited(image(*layers), *ranges, edits=Edits())
    assert stays.names(1) == ["more", "last", "d", "d/.wh.new"]


def clamped(header: Header) -> Header:
    """Make a time no later than 5."""
    return header._replace(mtime=min(header.mtime, 5 * SECOND))


def test_headers_are_changed_and_links_follow() -> None:
    """What need not be changed is copied as it is."""
    merged = edited(image(*LAYERS), range(1, 3), edits=Edits(change=clamped))
    with tarfile.open(fileobj=io.BytesIO(merged.tars[0])) as tar:
        times = {member.name: member.mtime for member in tar}
    assert (times["d/new"], times["d/other"], times["d/base"], times["old"]) == (5, 5, 5, 1)
    assert LAYERS[2][:1024] in merged.tars[0], "old is as it was"
