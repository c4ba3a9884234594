# ruff: noqa: SLF001 - what is broken here is private
"""The property of edits can fail: each rule, broken on purpose, is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest

from lamella.errors import LamellaError
from lamella.layer.whiteout import OPAQUE
from lamella.merge import edits, entries, overlay, plan
from lamella.merge.patterns import NO_PATTERN, InFolder, PathPatterns
from lamella.operations import planning
from lamella.selection import Selection
from lamella.tar import time_limit, writer
from lamella.tar.entry import Header, Member
from tests.properties.check_edits import check_finished
from tests.support.tars import (
    MTIME,
    Entry,
    entry,
    folder,
    link,
    opaque,
    symlink,
    whiteout,
)

Break = Callable[[pytest.MonkeyPatch], None]
Tree = overlay.Tree
NANO = 10**9
LATEST = MTIME - 5 * NANO


class Corner(NamedTuple):
    """An image and what becomes of it."""

    image: Sequence[Sequence[Entry]]
    ranges: Sequence[range]
    lines: Sequence[str] = ()
    latest: int | None = None


_BASE = [folder("d", 0o700), entry("d/a", b"1"), entry("d/b", b"2"), entry("f", b"3")]
_NEW = [entry("n", b"4"), entry("d/n", b"5")]
_LINKED = [entry("a", b"1"), link("b", "a"), link("c", "a")]
_TOP = (range(1, 3),)
_ALONE = (range(1, 2),)

CORNERS: dict[str, Corner] = {
    "nothing to do": Corner([_BASE, _NEW, []], _TOP),
    "a path of the base": Corner([_BASE, _NEW, []], _TOP, ["d/a"]),
    "a directory": Corner([_BASE, _NEW, [folder("e"), entry("e/x")]], _TOP, ["d", "e"]),
    "a first name": Corner([_BASE, _LINKED, []], _TOP, ["a"]),
    "a further name": Corner([_BASE, _LINKED, []], _TOP, ["b"]),
    "a name that was linked to": Corner([_LINKED, [link("x", "b")], []], _TOP, ["a"]),
    "brought back": Corner([_BASE, _NEW, []], _TOP, ["d", "!d/b"]),
    "the last pattern": Corner([_BASE, _NEW, []], _TOP, ["!d/a", "d/*", "!f", "f"]),
    "what is in a directory": Corner(
        [_BASE, [folder("e"), entry("e/x")]], (range(2),), ["e", "!d"]
    ),
    "brought back in another range": Corner(
        [_BASE, [entry("x")], [entry("d/c")], [entry("y")]], (range(2), range(2, 4)), ["d", "!d/c"]
    ),
    "brought back in a layer above": Corner(
        [_BASE, [], [entry("d/c")]], (range(2),), ["d", "!d/c"]
    ),
    "a layer above has it": Corner([_BASE, _NEW, [entry("f", b"6")]], (range(2),), ["f"]),
    "a layer above has it by a symlink": Corner(
        [_BASE, _NEW, [symlink("s", "d"), entry("s/a")]], (range(2),), ["d/a"]
    ),
    "a layer above deletes in it": Corner([_BASE, _NEW, [whiteout("d/a")]], (range(2),), ["d"]),
    "two ranges": Corner(
        [_BASE, _NEW, [entry("x")], [entry("y"), whiteout("n")]],
        (range(2), range(2, 4)),
        ["n", "d/a"],
    ),
    "in an opaque directory": Corner(
        [_BASE, [folder("d"), opaque("d"), entry("d/a")], []], _TOP, ["d/a"]
    ),
    "in a directory made again": Corner(
        [_BASE, [whiteout("d")], [folder("d"), entry("d/a"), entry("d/c")]], _TOP, ["d/a"]
    ),
    "newer": Corner([_BASE, _NEW, []], _TOP, latest=LATEST),
    "newer, of a layer alone": Corner([_BASE, _NEW, []], _ALONE, latest=LATEST),
    "newer, in a kept layer": Corner([_BASE, [entry("x")], [entry("y")]], _ALONE, latest=LATEST),
    "newer, with links": Corner([[], _LINKED, []], _TOP, latest=LATEST),
    "newer link of a layer alone": Corner(
        [[], [entry(".wh..wh.plnk/1"), link("a", ".wh..wh.plnk/1")]], _ALONE, latest=LATEST
    ),
    "newer by a part of a second": Corner(
        [[], [entry("x", mtime=LATEST + 1), entry("y", mtime=LATEST + NANO // 2)]],
        _ALONE,
        latest=LATEST,
    ),
    "newer than octal digits": Corner(
        [[], [entry("x", format="gnu", mtime=(8**11 + 5) * NANO)]], _ALONE, latest=LATEST
    ),
    "newer, with attributes": Corner(
        [[], [entry("x", xattrs={b"user.note": b"1"}, mtime=MTIME + NANO // 2)]],
        _ALONE,
        latest=LATEST,
    ),
    "early": Corner(
        [[], [entry("x", mtime=NANO), entry("y", mtime=-NANO)], []], _TOP, latest=LATEST
    ),
}


def is_noticed(corner: str) -> bool:
    """Whether the check of a corner fails."""
    try:
        check_finished(*CORNERS[corner])
    except (AssertionError, LamellaError):
        return True
    return False


# -- leaving out


def leave_out_the_file(patch: pytest.MonkeyPatch) -> None:
    """All names of a file go with the one that is left out."""
    leave_out = Tree.leave_out

    def wrong(self: overlay.Tree, path: bytes) -> None:
        node = self.find(path)
        inode = node.inode if isinstance(node, overlay.Link) else node
        others = [
            other
            for other, found in self.walk()
            if (found.inode if isinstance(found, overlay.Link) else found) is inode
        ]
        for other in {path, *others}:
            leave_out(self, other)

    patch.setattr(Tree, "leave_out", wrong)


def forget_whiteouts(patch: pytest.MonkeyPatch) -> None:
    """What the base has is not deleted."""
    leave_out = Tree.leave_out

    def wrong(self: overlay.Tree, path: bytes) -> None:
        leave_out(self, path)
        parent = self.find(path.rpartition(b"/")[0])
        assert isinstance(parent, overlay.Folder)
        if parent.kids.get(path.rpartition(b"/")[2], b"") is None:
            del parent.kids[path.rpartition(b"/")[2]]

    patch.setattr(Tree, "leave_out", wrong)


def delete_everywhere(patch: pytest.MonkeyPatch) -> None:
    """A whiteout is written, whether there is anything below to be deleted or not."""
    leave_out = Tree.leave_out

    def wrong(self: overlay.Tree, path: bytes) -> None:
        leave_out(self, path)
        if self.lower is not None:
            parent, _, name = path.rpartition(b"/")
            self._own_folder(parent).kids[name] = None

    patch.setattr(Tree, "leave_out", wrong)


def forget_opaque(patch: pytest.MonkeyPatch) -> None:
    """A directory that hides the base's is merged with it once something is left out of it."""
    mark = plan._Planner._mark

    def wrong(self: Any, name: bytes) -> None:  # noqa: ANN401 - private
        if not name.endswith(OPAQUE):
            mark(self, name)

    patch.setattr(plan._Planner, "_mark", wrong)


