"""Layers: tars of which every byte is the same each time."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Entries", "certificates", "documentation", "make_tar"]

_LEFT_OUT = {"direct_url.json", "INSTALLER", "REQUESTED", "RECORD"}
"""What pip notes of an installation; RECORD has the digests of files that are left out."""


class Entries:
    """What a layer has, by path; owners, times and order don't depend on who builds it."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.found: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def files(self, files: Mapping[str, bytes], mode: int = 0o644) -> Entries:
        """Add files."""
        for path, data in files.items():
            self._add(path, self._info(path, mode), data)
        return self

    def folder(self, path: str, *, mode: int, owner: int = 0) -> None:
        """Add a folder."""
        info = self._info(path, mode, tarfile.DIRTYPE)
        info.uid = info.gid = owner
        self._add(path, info)

    def symlink(self, path: str, target: str) -> None:
        """Add a symlink."""
        info = self._info(path, 0o777, tarfile.SYMTYPE)
        info.linkname = target
        self._add(path, info)

    def delete(self, path: str) -> None:
        """Add a mark that says: what lower layers have there is gone."""
        folder, _, name = path.rpartition("/")
        self.found[path] = (self._info(f"{folder}/.wh.{name}", 0o644), b"")

    def tree(self, root: Path, where: str) -> Entries:
        """Add what is in a folder, but for what an installation notes of itself."""
        for folder, folders, names in os.walk(root):
            if folder == os.fspath(root):
                folders[:] = [name for name in folders if name != "bin"]
            inside = Path(where, Path(folder).relative_to(root)).as_posix()
            self.folder(inside, mode=0o755)
            for name in names:
                if name not in _LEFT_OUT:
                    self.files({f"{inside}/{name}": Path(folder, name).read_bytes()})
        return self

    def _add(self, path: str, info: tarfile.TarInfo, data: bytes = b"") -> None:
        """Add an entry, and the folders that it is in."""
        for parent in list(Path(path).parents)[-2::-1]:
            name = parent.as_posix()
            if name not in self.found:
                self.found[name] = (self._info(name, 0o755, tarfile.DIRTYPE), b"")
        info.size = len(data)
        self.found[path] = (info, data)

    def _info(self, path: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path)
        info.mode, info.type, info.mtime = mode, kind, self.time
        return info


def make_tar(entries: Entries) -> bytes:
    """Return a layer, in the order of the paths."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for _, (info, data) in sorted(entries.found.items()):
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def certificates(package: bytes) -> bytes:
    """Return all certificates of Debian's package as one file, as its own script makes it."""
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        found = (m for m in tar if re.match("./usr/share/ca-certificates/.*[.]crt$", m.name))
        members = sorted(found, key=lambda member: member.name)
        files = (tar.extractfile(member) for member in members)
        return b"".join(file.read().rstrip() + b"\n" for file in files if file is not None)


def documentation(package: bytes) -> list[str]:
    """Name the files of documentation in a package's tar, but for its licence."""
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        names = (member.name.removeprefix("./") for member in tar if not member.isdir())
        return [
            name
            for name in names
            if re.match("usr/share/doc/[^/]+/", name) and not name.endswith("/copyright")
        ]
