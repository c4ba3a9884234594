"""Files written completely, or not at all: nothing has its name before all of it is on the disk.

Whatever lamella writes to a file goes through `write_all` or `pwrite_all`, and whatever gets a
name that lasts gets it from `NewFile`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import select
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

__all__ = [
    "NewFile",
    "TemporaryFolder",
    "append_line",
    "pwrite_all",
    "sweep",
    "sync_folder",
    "write_all",
]

_LEFTOVER = re.compile(r"\.lamella-[0-9a-f]{16}\.tmp")
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT}
"""How file systems and old kernels say that they have no files without a name."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OLD = 600.0
"""Seconds after which a folder that is not locked was left behind."""
_FICLONE = 0x40049409
"""``_IOW(0x94, 9, int)`` of linux/fs.h."""
_NO_SYNC = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS}
"""How file systems say that folders need no sync, and what a folder that can't be read says."""


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of it, however little the file takes at once.

    Raises:
        OSError: the file does not take all of it.
    """
    view = memoryview(data).cast("B")
    while view:
        taken: int | None = file.write(view)
        if taken is None:  # a non-blocking pipe is full
            select.select([], [file], [])
            continue
        _check_taken(taken)
        view = view[taken:]


def pwrite_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of it to a place of a file.

    Raises:
        OSError: the file does not take all of it.
    """
    view = memoryview(data).cast("B")
    while view:
        taken = os.pwrite(fd, view, offset)
        _check_taken(taken)
        view, offset = view[taken:], offset + taken


def append_line(fd: int, line: bytes) -> None:
    """Append a line to a file that is open for that (``O_APPEND``), and sync it.

    Where the last line was cut off, which only a kill or a full disk can do, a new one is begun.

    Raises:
        OSError: the file does not take all of it.
    """
    end = os.lseek(fd, 0, os.SEEK_END)
    cut = end and os.pread(fd, 1, end - 1) != b"\n"
    view = memoryview((b"\n" if cut else b"") + line + b"\n")
    while view:
        taken = os.write(fd, view)
        _check_taken(taken)
        view = view[taken:]
    os.fsync(fd)


def _check_taken(taken: int) -> None:
    """Stop instead of trying without end where nothing is written."""
    if not taken:
        raise OSError(errno.EIO, "nothing more is taken")


class NewFile:
    """A file that is being written. It has no name, so it is gone when lamella ends, in any way.

    If the file system has no files without a name, it has a temporary one and is locked while it
    is written: `sweep` removes those that are not locked.
    """

    def __init__(self, folder: int, mode: int = 0o666) -> None:
        """Make it, in the folder of a descriptor that stays open; the umask applies to the mode.

        Raises:
            OSError: files can't be made there.
        """
        self._folder = folder
        self._name: str | None = None
        self.file = _open_unnamed(folder, mode) or self._open_named(mode)

    def _open_named(self, mode: int) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        while True:
            self._name = _temporary_name()
            file = os.fdopen(os.open(self._name, flags, mode, dir_fd=self._folder), "w+b", 0)
            with suppress(OSError):  # without locks nothing is swept
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # not swept before it was locked
                return file
            file.close()

    def clone(self, source: int) -> bool:
        """Have the bytes of another open file by sharing its extents; False: it can't be done.

        The two are files of their own: a change of one does not show in the other.
        """
        if sys.platform != "linux":
            return False
        try:
            fcntl.ioctl(self.file.fileno(), _FICLONE, source)
        except OSError:  # no such file system, another one, no room: writing says what is wrong
            return False
        return True

    def sync(self) -> None:
        """See to it that its content outlives a power cut."""
        os.fsync(self.file.fileno())

    def give_name(self, name: str, folder: int | None = None) -> bool:
        """Give it its name, in a folder of the same file system; a file of that name is replaced.

        Returns:
            Whether the name was free.

        Raises:
            OSError: that failed; the file of that name is unchanged.
        """
        target = self._folder if folder is None else folder
        if self._name is None:
            try:
                self._link(name, target)
            except FileExistsError:
                with suppress(OSError):
                    fcntl.flock(self.file, fcntl.LOCK_EX)  # it is not swept on its way
                self._name = _temporary_name()
                self._link(self._name, self._folder)
            else:
                return True
        free = not _exists(name, target)
        os.replace(self._name, name, src_dir_fd=self._folder, dst_dir_fd=target)
        self._name = None
        return free

    def _link(self, name: str, folder: int) -> None:
        os.link(f"/proc/self/fd/{self.file.fileno()}", name, dst_dir_fd=folder)

    def close(self) -> None:
        """Close it; without a name it is gone."""
        if self._name is not None:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
            self._name = None
        with suppress(OSError):
            self.file.close()


def _open_unnamed(folder: int, mode: int) -> BinaryIO | None:
    """Return None where that isn't possible, or such a file could not be given a name."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            return None
        raise
    if not os.path.lexists(f"/proc/self/fd/{fd}"):
        os.close(fd)
        return None
    return os.fdopen(fd, "w+b", 0)


def _temporary_name() -> str:
    return f".lamella-{secrets.token_hex(8)}.tmp"


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sync_folder(folder: int) -> None:
    """See to it that the names in a folder outlive a power cut.

    Raises:
        OSError: the disk does not say so.
    """
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sweep(folder: int) -> None:
    """Remove temporary files of lamella whose writers were killed."""
    try:
        names = os.listdir(folder)
    except OSError:  # one that may be written to, and not be read
        return
    for name in filter(_LEFTOVER.fullmatch, names):
        with suppress(OSError):
            _sweep_one(folder, name)


def _sweep_one(folder: int, name: str) -> None:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=folder)
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:  # still a temporary name: a writer gives it another locked
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(fd)


class TemporaryFolder:
    """A folder with a name, for files that other programs must find; it is removed at the end.

    It is locked while it is used. If lamella is killed it stays, and the next process that makes
    one with the same prefix there removes it.
    """

    def __init__(self, prefix: str, parent: str | None = None) -> None:
        """Make it.

        Args:
            prefix: of its name; also tells which others are of its kind.
            parent: where; None: the system's place for temporary files.

        Raises:
            OSError: it can't be made there.
        """
        where = Path(parent or tempfile.gettempdir())
        for path in where.glob(f"{prefix}*"):
            with suppress(OSError):
                _sweep_folder(path)
        self._made = tempfile.TemporaryDirectory(
            prefix=prefix, dir=where, ignore_cleanup_errors=True
        )
        self.path = Path(self._made.name)
        self._fd = os.open(self.path, _FOLDER)
        with suppress(OSError):  # without locks it may be swept when it is old
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove it."""
        self.remove()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self._made.cleanup()
        with suppress(OSError):
            os.close(self._fd)
        self._fd = -1


def _sweep_folder(path: Path) -> None:
    """Remove an unused temporary folder of lamella."""
    fd = os.open(path, _FOLDER | os.O_NOFOLLOW)
    try:
        found = os.fstat(fd)
        is_old = time.time() - found.st_mtime > _OLD  # one that was just made is not locked yet
        if found.st_uid == os.geteuid() and is_old:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    finally:
        os.close(fd)