def promote_nothing(patch: pytest.MonkeyPatch) -> None:
    """Hard links are copied, though the name that they link to is left out."""

    def wrong(self: Any, found: overlay.Link, path: bytes) -> None:  # noqa: ANN401 - private
        del path
        self._copy(found.member.origin, found.member.start, found.member.span)

    patch.setattr(plan._Planner, "_hard_link", wrong)


def leave_directories(patch: pytest.MonkeyPatch) -> None:
    """Directories stay; only what is in them goes."""
    leave_out = Tree.leave_out

    def wrong(self: overlay.Tree, path: bytes) -> None:
        node = self.find(path)
        if not isinstance(node, overlay.Folder):
            leave_out(self, path)
            return
        for name in {**(node.lower.kids if node.lower else {}), **node.kids}:
            leave_out(self, path + b"/" + name)

    patch.setattr(Tree, "leave_out", wrong)


def lose_directories(patch: pytest.MonkeyPatch) -> None:
    """A directory goes, whatever of it is brought back."""
    meant_in_tree = edits.meant_in_tree

    def wrong(tree: overlay.Tree, patterns: PathPatterns, staying: Any = ()) -> edits.Meant:  # noqa: ANN401 - passed on
        found = meant_in_tree(tree, patterns, staying)
        return found._replace(paths=[*found.paths, *found.stay])

    patch.setattr(edits, "meant_in_tree", wrong)


