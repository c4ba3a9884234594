"""``lamella cache``: all that lamella leaves on a disk by itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from lamella.cli.base_group import CommandGroup
from lamella.cli.terminal import say
from lamella.errors import OutputError
from lamella.operations.remembered import Remembered, forget, remembered
from lamella.report.text import count_of, human_size
from lamella.transport.environment import Environment

__all__ = ["command"]

_UNPACKED = "~/.cache/lamella/one-file"
"""Where the one file unpacks itself (.ci/one-file says so to it)."""


@click.group("cache", cls=CommandGroup, short_help="show or clear the cache of layer headers")
def command() -> None:
    """Show or clear the cache.

    It holds the tar headers of remote layers, 67 MB at most, so that a large base is read only
    once. You can delete it at any time. What lamella-….pyz unpacks is listed, too. lamella leaves
    nothing else on the disk.
    """


@command.command("show")
def show() -> int:
    """Print its location and size."""
    found = remembered(Environment.from_env())
    if found is None:
        say("there is no cache: neither XDG_CACHE_HOME nor HOME names a folder")
    else:
        say(_line(found))
    unpacked = _unpacked()
    if unpacked.exists():
        say(f"{unpacked}: the one file, unpacked, {human_size(sum(_sizes(unpacked)))}")
    return 0


@command.command("clear")
def clear() -> int:
    """Remove it."""
    found = forget(Environment.from_env())
    if found is not None and found.layers:
        say(f"removed {_line(found)}")
    unpacked = _unpacked()
    if unpacked.exists():
        say(f"removed {unpacked}: the one file, unpacked, {human_size(sum(_sizes(unpacked)))}")
        _remove(unpacked)  # last: it may be what runs here
    elif found is None or not found.layers:
        say("the cache is empty")
    return 0


def _line(found: Remembered) -> str:
    return f"{found.folder}: {count_of(found.layers, 'layer')}, {human_size(found.size)}"


def _unpacked() -> Path:
    return Path(_UNPACKED).expanduser()


def _sizes(folder: Path) -> Iterator[int]:
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # another run was quicker
                yield Path(where, name).lstat().st_size


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"can't remove {error.filename}: {error.strerror}") from error
    with suppress(OSError):  # there is more in it
        folder.parent.rmdir()
