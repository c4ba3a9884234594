"""What is known of one member of a tar: in brief (`Member`) and in full (`Header`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = [
    "BLOCK_DEVICE",
    "CHAR_DEVICE",
    "DIRECTORY",
    "FIFO",
    "HARD_LINK",
    "REGULAR",
    "REWRITE",
    "SPARSE",
    "SYMLINK",
    "TYPE_NAMES",
    "HasMembers",
    "HasWindows",
    "Header",
    "Member",
    "ReadAt",
    "clean",
    "join",
    "path_text",
    "time_text",
    "window_of",
]

REGULAR = b"0"
HARD_LINK = b"1"
SYMLINK = b"2"
CHAR_DEVICE = b"3"
BLOCK_DEVICE = b"4"
DIRECTORY = b"5"
FIFO = b"6"
TYPE_NAMES: Mapping[bytes, str] = {
    REGULAR: "file",
    HARD_LINK: "hard link",
    SYMLINK: "symlink",
    CHAR_DEVICE: "char device",
    BLOCK_DEVICE: "block device",
    DIRECTORY: "directory",
    FIFO: "fifo",
}

# Flags of a member.
REWRITE = 1
"""Its header can't be taken over as it is: engines disagree on its form (see `scan`)."""
SPARSE = 2
"""Its data are the parts of a sparse file, not the file."""


class ReadAt(Protocol):
    """Immutable bytes that can be read from any place, from any thread."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end."""


@runtime_checkable
class HasWindows(Protocol):
    """Bytes whose headers are near, and whose content is far away."""

    def read_window(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from a header on; all of its block, and what else is near."""


def window_of(source: ReadAt) -> Callable[[int, int], bytes]:
    """Return what reads a header, and more than that only if it costs nothing."""
    return source.read_window if isinstance(source, HasWindows) else source.read_at


class Member(NamedTuple):
    """One member in brief: where its bytes lie and what the layer rules need to know.

    A tuple, because a layer may have a million of them; two members are the same file only if
    they are the same object.
    """

    folder: bytes
    """Path of the directory it is in, empty at the top. Neighbours share one object."""
    name: bytes
    """Its name there; empty for the root itself."""
    type: bytes
    """One of the seven types above; regular for V7's NUL, contiguous and sparse files."""
    link: bytes
    """Target of a symlink or hard link, as written."""
    start: int
    """Offset of its first header block, extended headers included."""
    head: int
    """Bytes of its headers; nearly always 512, one object for all members."""
    size: int
    """Bytes of content in the stream, without padding; 0 for all but regular files."""
    flags: int
    """`REWRITE`, `SPARSE`."""
    origin: int
    """Which of several streams it is from; the caller of the scan numbers them."""

    @property
    def path(self) -> bytes:
        """Cleaned: no slash too many, no ``.`` or ``..``; empty for the root."""
        return join(self.folder, self.name)

    @property
    def data(self) -> int:
        """Offset of its content, which is where the headers end."""
        return self.start + self.head

    @property
    def span(self) -> int:
        """Bytes of all of it: headers, content and padding."""
        return self.head + (self.size + 511 & ~511)

    @property
    def end(self) -> int:
        """Offset of the next member."""
        return self.start + self.span


@runtime_checkable
class HasMembers(Protocol):
    """Bytes of a tar; what a scan would find in them is known."""

    def members(self, origin: int) -> list[Member]:
        """Return what `scan` returns; the list is the caller's."""


class Header(NamedTuple):
    """One member in full. Times are nanoseconds since 1970, names bytes as written."""

    name: bytes
    type: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Bytes of the file, holes included."""
    mtime: int = 0
    link: bytes = b""
    uname: bytes = b""
    gname: bytes = b""
    devmajor: int = 0
    devminor: int = 0
    pax: tuple[tuple[bytes, bytes], ...] = ()
    """All PAX records as read, also those that the fields above already tell."""
    parts: tuple[tuple[int, int], ...] | None = None
    """Of a sparse file: (offset in the file, length) of each part that is in the stream."""

    @property
    def stored(self) -> int:
        """Bytes of the file that are in the stream: all but holes."""
        return self.size if self.parts is None else sum(length for _, length in self.parts)

    @property
    def xattrs(self) -> dict[bytes, bytes]:
        """Extended attributes by name (PAX records ``SCHILY.xattr.NAME``)."""
        return {k[13:]: v for k, v in self.pax if k.startswith(b"SCHILY.xattr.")}


def join(folder: bytes, name: bytes) -> bytes:
    """Return the path of a name in a directory."""
    return folder + b"/" + name if folder else name


def clean(name: bytes) -> bytes:
    """Return a name as a path below the root, taken lexically; ``..`` stops at the root.

    All engines read ``x``, ``./x``, ``/x``, ``x/`` and ``a//b`` as the same path.
    """
    out: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del out[-1:]
        elif part not in {b"", b"."}:
            out.append(part)
    return b"/".join(out)


def path_text(path: bytes) -> str:
    r"""Return a path as text; what is no UTF-8 is shown as ``\xNN``."""
    return path.decode("utf-8", "backslashreplace")


def time_text(nanoseconds: int) -> str:
    """Return a time in RFC 3339, in UTC, to the nanosecond; ``@SECONDS`` if no calendar has it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        time = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"@{seconds}"
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{time:%Y-%m-%dT%H:%M:%S}{fraction}Z"
