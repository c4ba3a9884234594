"""Files opened for reading and nothing else; no link is followed on the way to one."""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["FilesBelow"]

_FOLDERS = 64
_ANY = os.O_CLOEXEC | os.O_NOFOLLOW
# The two of Linux alone; only there an engine's store is on the same machine.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | _ANY
_QUIETLY = getattr(os, "O_NOATIME", 0)
_FILE = os.O_RDONLY | os.O_NONBLOCK | _ANY


class _Opened:
    """A folder; closed with its last reference, in whatever thread."""

    fd = -1

    def __init__(self, path: bytes, above: _Opened | None) -> None:
        self.fd = os.open(path, _FOLDER, dir_fd=above.fd if above else None)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.fd >= 0:
            close(self.fd)


class FilesBelow:
    """Opens files below folders. Tars go folder by folder, so the last few are kept open."""

    def __init__(self) -> None:
        self._opened: dict[tuple[bytes, bytes], _Opened] = {}
        self._quietly = _QUIETLY

    def open(self, root: bytes, name: bytes) -> int:
        """Return a descriptor of a file, to be closed by the caller.

        Args:
            root: the folder.
            name: a cleaned path below it.

        Raises:
            OSError: there is no such file, or a link is in the way.
        """
        parent, _, base = name.rpartition(b"/")
        folder = self._folder(root, parent)
        try:
            return os.open(base, _FILE | self._quietly, dir_fd=folder.fd)
        except PermissionError:
            # Only its owner, and root, may read a file without leaving a trace.
            self._quietly = 0
            return os.open(base, _FILE, dir_fd=folder.fd)

    def _folder(self, root: bytes, path: bytes) -> _Opened:
        found = self._opened.get((root, path))
        if found is not None:
            return found
        folder, at = self._keep((root, b""), root, None), 0
        while at < len(path):
            end = path.find(b"/", at)
            end = len(path) if end < 0 else end
            folder = self._keep((root, path[:end]), path[at:end], folder)
            at = end + 1
        return folder

    def _keep(self, key: tuple[bytes, bytes], name: bytes, above: _Opened | None) -> _Opened:
        found = self._opened.get(key)
        if found is None:
            if len(self._opened) >= _FOLDERS:
                self._opened.clear()
            found = self._opened[key] = _Opened(name, above)
        return found
