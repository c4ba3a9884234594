"""Room on a disk, looked for before the work and not missed in the middle of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from lamella.errors import OutputError

__all__ = ["check_room", "room_of"]

_MB = 1_000_000


def check_room(folder: str | Path, need: int, where: str, way_out: str = "") -> None:
    """See to it that a disk has room.

    Args:
        folder: any folder on that disk.
        need: bytes that will be written at the least.
        where: what can't be written if there is no room, for the message.
        way_out: how a user can have it otherwise.

    Raises:
        OutputError: there is less.
    """
    free = room_of(folder)
    if free is not None and free < need:
        raise OutputError(
            f"can't write {where}: needs at least {need / _MB:.1f} MB, {free / _MB:.1f} MB are "
            f"free in {folder}{way_out}"
        )


def room_of(folder: str | Path) -> int | None:
    """Return how many bytes are free on a disk.

    None: that can't be told; a write says what is wrong with the folder.
    """
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
