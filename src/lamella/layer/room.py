"""Room on a disk, looked for before the work and not missed in the middle of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from lamella.errors import OutputError

__all__ = ["check_room"]

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
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # the write itself says what is wrong with the folder
    if free < need:
        raise OutputError(
            f"can't write {where}: needs at least {need / _MB:.1f} MB, {free / _MB:.1f} MB are "
            f"free in {folder}{way_out}"
        )
