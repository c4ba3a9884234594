"""``lamella cache``: all that lamella leaves on a disk by itself."""

from __future__ import annotations

import os
import shutil
import tempfile
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


@click.group("cache", cls=CommandGroup, short_help="show or clear the cache of layer headers")
def command() -> None:
    """Show or clear the cache.

    It holds the tar headers of remote layers, so that a large base is read only once, and the sizes
    that `lamella plan` computed: about 67 MB of each at most. You can delete it at any time. What
    lamella-….pyz unpacks is listed, too. lamella leaves nothing else on the disk.
    """


@command.command("show")
def show() -> int:
    """Print its location and size."""
    found = remembered(Environment.from_env())
    if found is None:
        say("there is no cache: neither XDG_CACHE_HOME nor HOME names a folder")
    else:
        say(_line(found))
    for unpacked in _unpacked():
        say(_unpacked_line(unpacked))
    return 0


@command.command("clear")
def clear() -> int:
    """Remove it."""
    found = forget(Environment.from_env())
    if found is not None and found.layers:
        say(f"removed {_line(found)}")
    unpacked = _unpacked()
    for folder in unpacked:
        say(f"removed {_unpacked_line(folder)}")
    for folder in unpacked:
        _remove(folder)  # last: it may be what runs here
    if not unpacked and (found is None or not found.layers):
        say("the cache is empty")
    return 0


def _line(found: Remembered) -> str:
    return f"{found.folder}: {count_of(found.layers, 'layer')}, {human_size(found.size)}"


def _unpacked() -> list[Path]:
    """Return where the one file unpacked itself (.ci/one_file_main.py)."""
    home = os.path.expanduser("~/.cache")  # noqa: PTH111 - never fails
    caches = dict.fromkeys((os.environ.get("XDG_CACHE_HOME") or home, home))
    found = [Path(cache, "lamella") for cache in caches if cache.startswith("/")]
    with suppress(FileNotFoundError):  # no folder for temporary files can be written
        found.append(Path(tempfile.gettempdir(), f"lamella-{os.getuid()}"))
    return [folder / "one-file" for folder in found if (folder / "one-file").is_dir()]


def _unpacked_line(folder: Path) -> str:
    return f"{folder}: the one file, unpacked, {human_size(sum(_sizes(folder)))}"


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
