"""What every range of an image's layers would become, remembered from one run to the next.

A file an image, beside the listings of layers (`layer.partial.listings`) and treated like them: it
may go at any time, and a damaged one is as good as none. It is named by the chain ID of the
image's last layer, on which all that is in it depends.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from array import array
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from lamella.layer.partial.listings import ListingCache
from lamella.spec.digest import Digest

__all__ = ["MAKING", "Ranges", "RangesCache"]

MAKING = 1
"""To be increased when a merge writes other sizes than before: remembered ones would be wrong."""
_MAGIC = f"lamella ranges {MAKING} {sys.byteorder}\n".encode()
_HASH = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Ranges:
    """Sizes of what the layers of an image may become."""

    rows: tuple[tuple[int, ...], ...]
    """For each last layer: bytes of the layer, by the first one."""
    dead: tuple[int, ...]
    """For each layer: bytes that are dead in the image."""
    has_device: bool
    """A character device 0:0, so that they can't be merged."""


@dataclass(frozen=True)
class RangesCache:
    """A folder with what is known."""

    folder: Path

    def load(self, chain_id: Digest, count: int) -> Ranges | None:
        """Return what is remembered of an image.

        Args:
            chain_id: of its last layer.
            count: how many layers it has.
        """
        path = self._path(chain_id)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        magic, rest = content[: len(_MAGIC)], content[len(_MAGIC) :]
        checksum, packed = rest[:_HASH], rest[_HASH:]
        if magic != _MAGIC or checksum != _checksum(chain_id, packed):
            return None
        numbers = array("q")
        numbers.frombytes(zlib.decompress(packed))
        if len(numbers) != 1 + count + count * (count + 1) // 2:
            return None
        rows, at = [], 1 + count
        for length in range(1, count + 1):
            rows.append(tuple(numbers[at : at + length]))
            at += length
        return Ranges(tuple(rows), tuple(numbers[1 : 1 + count]), bool(numbers[0]))

    def save(self, chain_id: Digest, ranges: Ranges) -> None:
        """Remember an image; if that can't be done, it isn't."""
        numbers = array("q", chain([ranges.has_device], ranges.dead, *ranges.rows))
        packed = zlib.compress(numbers.tobytes(), 1)
        content = _MAGIC + _checksum(chain_id, packed) + packed
        ListingCache(self.folder).keep(self._path(chain_id).name, content)

    def _path(self, chain_id: Digest) -> Path:
        # The listings' folder counts and removes files that are named like this.
        return self.folder / f"ranges-{chain_id.hex}"


def _checksum(chain_id: Digest, packed: bytes) -> bytes:
    return hashlib.sha256(chain_id.encode() + packed).digest()