def bring_nothing_back(patch: pytest.MonkeyPatch) -> None:
    """An exclamation mark means nothing."""
    patch.setattr(PathPatterns, "mean", lambda self, last: last != NO_PATTERN)


def first_pattern_counts(patch: pytest.MonkeyPatch) -> None:
    """The first pattern that matches a path counts."""
    match = InFolder.match

    def wrong(self: InFolder, name: bytes, above: int, used: set[int]) -> int:
        found: set[int] = set()
        match(self, name, NO_PATTERN, found)
        used |= found
        return min(found) if found and above == NO_PATTERN else above

    patch.setattr(InFolder, "match", wrong)


def match_one_by_one(patch: pytest.MonkeyPatch) -> None:
    """What matches a directory does not match what is in it."""
    match = InFolder.match

    def wrong(self: InFolder, name: bytes, above: int, used: set[int]) -> int:
        del above
        return match(self, name, NO_PATTERN, used)

    patch.setattr(InFolder, "match", wrong)


def forget_other_ranges(patch: pytest.MonkeyPatch) -> None:
    """What is brought back of a directory counts in its own range alone."""
    patch.setattr(planning.Planning, "_find_staying", lambda self, patterns: frozenset())


def look_at_nothing_above(patch: pytest.MonkeyPatch) -> None:
    """Layers above may bring back what they like."""
    patch.setattr(planning.Planning, "_check_above", lambda self: None)


def let_them_delete(patch: pytest.MonkeyPatch) -> None:
    """Layers above may delete something in what is gone."""
    patch.setattr(planning.Planning, "_check_removals", lambda self: None)


def forget_what_is_gone(patch: pytest.MonkeyPatch) -> None:
    """The next range finds below it what the one before left out."""
    patch.setattr(planning._Below, "leave_out", lambda self, top, paths: None)


# -- limiting times


def limit_all_layers(patch: pytest.MonkeyPatch) -> None:
    """Layers that are kept are limited, too."""

    def wrong(self: Selection) -> tuple[range, ...]:
        return tuple(range(at, at + 1) for at in range(self.ranges[-1].stop + 1))

    patch.setattr(Selection, "squashing", property(wrong))


def rewrite_no_layer_alone(patch: pytest.MonkeyPatch) -> None:
    """A layer that is chosen alone stays as it is."""
    patch.setattr(plan.Plan, "changes_layer", lambda *told: False)


def forget_files_of_links(patch: pytest.MonkeyPatch) -> None:
    """Links are limited, but the file that they link to is copied."""
    entry = plan._Planner._entry

    def wrong(self: Any, member: Member, folder: bytes, name: bytes) -> None:  # noqa: ANN401 - private
        entry(self, member, folder, name)
        if id(member) in self._linked and member.start in self._limited:
            self._limited.remove(member.start)

    patch.setattr(plan._Planner, "_entry", wrong)


def forget_links(patch: pytest.MonkeyPatch) -> None:
    """Files are limited, but their links are copied."""
    patch.setattr(entries.Entries, "is_sound_link", lambda *told: True)


def forget_links_alone(patch: pytest.MonkeyPatch) -> None:
    """That a file is limited does not count where a link takes its place."""
    hard_link = plan._Planner._hard_link

    def wrong(self: Any, found: overlay.Link, path: bytes) -> None:  # noqa: ANN401 - private
        before = self._is_edited
        hard_link(self, found, path)
        self._is_edited = before

    patch.setattr(plan._Planner, "_hard_link", wrong)


def limit_records_alone(patch: pytest.MonkeyPatch) -> None:
    """Only times in PAX records are limited."""
    patch.setattr(time_limit._Differences, "__missing__", lambda self, field: None)


