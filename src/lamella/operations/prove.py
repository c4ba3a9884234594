"""The proof of a squash: the new layers make the same file system, but for what was asked for."""

from __future__ import annotations

from lamella.errors import ImageError
from lamella.layer.blob import FileRange
from lamella.layer.protocols import LayerTar
from lamella.merge.edits import Edits
from lamella.merge.emit import PlanTar
from lamella.operations.merge_layers import Prepared, WrittenImage
from lamella.rootfs import compare_rootfs, read_rootfs

__all__ = ["prove"]


def prove(prepared: Prepared, edits: Edits, written: WrittenImage | None = None) -> None:
    """Read the new layers as any reader would and compare with the old ones.

    In files the layers above are read, too: copying a compressed one shows that it is what its
    digest says, and only unpacking it that it is what the config says.

    Args:
        prepared: the old layers, and plans of the new ones.
        edits: what is to be otherwise.
        written: the new layers, if they are written; some may be cut further than was planned.

    Raises:
        DigestMismatch: a layer that stays is not what the config says.
        ImageError: they differ, which would be a fault of lamella; nothing is published then.
    """
    top = max((positions.stop for positions in prepared.plans), default=0)
    if edits.leave_out is not None:  # a directory may stay for what a layer above has in it
        top = len(prepared.image.layers)
    old = prepared.opener.open_headers(prepared.image.layers[:top])
    above = prepared.image.layers[top:]
    prepared.opener.open([layer for layer in above if isinstance(layer.blob, FileRange)])
    new: list[LayerTar] = []
    starts = {positions.start: positions for positions in prepared.plans}
    position = 0
    while position < len(old):
        if position in starts:
            positions = starts[position]
            plans = prepared.new_plans(positions)
            if written is not None:
                plans = [layer.plan for layer in written.new[positions]]
            new += [PlanTar(plan, prepared.tars) for plan in plans]
            position = positions.stop
        else:
            new.append(old[position])
            position += 1
    wanted = read_rootfs(old)
    if not edits.is_none or prepared.edited.secrets:
        squashed = {position for positions in prepared.plans for position in positions}
        cuts = [(cut.secret.path, cut.top) for cut in prepared.edited.secrets]
        wanted = wanted.edited(edits, squashed, cuts)
    found = list(compare_rootfs(wanted, read_rootfs(new)))
    if found:
        raise ImageError(f"`check`: {len(found)} differences, nothing was published; {found[0]}")
