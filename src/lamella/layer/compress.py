"""Compressing new layers: on all cores, and into the same bytes however many there are."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from types import ModuleType, TracebackType
from typing import ClassVar, Protocol, Self

from isal import isal_zlib
from zlib_ng import zlib_ng

from lamella.cores import usable_cores
from lamella.errors import OutputError
from lamella.layer.blob import Merged
from lamella.layer.compression import LONG_WINDOW, Compression
from lamella.layer.spans import WINDOW
from lamella.layer.splice import Copy, HasRuns, Taken, choose
from lamella.spec.codec import Codec
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.media_type import oci_layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BLOCK", "Packed", "Packer", "open_packer", "write_packed"]

BLOCK = 1 << 20
"""Plain bytes that one thread deflates at a time. The cut costs 5 bytes and the start of a new
Huffman table; what repeats is found across it, as a block begins with the window before it."""

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
"""RFC 1952, 2.3: deflate, no flags, no time, no hint at the level, made on an unknown system."""

_LAST = b"\x03\x00"
"""RFC 1951, 3.2.3: a final block with nothing in it, for no block before it says it is the last."""

_FRAME = 8 << 20
"""Plain bytes of a frame of zstd beside frames that are taken over, at the most. Frames of so many
are 1.3 % larger than a single one; of 4 MiB, 3.3 %."""

_RAW = -15
_NG_MEMORY = 7
"""zlib's memLevel, which sets how often the Huffman tables change: smaller here than by 8."""


@dataclass(frozen=True)
class _Deflate:
    """The library that serves a level, and what the level is called there."""

    library: ModuleType
    level: int
    memory: int
    size: ClassVar = BLOCK
    header: ClassVar = _HEADER

    def block(self, plain: bytearray, before: bytes) -> bytes:
        """Compress one block, to a whole number of bytes; `before` is what it follows."""
        settings = (self.level, self.library.DEFLATED, _RAW, self.memory, 0)
        given = {"zdict": before} if before else {}
        deflate = self.library.compressobj(*settings, **given)
        head: bytes = deflate.compress(plain)
        rest: bytes = deflate.flush(self.library.Z_SYNC_FLUSH)
        return head + rest

    def end(self, checksum: int, size: int) -> bytes:
        """Return what follows the last block; RFC 1952, 2.3.1: the size is modulo 2^32."""
        return _LAST + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


@dataclass(frozen=True)
class _Frames:
    """Frames of zstd, which stand for themselves; in one thread each, so that many can be made."""

    level: int
    size: ClassVar = _FRAME
    header: ClassVar = b""

    def block(self, plain: bytearray, before: bytes) -> bytes:
        """Compress one block to a frame, whatever it follows."""
        del before
        try:
            return zstd.compress(plain, self.level)
        except zstd.ZstdError as error:
            raise _no_room(error) from error

    def end(self, checksum: int, size: int) -> bytes:
        """Nothing follows the last one."""
        del checksum, size
        return b""


_GZIP_LEVEL, _ZSTD_LEVEL = 5, 3  # if none is asked for
_LEVELS = {
    1: _Deflate(isal_zlib, 1, isal_zlib.DEF_MEM_LEVEL),
    2: _Deflate(isal_zlib, 3, isal_zlib.DEF_MEM_LEVEL),
    **{level: _Deflate(zlib_ng, level, _NG_MEMORY) for level in range(3, 10)},
}


class Packer(Protocol):
    """Takes plain bytes and writes compressed ones. Used as a context, which ends its threads."""

    spliced: int
    """Plain bytes whose compressed form was taken over."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take bytes; they are copied, and may change afterwards."""

    def finish(self) -> None:
        """Write what is left."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs."""


@dataclass(frozen=True)
class Packed:
    """What a layer is known by once it is written."""

    diff_id: Digest
    descriptor: Descriptor
    """Of the stored bytes, with OCI's media type unless the place has another."""
    spliced: int = 0
    """Bytes of its tar whose compressed form was taken over."""

    @property
    def digest(self) -> Digest:
        """Of the stored bytes."""
        return self.descriptor.digest

    @property
    def size(self) -> int:
        """Of the stored bytes."""
        return self.descriptor.size


def write_packed(
    merged: Merged, compression: Compression, write: Callable[[bytes | memoryview], object]
) -> Packed:
    """Write a new layer in one pass, compressed if it is to be, and hash it before and after.

    `write` is called in order and from the calling thread. What it raises ends the work: no thread
    is left when the error comes out here.
    """
    if compression.kind == Codec.NONE:
        diff_id = merged.write_to(write)
        return Packed(diff_id, Descriptor(oci_layer(Codec.NONE), diff_id, merged.size))
    out = _HashingWriter(write)
    runs = merged.runs() if isinstance(merged, HasRuns) else ()
    with open_packer(compression, out.write, runs=runs) as packer:
        diff_id = merged.write_to(packer.write)
        packer.finish()
    stored = Descriptor(oci_layer(compression.kind), Digest.of_hash(out.hash), out.size)
    return Packed(diff_id, stored, packer.spliced)


