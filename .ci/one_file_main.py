"""What the one file runs first: it finds a folder to unpack itself to, and lets shiv do so.

shiv knows of one folder, and ends with a traceback where that can't be written. Old Pythons read
this file, too: whoever has one is told so when everything is unpacked (lamella_start.py).
"""

import os
import stat
import sys
import tempfile
from pathlib import Path

import _bootstrap  # type: ignore[import-not-found] # shiv's, in the same file

_shiv_path = _bootstrap.cache_path
_shiv_unpack = _bootstrap.extract_site_packages


def kept() -> "Path | None":
    """Return the folder that it is unpacked to as a rule."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never fails
    return cache / "lamella" / "one-file" if cache.is_absolute() else None


def temporary() -> "Path | None":
    """Return a folder among temporary files, if there can be one that only its owner writes to."""
    try:
        mine = Path(tempfile.gettempdir()) / f"lamella-{os.getuid()}"
        mine.mkdir(mode=0o700, exist_ok=True)
        made = os.lstat(str(mine))
    except OSError:
        return None
    owned = made.st_uid == os.getuid() and not made.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return mine / "one-file" if owned and stat.S_ISDIR(made.st_mode) else None


def can_write(folder: Path) -> bool:
    """Whether modules can be written there, and loaded; the folder is made."""
    try:
        for path in (folder.parent, folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.statvfs(str(folder)).f_flag
    except OSError:
        return False
    no_modules = flags & getattr(os, "ST_NOEXEC", 0)
    return os.access(str(folder), os.W_OK | os.X_OK) and not no_modules


def path(archive: object, root: str, build_id: str) -> Path:
    """Return the folder of this build: where it is already, or where it can be."""
    named = os.environ.get("SHIV_ROOT")
    tried = []
    for place in (lambda: Path(root),) if named else (kept, temporary):
        folder = place()
        if folder is None:
            continue
        tried.append(str(folder))
        unpacked = _shiv_path(archive, str(folder), build_id)
        if unpacked.is_dir() or can_write(folder):
            return unpacked
    where = " or ".join(tried) or "the home folder"
    sys.exit(f"lamella: can't unpack to {where}; name a folder that can be written in SHIV_ROOT")


def unpack(archive: object, folder: Path, *args: object) -> None:
    """Unpack; if that fails, say why."""
    try:
        _shiv_unpack(archive, folder, *args)
    except OSError as error:
        sys.exit(
            f"lamella: can't unpack to {folder.parent}: {error.strerror or error}; "
            "name another folder in SHIV_ROOT"
        )
    except KeyboardInterrupt:
        sys.exit(130)


_bootstrap.cache_path = path
_bootstrap.extract_site_packages = unpack
_bootstrap.bootstrap()
