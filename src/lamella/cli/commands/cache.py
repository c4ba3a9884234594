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
from lamella.waiting import leaving

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
        say(_line(found) if found.size else f"{found.folder}: empty")
    say(*map(_unpacked_line, _unpacked()), *_others())
    return 0


@command.command("clear")
def clear() -> int:
    """Remove it. The cache of another XDG_CACHE_HOME is kept."""
    with leaving("what is not removed yet is kept; run it again"):
        found = forget(Environment.from_env())
        if found is not None and found.size:
            say(f"removed {_line(found)}")
        unpacked = _unpacked()
        for folder in unpacked:
            text = _unpacked_line(folder)
            _remove(folder)  # last: it may be what runs here
            say(f"removed {text}")
    if not unpacked and (found is None or not found.size):
        say("the cache is empty")
    say(*_others())
    return 0


def _line(found: Remembered) -> str:
    counts = [count_of(found.layers, "layer")] if found.layers else []
    counts += [f"range sizes of {count_of(found.images, 'image')}"] if found.images else []
    return f"{found.folder}: {', '.join(counts)}, {human_size(found.size)}"


def _caches() -> list[Path]:
    """Return the folders of lamella in the user's caches, the one of these settings first."""
    usual = os.path.expanduser("~/.cache")  # noqa: PTH111 - never fails
    caches = dict.fromkeys((os.environ.get("XDG_CACHE_HOME") or usual, usual))
    return [Path(cache, "lamella") for cache in caches if cache.startswith("/")]


def _temporary() -> list[Path]:
    with suppress(FileNotFoundError):  # no folder for temporary files can be written
        return [Path(tempfile.gettempdir(), f"lamella-{os.getuid()}")]
    return []


def _in_use() -> list[Path]:
    """Return where the one file unpacks itself with these settings (.ci/one_file_main.py).

    That is among temporary files only if it can't be in the cache.
    """
    cache = _caches()[:1]
    here = Path(__file__)
    is_here = any(here.is_relative_to(folder) for folder in _temporary())
    return cache if cache and _can_be_written(cache[0]) and not is_here else cache + _temporary()


def _can_be_written(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(there, os.W_OK)


def _unpacked() -> list[Path]:
    found = (folder / "one-file" for folder in _in_use())
    return [folder for folder in found if folder.is_dir()]


def _others() -> list[str]:
    """Return a line for each folder that lamella has filled with other settings."""
    used = _in_use()
    others = [folder for folder in (*_caches(), *_temporary()) if folder not in used]
    return [
        f"{folder}: {human_size(size)}, not used with these settings"
        for folder in others
        if (size := sum(_sizes(folder)))
    ]


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
        where, why = error.filename or folder, error.strerror or error
        raise OutputError(f"can't remove {where}: {why}") from error
    with suppress(OSError):  # there is more in it
        folder.parent.rmdir()
