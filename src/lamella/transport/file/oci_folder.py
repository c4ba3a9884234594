"""Writing into a layout in a folder, beside others who do the same.

Blobs have no names until the end. Then, under a lock of the layout's folder, they get them, and
``index.json`` is replaced, last. So a process that is killed, at any moment, leaves a sound layout;
and a run that fails removes only what no other can have seen: others look for blobs, and
publish theirs, under the same lock. The lock is on the folder itself (`flock`), needs no file, and
ends with its process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from lamella import limits
from lamella.errors import OutputError
from lamella.files import NewFile, sweep, sync_folder, write_all
from lamella.layer.blob import Blob, FileRange
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import check_size, format_json
from lamella.spec.manifest import Index
from lamella.spec.media_type import OCI_INDEX
from lamella.transport.file.atomic import confirm, take_mode, writing
from lamella.transport.file.entry_names import name_of
from lamella.transport.file.folders import OutputPath, open_folder, open_regular
from lamella.transport.file.oci_layout import INDEX
from lamella.transport.file.oci_writer import OCI_LAYOUT, BlobWriter

__all__ = ["FolderBlobs"]

_LAYOUT = "oci-layout"
_BLOBS = "blobs"
_LONGEST_WAIT = 120
"""Seconds. What is done under the lock takes a moment; on a slow disk, a few."""
_AGAIN = 0.01
"""Seconds between two tries: a wait in the kernel might miss a signal that came just before."""


class FolderBlobs:
    """A layout in a folder, made if need be. What was not committed was never there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = ExitStack()
        self._new: dict[Digest, NewFile] = {}
        self._found: set[Digest] = set()
        self._undo: list[Callable[[], None]] = []
        self._index = b""
        """What ``index.json`` becomes."""

    def __enter__(self) -> Self:
        """Make a file, which tells whether the place can be written to."""
        try:
            with writing(str(self._folder)):
                self._open()
        except BaseException:
            self._opened.close()
            raise
        return self

    def _open(self) -> None:
        self._place = self._opened.enter_context(OutputPath(self._folder))
        self._spot = self._place.folder  # where new files are made: on the disk of the blobs
        root = self._place.found and self._enter(self._place.name, self._place.folder)
        if root is not None:
            self._check_layout(root)
            self._spot = root
            for name in (_BLOBS, "sha256"):
                if _kind(name, self._spot) is not None:
                    self._spot = self._enter(name, self._spot)
            sweep(root)
        sweep(self._spot)
        NewFile(self._spot).close()

    def _enter(self, name: str, above: int) -> int:
        """Open a folder until the end of the context."""
        kind = _kind(name, above)
        if kind is not None and not stat.S_ISDIR(kind):
            what = "a symlink, which lamella does not follow" if stat.S_ISLNK(kind) else "no folder"
            message = f"can't write {self._folder}: {name} is {what}; choose another folder"
            raise OutputError(message)
        opened = open_folder(name, above)
        self._opened.callback(os.close, opened)
        return opened

    def _check_layout(self, root: int) -> None:
        there = [name for name in (_LAYOUT, INDEX) if self._is_file(name, root)]
        if not there and os.listdir(root):
            message = f"{self._folder} is neither empty nor an OCI image layout; won't write there"
            raise OutputError(message)
        self._read_index(root)

    def _is_file(self, name: str, root: int) -> bool:
        kind = _kind(name, root)
        if kind is not None and not stat.S_ISREG(kind):
            message = f"can't write {self._folder}: {name} is not a regular file; remove it"
            raise OutputError(message)
        return kind is not None

    def _read_index(self, root: int) -> Index | None:
        if not self._is_file(INDEX, root):
            return None
        raw, where = _content(INDEX, root), str(self._folder / INDEX)
        check_size(len(raw), where)
        return Index.parse(raw, where)

    # -- one at a time

    @contextmanager
    def _locked(self, root: int, how: int) -> Iterator[None]:
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            try:
                fcntl.flock(root, how | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = (
                        f"{self._folder}: another program has locked it for {_LONGEST_WAIT} s; "
                        "try again when it has ended"
                    )
                    raise OutputError(message) from None
                time.sleep(_AGAIN)
            except OSError:  # a file system without locks of folders, like NFS
                break
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(root, fcntl.LOCK_UN)

    @contextmanager
    def _locked_root(self) -> Iterator[int]:
        """The layout's folder, created if missing; no other process changes it meanwhile."""
        place = self._place
        while True:
            if _make_folder(place.name, place.folder):
                self._undo.append(partial(os.rmdir, place.name, dir_fd=place.folder))
            root = self._enter(place.name, place.folder)
            with self._locked(root, fcntl.LOCK_EX):
                # Whoever made it may have taken it back while we waited.
                if _is_at(root, place.name, place.folder):
                    yield root
                    return

    # -- blobs

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there already, and is what its name says: a damaged one is replaced."""
        if digest not in self._new and digest not in self._found and self._is_sound(digest):
            self._found.add(digest)
        return digest in self._new or digest in self._found

    def _is_sound(self, digest: Digest) -> bool:
        with ExitStack() as opened:
            try:
                root = open_folder(self._place.name, self._place.folder)
                opened.callback(os.close, root)
                with self._locked(root, fcntl.LOCK_SH):
                    folder = root
                    for name in (_BLOBS, digest.algorithm):
                        folder = open_folder(name, folder)
                        opened.callback(os.close, folder)
                    file = opened.enter_context(open_regular(digest.hex, folder))
                return hashlib.file_digest(file, digest.algorithm).hexdigest() == digest.hex
            except OSError:  # not there, or nothing that could be relied on
                return False

    def start(self) -> BlobWriter:
        """Begin a new blob."""
        with writing(str(self._folder)):
            _allow_files(len(self._new))
            new = NewFile(self._spot)
        self._opened.callback(new.close)
        return _FolderBlob(new, self._folder, self._new)

    # -- the end

    def finish(self, entries: Sequence[Descriptor]) -> None:
        """Publish the blobs, and add the entries to ``index.json``.

        One of the same tag, or of no tag but the same digest, is replaced.
        """
        with writing(str(self._folder)):
            for new in self._new.values():
                new.sync()
            try:
                with self._locked_root() as root:
                    try:
                        self._publish(root, entries)
                    except BaseException:
                        self._take_back(root)
                        raise
            except BaseException:  # before it was locked there may be an empty folder
                self._take_back(None)
                raise

    def _publish(self, root: int, entries: Sequence[Descriptor]) -> None:
        index = self._read_index(root)
        if not self._is_file(_LAYOUT, root):
            self._put(_LAYOUT, OCI_LAYOUT, root)
        blobs = self._subfolder(_BLOBS, root)
        folder = self._subfolder("sha256", blobs)
        for digest, new in self._new.items():
            if new.give_name(digest.hex, folder):
                self._undo.append(partial(os.unlink, digest.hex, dir_fd=folder))
        self._check_found(blobs)
        for changed in (folder, blobs):
            sync_folder(changed)
        self._index = _with_entries(index, entries)
        self._put(INDEX, self._index, root)
        self._undo.clear()
        confirm(str(self._folder), root, self._place.folder)

    def _subfolder(self, name: str, above: int) -> int:
        if _make_folder(name, above):
            self._undo.append(partial(os.rmdir, name, dir_fd=above))
        return self._enter(name, above)

    def _check_found(self, blobs: int) -> None:
        """Other tools remove blobs without asking; what we relied on must still be there."""
        for digest in self._found:
            if _kind(f"{digest.algorithm}/{digest.hex}", blobs) is None:
                message = f"{self._folder}: another program removed {digest.short}; try again"
                raise OutputError(message)

    def _put(self, name: str, content: bytes, root: int) -> None:
        new = NewFile(root)
        try:
            with suppress(FileNotFoundError):
                take_mode(new, os.stat(name, dir_fd=root, follow_symlinks=False))
            write_all(new.file, content)
            new.sync()
            if _kind(name, root) is None:
                self._undo.append(partial(os.unlink, name, dir_fd=root))
            new.give_name(name)
        finally:
            new.close()

    def _take_back(self, root: int | None) -> None:
        """Nobody has seen any of it, for we have the lock; unless the index names it already."""
        with suppress(OSError, OutputError):
            if root is not None and self._index and _content(INDEX, root) == self._index:
                self._undo.clear()  # interrupted just after it was published
        for undo in reversed(self._undo):
            with suppress(OSError):
                undo()
        self._undo.clear()

    def __exit__(self, *error: object) -> None:
        """Let go of everything; what has no name is gone."""
        self._opened.close()


class _FolderBlob:
    def __init__(self, new: NewFile, folder: Path, settled: dict[Digest, NewFile]) -> None:
        self._new, self._folder, self._settled = new, folder, settled

    def clone(self, source: Blob) -> Blob | None:
        """Share the extents of a file, if it is one and the file system can."""
        if not (isinstance(source, FileRange) and source.is_whole):
            return None
        return FileRange.whole(self._new.file) if self._new.clone(source.file.fileno()) else None

    def write(self, chunk: bytes | memoryview) -> None:
        with writing(str(self._folder)):
            write_all(self._new.file, chunk)

    def settle(self, digest: Digest) -> None:
        if self._settled.setdefault(digest, self._new) is not self._new:
            self._new.close()


def _with_entries(index: Index | None, entries: Sequence[Descriptor]) -> bytes:
    old: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    manifests: list[object] = []
    if index is not None:
        old = dict(index.value)
        names = {name_of(e) for e in entries}
        digests = {e.digest for e in entries}
        manifests = [
            d.to_json()
            for d in index.manifests
            if (name_of(d) or d.digest) not in (names | digests)
        ]
    manifests += [entry.to_json() for entry in entries]
    return format_json({**old, "manifests": manifests})


def _kind(name: str, folder: int) -> int | None:
    """Return the mode of what has a name; None: nothing has it."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _content(name: str, folder: int) -> bytes:
    with open_regular(name, folder) as file:
        return file.read(limits.DOCUMENT + 1)


def _make_folder(name: str, above: int) -> bool:
    """Return whether it was not there."""
    try:
        os.mkdir(name, dir_fd=above)
    except FileExistsError:
        return False
    return True


def _is_at(folder: int, name: str, above: int) -> bool:
    try:
        found = os.stat(name, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(folder), found)


def _allow_files(held: int) -> None:
    """See to it that as many files may be open as an image has layers, as far as that can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 3 * held > soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
