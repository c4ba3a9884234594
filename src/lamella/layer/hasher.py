"""Digests of a stream, computed in other threads while it is read or written."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, ClassVar

from lamella.cores import usable_cores
from lamella.errors import DigestMismatch
from lamella.layer.blob import CHUNK, Layer
from lamella.spec.digest import Digest

__all__ = ["Hasher", "HashingReader", "step_back"]

_WAITING = 8
"""Chunks that may wait to be hashed."""
_SMALL = 1 << 15
"""Bytes that are hashed sooner than handed over to another thread."""
_NICENESS = 10


def step_back() -> None:
    """Let the thread that plans and writes go first: it is the one that all wait for in the end."""
    if sys.platform == "linux":  # elsewhere niceness belongs to processes, not to threads
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Hasher:
    """SHA-256 of a stream. Chunks are hashed in order, by another thread, while more are read."""

    # They are busy only while there is something to hash, so all hashers can share them.
    _threads: ClassVar[ThreadPoolExecutor]

    @classmethod
    def start_threads(cls) -> None:
        """Begin with threads of its own, which are started when there is work."""
        cls._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="lamella-hash")

    def __init__(self) -> None:
        self.size = 0
        """Bytes that passed."""
        self._hash = Digest.new_hash()
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._at_work = False

    def update(self, chunk: bytes) -> None:
        """Add bytes, which must not change any more; wait if many are waiting already."""
        self.size += len(chunk)
        with self._changed:
            if len(chunk) < _SMALL and not self._at_work:
                self._hash.update(chunk)
                return
            while len(self._waiting) >= _WAITING:
                self._changed.wait()
            self._waiting.append(chunk)
            if not self._at_work:
                self._at_work = True
                self._threads.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._at_work = False
                    self._changed.notify()
                    return
                chunk = self._waiting.popleft()
                self._changed.notify()
            self._hash.update(chunk)

    def digest(self) -> Digest:
        """Return the digest of all that passed so far."""
        with self._changed:
            while self._at_work:
                self._changed.wait()
            return Digest.of_hash(self._hash)


Hasher.start_threads()
if hasattr(os, "register_at_fork"):  # not on Windows
    # A forked process has none of the threads, and would wait for them without end.
    os.register_at_fork(after_in_child=Hasher.start_threads)


class HashingReader(io.RawIOBase):
    """A stream that hashes what is read of it, for the digest of the stored form.

    Args:
        stream: what is read.
        stop: when it is set, reading stops: the rest is not needed.
        keep: takes the same bytes.
    """

    def __init__(
        self,
        stream: BinaryIO,
        stop: threading.Event,
        keep: Callable[[bytes], object] | None = None,
    ) -> None:
        self._stream, self._hasher, self._unwanted = stream, Hasher(), stop
        self.keep = keep

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes."""
        chunk = b"" if self._unwanted.is_set() else self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._hasher.update(chunk)
        if self.keep:
            self.keep(chunk)
        return len(chunk)

    def check(self, layer: Layer) -> None:
        """Read what is left and compare with the layer's descriptor.

        Raises:
            DigestMismatch: it is something else.
            Unsupported: that can't be told.
        """
        while self.read(CHUNK):
            pass
        want = layer.descriptor
        if want is None:
            return
        want.digest.check_algorithm(layer.where)
        got, size = self._hasher.digest(), self._hasher.size
        if (got, size) != (want.digest, want.size):
            raise DigestMismatch(
                layer.where, f"{want.digest} ({want.size} bytes)", f"{got} ({size} bytes)"
            )
