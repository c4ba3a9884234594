"""Archives that are compressed as a whole, as the ending of their name says."""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO, Self

from lamella.errors import UsageError
from lamella.files import write_all
from lamella.layer.compress import open_packer
from lamella.layer.compression import Compression
from lamella.spec.codec import Codec

__all__ = ["PackedStream", "ending_of"]

_CODECS = {".gz": Codec.GZIP, ".tgz": Codec.GZIP, ".zst": Codec.ZSTD}
_READ_ONLY = (".xz", ".bz2")


def ending_of(path: str) -> Codec:
    """Return how a file of that name is compressed.

    Raises:
        UsageError: in a way that lamella only reads.
    """
    name = path.lower()
    if name.endswith(_READ_ONLY):
        raise UsageError(
            f"{path}: expected .tar, .tar.gz or .tar.zst; lamella can't write other compressions"
        )
    return next((codec for end, codec in _CODECS.items() if name.endswith(end)), Codec.NONE)


class PackedStream(io.RawIOBase):
    """A stream that compresses what is written to it. Used as a context, which ends its threads."""

    def __init__(self, out: BinaryIO, codec: Codec) -> None:
        self._out = out
        self._packer = open_packer(Compression(codec), self._pass_on)

    def _pass_on(self, packed: bytes) -> None:
        write_all(self._out, packed)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs."""
        self._packer.__exit__(kind, error, trace)

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Take bytes.

        Raises:
            OSError: what is below can't be written.
        """
        self._packer.write(data)
        return len(data)

    def finish(self) -> None:
        """Write what is left."""
        self._packer.finish()
