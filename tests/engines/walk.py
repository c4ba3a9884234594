"""List a folder with every attribute that an image can carry, as JSON on stdout.

A program by itself: it is started where the folder is mounted (see rootfs.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator

TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def walk(folder: bytes) -> Iterator[bytes]:
    """Give every path below `folder`, the folder itself first."""
    yield folder
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path)
            else:
                yield entry.path


def describe(path: bytes) -> dict[str, object]:
    """Say all about one path; `inode` only tells which names share a file."""
    status = os.lstat(path)
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    is_device = kind in ("char", "block")
    return {
        "type": kind,
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime": status.st_mtime_ns,
        "size": status.st_size if kind == "file" else 0,
        "sha256": sha256(path) if kind == "file" else None,
        "target": link_target(path) if kind == "symlink" else None,
        "device": [os.major(status.st_rdev), os.minor(status.st_rdev)] if is_device else None,
        "xattrs": {
            name: os.getxattr(path, name, follow_symlinks=False).hex()
            for name in os.listxattr(path, follow_symlinks=False)
        },
        "inode": None if kind == "dir" else f"{status.st_dev}:{status.st_ino}",
    }


def link_target(path: bytes) -> str:
    """Read where a symbolic link points, to the letter."""
    return os.fsdecode(os.readlink(path))  # noqa: PTH115 - a Path would tidy the target up


def sha256(path: bytes) -> str:
    """Hash a file's content."""
    with open(path, "rb") as file:  # noqa: PTH123 - a path of bytes
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Print `{path: attributes}`; the root is `/`."""
    root = os.fsencode(sys.argv[1])
    found = {os.fsdecode(path[len(root) :] or b"/"): describe(path) for path in walk(root)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
