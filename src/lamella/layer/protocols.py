"""What layers are read through: the whole tar, a part of it, as it is unpacked, from far away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

from lamella.layer.compression import PlainReader
from lamella.spec.digest import Digest

if TYPE_CHECKING:
    from lamella.layer.spool import Spool

__all__ = ["HasChecksums", "Kept", "LayerTar", "Readable", "Remote", "Sieve"]


class Readable(Protocol):
    """A stream that is read once."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""


class Kept(Protocol):
    """Parts of a tar."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from an offset in the tar; return how many bytes were there, perhaps 0."""


@runtime_checkable
class LayerTar(Protocol):
    """The uncompressed tar of a layer, readable from any place and any thread."""

    @property
    def size(self) -> int:
        """Bytes of the tar."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; see `lamella.tar.entry.ReadAt`."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer; return how many bytes were read."""


@runtime_checkable
class HasChecksums(Protocol):
    """A tar whose files are checked one by one, as they are read: the whole need not be hashed."""

    def content_checksum(self, offset: int) -> int | None:
        """Return that of the file whose content begins at `offset`; None: it is not known.

        Files of the same size and checksum are the same, unless they were made to deceive.
        """


@runtime_checkable
class Remote(Protocol):
    """Stored bytes that are far away, so that what isn't needed of them is not kept."""

    def read_headers(self, diff_id: Digest, fetch: Callable[[], LayerTar]) -> LayerTar:
        """Read all of it once and keep only what a scan of the headers needs.

        Args:
            diff_id: what the tar must be.
            fetch: returns the whole tar, for one who asks for content after all.
        """


class Sieve(Protocol):
    """What takes a layer's tar as it is unpacked, and does not keep all of it."""

    def keep(
        self,
        stream: BinaryIO | PlainReader,
        spool: Spool,
        stop: threading.Event,
        whole: Callable[[], Kept],
        *,
        content: bool = True,
    ) -> tuple[LayerTar, Digest]:
        """Read a stream to its end; return what was kept of it, and the digest of all of it.

        Args:
            stream: the uncompressed tar.
            spool: takes what is kept.
            stop: when it is set, the rest is not needed.
            whole: unpacks the layer again, for one who asks for what was not kept.
            content: keep some of the files' content.

        Raises:
            OutputError: no room is left.
        """