def open_packer(
    compression: Compression,
    write: Callable[[bytes], object],
    workers: int | None = None,
    runs: Iterable[Taken] = (),
) -> Packer:
    """Return a packer for one stream.

    The bytes it writes depend on those it takes and on nothing else: not on how they come in
    chunks, and not on the number of threads.

    Args:
        compression: gzip or zstd, and the level.
        write: takes the result, in order; is called from the thread that calls the packer.
        workers: threads that compress; one for each core if not given.
        runs: what comes from compressed layers. Blocks of theirs are taken over by gzip, frames by
            zstd, unless a level is asked for: then all is compressed.
    """
    workers = workers or usable_cores()
    copies = choose(run for run in runs if run.blocks.codec == compression.takes_over)
    if compression.kind == Codec.GZIP:
        return _BlockPacker(_LEVELS[compression.level or _GZIP_LEVEL], write, workers, copies)
    if first := next(copies, None):
        return _BlockPacker(_Frames(_ZSTD_LEVEL), write, workers, chain([first], copies))
    return _ZstdPacker(compression, write, workers)


class _HashingWriter:
    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self.hash, self.size = write, Digest.new_hash(), 0

    def write(self, packed: bytes) -> None:
        self.hash.update(packed)
        self.size += len(packed)
        self._write(packed)


class _Context:
    spliced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what still runs."""


class _BlockPacker(_Context):
    """Blocks of one stream, made in threads or taken over, and joined.

    Those of deflate make one gzip member; those of zstd are frames. At most two for each thread are
    under way.
    """

    def __init__(
        self,
        form: _Deflate | _Frames,
        write: Callable[[bytes], object],
        workers: int,
        copies: Iterable[Copy] = (),
    ) -> None:
        self._form, self._write = form, write
        self._write(form.header)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lamella-pack")
        self._limit = 2 * workers
        self._jobs: deque[Future[bytes] | Copy] = deque()
        self._copies = iter(copies)
        self._copy = next(self._copies, None)
        self._block, self._before = bytearray(), b""
        self._crc, self._size = 0, 0  # of all that was taken

    def write(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        while view:
            copy = self._copy
            if copy is not None and copy.start <= self._size:
                used = self._pass(view[: copy.stop - self._size], copy)
            elif copy is not None:
                used = self._gather(view[: copy.start - self._size])
                if self._size == copy.start:
                    self._submit()
            else:
                used = self._gather(view)
            view = view[used:]

    def _pass(self, view: memoryview, copy: Copy) -> int:
        """Take bytes whose compressed form is taken over."""
        self._count(view)
        self._before = (self._before + bytes(view[-WINDOW:]))[-WINDOW:]
        if self._size == copy.stop:
            self.spliced += copy.stop - copy.start
            self._add(copy)
            self._copy = next(self._copies, None)
        return len(view)

    def _gather(self, view: memoryview) -> int:
        """Take bytes that are compressed."""
        view = view[: self._form.size - len(self._block)]
        self._block += view
        self._count(view)
        if len(self._block) == self._form.size:
            self._submit()
        return len(view)

    def _count(self, view: memoryview) -> None:
        self._crc = isal_zlib.crc32(view, self._crc)
        self._size += len(view)

    def _submit(self) -> None:
        if not self._block:
            return
        block, self._block = self._block, bytearray()
        before = self._before
        self._before = (before + bytes(block[-WINDOW:]))[-WINDOW:]
        self._add(self._pool.submit(self._form.block, block, before))

    def _add(self, job: Future[bytes] | Copy) -> None:
        self._jobs.append(job)
        while len(self._jobs) > self._limit or (self._jobs and _is_ready(self._jobs[0])):
            self._write_first()

    def _write_first(self) -> None:
        job = self._jobs.popleft()
        if isinstance(job, Copy):
            job.write_to(self._write)
        else:
            self._write(job.result())

    def finish(self) -> None:
        self._submit()
        while self._jobs:
            self._write_first()
        self._write(self._form.end(self._crc, self._size))

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _is_ready(job: Future[bytes] | Copy) -> bool:
    return isinstance(job, Copy) or job.done()


class _ZstdPacker(_Context):
    """One frame, made by libzstd's own threads.

    With any number of them it gives the same bytes, which are not those of zstd without threads.
    """

    def __init__(
        self, compression: Compression, write: Callable[[bytes], object], workers: int
    ) -> None:
        self._write = write
        setting = zstd.CompressionParameter
        most = setting.nb_workers.bounds()[1]  # 0 where libzstd was built without threads
        options: dict[int, int] = {
            setting.compression_level: compression.level or _ZSTD_LEVEL,
            setting.nb_workers: min(workers, most),
        }
        if compression.long:
            options[setting.window_log] = LONG_WINDOW
            options[setting.enable_long_distance_matching] = 1
        self._frame = zstd.ZstdCompressor(options=options)

    def write(self, chunk: bytes | memoryview) -> None:
        try:
            packed = self._frame.compress(chunk)
        except zstd.ZstdError as error:
            raise _no_room(error) from error
        if packed:
            self._write(packed)

    def finish(self) -> None:
        try:
            packed = self._frame.flush()
        except zstd.ZstdError as error:
            raise _no_room(error) from error
        self._write(packed)

    def close(self) -> None:
        del self._frame  # which ends its threads


def _no_room(error: zstd.ZstdError) -> OutputError:
    """Nothing else lets libzstd fail here; it does not tell memory and threads apart."""
    message = (
        f"can't compress with zstd: the system gives no more memory or threads ({error}); "
        "see `ulimit -a`, or choose `compression` gzip"
    )
    return OutputError(message)
