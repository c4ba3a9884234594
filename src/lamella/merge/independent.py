"""Layers whose difference can be told without looking at what lies below them.

The layers below may be far away and large. What a merged layer says depends on them only where the
squashed layers delete or hide something, lead through a directory that they don't describe, put a
directory where they had something else, or link to a file that is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamella.errors import MalformedTar
from lamella.merge.changeset import Changeset
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import Member, clean

__all__ = ["difference_alone"]


class _AsksBelow(Exception):
    """What is said here depends on the layers below."""


def difference_alone(changesets: Sequence[Changeset]) -> Tree | None:
    """Return the difference that some layers make, if it is the same over any layers below.

    None: it may not be, so that the layers below must be looked at.
    """
    if any(changeset.whiteouts or changeset.opaques for changeset in changesets):
        return None
    tree = _Alone()
    try:
        for changeset in changesets:
            tree.apply(changeset)
    except (_AsksBelow, MalformedTar):  # the latter may be mended, or worded better, from below
        return None
    for path, node in tree.walk():
        if path and isinstance(node, Folder) and (node.member is None or node.anew):
            return None
    return tree


class _Alone(Tree):
    """Laid over nothing; links must lead to their files through its own directories alone."""

    def _link(self, member: Member) -> Link:
        node: object = self.root
        target = clean(member.link)
        if self._found_aside(target):
            return super()._link(member)
        for name in target.split(b"/"):
            if not isinstance(node, Folder) or name not in node.kids:
                raise _AsksBelow
            node = node.kids[name]
        return super()._link(member)
