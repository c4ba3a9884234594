"""Where an output goes: nothing that another user made decides that.

In a folder that others may write to, anyone can plant a link, a pipe or a file under the name of
an output. The rule is that of the kernel's ``protected_symlinks`` and its kin, which not every
machine turns on (https://docs.kernel.org/admin-guide/sysctl/fs.html): a symlink on the way to an
output is followed if its owner is this user, root or the owner of its folder; one that has the
output's own name, and a pipe or a device, must be ours or root's.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

from lamella.errors import OutputError

__all__ = ["OutputPath", "open_below", "open_folder", "open_regular"]

_LINKS_FOLLOWED = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
_ROOT = 0


class OutputPath:
    """An open folder, and a name in it that is no symlink, or one that leads to no file."""

    def __init__(self, path: Path) -> None:
        """Open the folder that an output is in.

        Raises:
            OSError: there is no such folder, or it can't be opened.
            OutputError: another user's symlink is in the way.
        """
        self._path, self._links = path, 0
        self.folder = open_folder(".")
        self.name = "."
        try:
            self._walk([*reversed(path.parts)])
        except (FileNotFoundError, NotADirectoryError) as error:
            self.close()
            raise OSError(errno.ENOENT, f"there is no folder {path.parent}") from error
        except BaseException:
            self.close()
            raise

    def _walk(self, left: list[str]) -> None:
        while left:
            part = left.pop()
            if part == "/":
                self._enter(part)
                self.name = "."
                continue
            self.name = part
            found = self.found
            if found is not None and stat.S_ISLNK(found.st_mode) and (left or not self._is_special):
                left.extend(reversed(self._follow(found, last=not left)))
            elif left:
                self._enter(part)
                self.name = "."

    def _enter(self, name: str) -> None:
        above, self.folder = self.folder, open_folder(name, self.folder)
        os.close(above)

    def _follow(self, link: os.stat_result, *, last: bool) -> tuple[str, ...]:
        self._links += 1
        if self._links > _LINKS_FOLLOWED:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        trusted = {_ROOT, os.geteuid()} | (set() if last else {os.fstat(self.folder).st_uid})
        if link.st_uid not in trusted:
            self._refuse("a symlink", link)
        return Path(os.readlink(self.name, dir_fd=self.folder)).parts

    def _refuse(self, what: str, found: os.stat_result) -> None:
        message = (
            f"can't write {self._path}: {self.name} is {what} of another user (uid "
            f"{found.st_uid}), which lamella does not follow; remove it or choose another name"
        )
        raise OutputError(message)

    @property
    def found(self) -> os.stat_result | None:
        """What has the name; None: nothing."""
        return _stat(self.name, self.folder, follow=False)

    @property
    def _is_special(self) -> bool:
        """Whether it leads to a pipe or a device, which have no place that could be told."""
        found = _stat(self.name, self.folder, follow=True)
        return found is not None and not (
            stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
        )

    def open_special(self) -> BinaryIO | None:
        """Open a pipe or a device to write to; None: it is none.

        Raises:
            OSError: it can't be opened.
            OutputError: it is another user's.
        """
        if not self._is_special:
            return None
        for follow in (False, True):
            found = _stat(self.name, self.folder, follow=follow)
            if found is not None and found.st_uid not in {_ROOT, os.geteuid()}:
                kind = "a symlink" if stat.S_ISLNK(found.st_mode) else "a pipe or a device"
                self._refuse(kind, found)
        fd = os.open(self.name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self.folder)
        file = os.fdopen(fd, "wb", 0)
        if found is None or not os.path.samestat(os.fstat(fd), found):
            file.close()
            raise OSError(errno.ESTALE, "another program replaced it meanwhile")
        return file

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of the folder."""
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        with suppress(OSError):
            os.close(self.folder)
        self.folder = -1


def _stat(name: str, folder: int, *, follow: bool) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_folder(name: str, above: int | None = None) -> int:
    """Return a descriptor of a folder, to be closed by the caller; the name must be no symlink.

    One that may be written to but not be read is opened for just that.

    Raises:
        OSError: it can't be opened, or is none.
    """
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=above)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        return os.open(name, flags | os.O_PATH, dir_fd=above)


def open_regular(name: str, folder: int) -> BufferedReader:
    """Open a regular file to read it; a symlink is not followed, a pipe is not waited for.

    Raises:
        OSError: there is none, or it can't be read.
    """
    return _regular(os.open(name, _READ | os.O_NOFOLLOW, dir_fd=folder))


def _regular(fd: int) -> BufferedReader:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(fd, "rb")


def open_below(root: Path, name: str) -> tuple[BufferedReader, bool]:
    """Open a regular file below a folder to read it; return it, and whether by a symlink.

    Raises:
        OSError: there is none, it can't be read, or another user's symlink is in the way.
    """
    links = _links_below(root, name)
    file = _regular(os.open(root / name, _READ))
    if _links_below(root, name) != links:  # or what was looked at is not what was opened
        file.close()
        raise OSError(errno.ESTALE, "another program replaced it meanwhile")
    return file, bool(links)


def _links_below(root: Path, name: str) -> list[tuple[int, int, int]]:
    """Return which symlinks are on the way: device, inode, and when it was changed.

    Raises:
        OSError: there is no such file, or one of them is another user's.
    """
    owners, path = {_ROOT, os.geteuid(), root.stat().st_uid}, root
    links: list[tuple[int, int, int]] = []
    for part in name.split("/"):
        path /= part
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            if found.st_uid not in owners:
                raise OSError(errno.EPERM, f"another user's symlink (uid {found.st_uid})")
            links.append((found.st_dev, found.st_ino, found.st_ctime_ns))
    return links