def octal_digits_alone(patch: pytest.MonkeyPatch) -> None:
    """A time in base-256 is early."""
    change_of = time_limit._Differences.__missing__

    def wrong(self: time_limit._Differences, field: bytes) -> int | None:
        return None if field >= b"\x80" else change_of(self, field)

    patch.setattr(time_limit._Differences, "__missing__", wrong)


def whole_seconds(patch: pytest.MonkeyPatch) -> None:
    """Parts of a second are not compared."""

    def wrong(self: edits.Edits, header: Header) -> Header:
        latest = self.latest or 0
        is_newer = header.mtime // NANO > latest // NANO
        return header._replace(mtime=latest) if is_newer else header

    patch.setattr(edits.Edits, "edited", wrong)


def keep_records(patch: pytest.MonkeyPatch) -> None:
    """The record of the old time stays behind the new one."""
    patch.setattr(writer, "_TOLD", writer._TOLD - {b"mtime"})


def limit_early_ones(patch: pytest.MonkeyPatch) -> None:
    """Every time becomes the limit."""

    def wrong(self: edits.Edits, header: Header) -> Header:
        return header._replace(mtime=self.latest or 0)

    patch.setattr(edits.Edits, "edited", wrong)
    patch.setattr(
        time_limit._Differences, "__missing__", lambda self, field: self._sum - sum(field)
    )


def seal_nothing(patch: pytest.MonkeyPatch) -> None:
    """The checksum is that of the header with the old time."""
    limited = time_limit.TimeLimit.limited

    def wrong(self: time_limit.TimeLimit, block: bytes) -> bytes | None:
        field = limited(self, block)
        return field and field[:12] + block[148:156]

    patch.setattr(time_limit.TimeLimit, "limited", wrong)


BREAKS: dict[str, tuple[Break, str]] = {
    "all names go": (leave_out_the_file, "a further name"),
    "no whiteouts": (forget_whiteouts, "a path of the base"),
    "vain whiteouts": (delete_everywhere, "in a directory made again"),
    "no opaque markers": (forget_opaque, "in a directory made again"),
    "no promotion": (promote_nothing, "a first name"),
    "directories stay": (leave_directories, "a directory"),
    "directories go": (lose_directories, "brought back"),
    "nothing is brought back": (bring_nothing_back, "brought back"),
    "the first pattern counts": (first_pattern_counts, "the last pattern"),
    "what is in a directory is not meant": (match_one_by_one, "what is in a directory"),
    "other ranges are forgotten": (forget_other_ranges, "brought back in another range"),
    "layers above are forgotten": (forget_other_ranges, "brought back in a layer above"),
    "layers above have it": (look_at_nothing_above, "a layer above has it"),
    "layers above have it by a symlink": (
        look_at_nothing_above,
        "a layer above has it by a symlink",
    ),
    "layers above delete": (let_them_delete, "a layer above deletes in it"),
    "the next range finds it": (forget_what_is_gone, "two ranges"),
    "kept layers are limited": (limit_all_layers, "newer, in a kept layer"),
    "no layer alone is rewritten": (rewrite_no_layer_alone, "newer, of a layer alone"),
    "files of links are not limited": (forget_files_of_links, "newer, with links"),
    "links are not limited": (forget_links, "newer, with links"),
    "a promoted file is not limited": (forget_links_alone, "newer link of a layer alone"),
    "only records are limited": (limit_records_alone, "newer"),
    "only octal digits are limited": (octal_digits_alone, "newer than octal digits"),
    "only whole seconds are limited": (whole_seconds, "newer by a part of a second"),
    "old records stay": (keep_records, "newer, with attributes"),
    "early times are limited": (limit_early_ones, "early"),
    "checksums are old": (seal_nothing, "newer"),
}


@pytest.mark.parametrize("name", CORNERS)
def test_whole_it_is_right(name: str) -> None:
    """So what fails below fails for its break."""
    check_finished(*CORNERS[name])


@pytest.mark.parametrize("name", BREAKS)
def test_broken_rule_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corner that is about a rule fails when that rule is broken."""
    break_it, corner = BREAKS[name]
    break_it(monkeypatch)
    assert is_noticed(corner)
