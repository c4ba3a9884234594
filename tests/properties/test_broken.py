# ruff: noqa: SLF001 - what is broken here is private
"""The properties can fail: each rule, broken on purpose, is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lamella.errors import LamellaError
from lamella.merge import emit, entries, overlay, plan
from lamella.merge.changeset import Changeset
from lamella.merge.nodes import symlink_of
from lamella.tar.entry import Header, Member
from lamella.tar.writer import format_header
from tests.properties.check import check_every_selection
from tests.properties.corners import CORNERS

pytestmark = pytest.mark.slow

Break = Callable[[pytest.MonkeyPatch], None]
Tree = overlay.Tree


def noticed() -> list[str]:
    """Name the corners whose check fails."""
    found = []
    for name, tars in CORNERS.items():
        try:
            check_every_selection(tars)
        except (AssertionError, LamellaError, IndexError):
            found.append(name)
    return found


def ignore_whiteouts(patch: pytest.MonkeyPatch) -> None:
    """Whiteouts delete nothing."""
    patch.setattr(Tree, "_delete", lambda self, path: None)


def whiteouts_last(patch: pytest.MonkeyPatch) -> None:
    """Whiteouts delete the entries of their own layer."""
    apply = Tree.apply

    def wrong(self: overlay.Tree, changeset: Changeset) -> None:
        apply(self, changeset)
        for path in changeset.whiteouts:
            self._delete(path)

    patch.setattr(Tree, "apply", wrong)


def lexical_removals(patch: pytest.MonkeyPatch) -> None:
    """Removals follow no symlinks."""
    patch.setattr(overlay._Own, "removals", lambda self, c: (c.whiteouts, c.opaques))


def drop_whiteouts(patch: pytest.MonkeyPatch) -> None:
    """No whiteout stays in the merged layer."""
    patch.setattr(plan._Planner, "_removals", lambda self, folder, prefix: None)


def keep_vain_whiteouts(patch: pytest.MonkeyPatch) -> None:
    """Whiteouts stay though the base has no such thing."""
    delete = Tree._delete

    def wrong(self: overlay.Tree, path: bytes) -> None:
        delete(self, path)
        if self.lower is not None and b"/" not in path:
            self.root.kids.setdefault(path, None)

    patch.setattr(Tree, "_delete", wrong)


def ignore_opaque(patch: pytest.MonkeyPatch) -> None:
    """Opaque markers hide nothing."""
    patch.setattr(Tree, "_hide", lambda self, path: None)


def write_no_opaque(patch: pytest.MonkeyPatch) -> None:
    """No opaque marker stays in the merged layer."""
    patch.setattr(plan, "OPAQUE", b".wh..wh.nonsense")


def merge_made_anew(patch: pytest.MonkeyPatch) -> None:
    """A directory that was deleted and made again is merged with the base's."""

    def wrong(parent: overlay.Folder, name: bytes) -> overlay.Folder:
        below = parent.lower.kids.get(name) if parent.lower else None
        made = overlay.Folder(lower=below if isinstance(below, overlay.Folder) else None)
        parent.kids[name] = made
        return made

    patch.setattr(Tree, "_new_folder", staticmethod(wrong))


def promote_nothing(patch: pytest.MonkeyPatch) -> None:
    """A hard link is copied, whether what it links to is there or not."""

    def wrong(self: Any, link: overlay.Link, path: bytes) -> None:  # noqa: ANN401 - private
        member = link.member
        self._copy(member.origin, member.start, member.end - member.start)

    patch.setattr(plan._Planner, "_hard_link", wrong)


def part_links(patch: pytest.MonkeyPatch) -> None:
    """A hard link becomes a file of its own."""

    def wrong(self: Any, link: overlay.Link, path: bytes) -> None:  # noqa: ANN401 - private
        self._anew(link.inode, path)

    patch.setattr(plan._Planner, "_hard_link", wrong)


def forget_lower_names(patch: pytest.MonkeyPatch) -> None:
    """A link to a file of the base leaves the base's own names behind."""
    patch.setattr(Tree, "adopt", lambda self, path: None)


def lose_identity(patch: pytest.MonkeyPatch) -> None:
    """A hard link knows a copy of its file, not the file itself."""
    find = Tree._link

    def wrong(self: overlay.Tree, member: Member) -> overlay.Link:
        found = find(self, member)
        return overlay.Link(found.inode._replace(start=found.inode.start), found.member)

    patch.setattr(Tree, "_link", wrong)


def follow_no_symlink(patch: pytest.MonkeyPatch) -> None:
    """Symlinks that the layer itself made are not followed."""
    patch.setattr(overlay, "symlink_of", lambda node, origin: None)


def follow_all_symlinks(patch: pytest.MonkeyPatch) -> None:
    """Symlinks of lower layers are followed too."""
    patch.setattr(overlay, "symlink_of", lambda node, origin: symlink_of(node, None))


def write_no_parents(patch: pytest.MonkeyPatch) -> None:
    """Directories that only lead to something have no entry."""
    patch.setattr(plan._Planner, "_parents", lambda self, index: None)


def lose_attributes(patch: pytest.MonkeyPatch) -> None:
    """What is written anew has no extended attributes and whole seconds."""
    write = format_header

    def wrong(header: Header) -> bytes:
        plain = header.__class__(
            **{**header._asdict(), "pax": (), "mtime": header.mtime // 10**9 * 10**9}
        )
        return write(plain)

    patch.setattr(entries, "format_header", wrong)


def miscount(patch: pytest.MonkeyPatch) -> None:
    """The size that is known before is a block too small."""
    init = emit.PlanTar.__init__

    def wrong(self: emit.PlanTar, *args: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
        init(self, *args, **more)
        self.size -= 512

    patch.setattr(emit.PlanTar, "__init__", wrong)


BREAKS: dict[str, tuple[Break, str]] = {
    "whiteouts are ignored": (ignore_whiteouts, "whiteout of a file"),
    "whiteouts hit their own layer": (whiteouts_last, "whiteout and file, in either order"),
    "removals follow no symlinks": (lexical_removals, "usrmerge"),
    "whiteouts are not written": (drop_whiteouts, "whiteout of a directory"),
    "vain whiteouts are written": (keep_vain_whiteouts, "whiteout of nothing"),
    "opaque markers are ignored": (ignore_opaque, "opaque"),
    "opaque markers are not written": (write_no_opaque, "opaque"),
    "made anew is merged": (merge_made_anew, "deleted, then a directory again"),
    "no promotion": (promote_nothing, "first name deleted"),
    "links part": (part_links, "link with attributes of its own"),
    "names below are left behind": (forget_lower_names, "link to the layer below"),
    "links lose their file": (lose_identity, "first name changed"),
    "no symlink is followed": (follow_no_symlink, "symlinked directory of the layer"),
    "every symlink is followed": (follow_all_symlinks, "symlinked directory of a layer below"),
    "no entries for parents": (write_no_parents, "no entries for directories"),
    "attributes are lost": (lose_attributes, "times and attributes"),
    "the size is wrong": (miscount, "nothing at all"),
}


def test_nothing_is_broken() -> None:
    """Whole, the code passes every corner; so what fails below fails for its break."""
    assert noticed() == []


@pytest.mark.parametrize("name", BREAKS)
def test_broken_rule_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corner that is about a rule fails when that rule is broken."""
    break_it, corner = BREAKS[name]
    break_it(monkeypatch)
    assert corner in noticed()
