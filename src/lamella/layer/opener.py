"""Opens layers as uncompressed tars, and checks every one against its diff_id."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Self, cast

from lamella.cores import usable_cores
from lamella.errors import DigestMismatch, ImageError
from lamella.layer.blob import Layer
from lamella.layer.hasher import step_back
from lamella.layer.protocols import HasChecksums, LayerTar, Remote, Sieve
from lamella.layer.spans import StoredSpans
from lamella.layer.spool import Spool
from lamella.layer.unpack import compare, find_blocks, is_local, unpack
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest
from lamella.waiting import Stoppable, finish

__all__ = ["LayerOpener", "digest_of", "is_near"]

_AT_ONCE = 3
"""Layers at work at the least: one that comes through a network leaves the processor idle."""
_PLENTY = 5
"""Times the stored bytes of gzip layers: these, and what they are inflated to. Most are a third."""
_HASHED_AT_ONCE = 4 << 20
"""Bytes hashed in one go. Between two of them a thread must wait for the interpreter, which the
thread that scans headers has: a few long turns cost that one less than many short ones."""


def digest_of(source: LayerTar, stop: threading.Event | None = None) -> Digest:
    """Return the SHA-256 digest of a whole tar."""
    hashed, at = Digest.new_hash(), 0
    buffer = memoryview(bytearray(min(_HASHED_AT_ONCE, max(source.size, 1))))
    while got := source.read_into(buffer, at):
        hashed.update(buffer[:got])
        at += got
        if stop and stop.is_set():
            break
    return Digest.of_hash(hashed)


class LayerOpener:
    """Opens layers as uncompressed tars and checks every one against its diff_id.

    Uncompressed layers of local files are read where they lie and hashed beside the work;
    compressed ones are decompressed once into the spool, several at a time. `verify` has the last
    word: nothing that was read counts before it has returned.
    """

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._blocks: dict[int, tuple[Layer, StoredSpans | None]] = {}
        self._saves_room = False
        workers = max(_AT_ONCE, usable_cores())
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lamella-layer")
        self._hashers = ThreadPoolExecutor(
            usable_cores(), thread_name_prefix="lamella-check", initializer=step_back
        )
        self._stop = threading.Event()
        self._checks: dict[int, tuple[Layer, Future[Digest]]] = {}
        # By identity, for two layers may be equal. Each stays alive as long as what is known of it:
        # else another layer could be made in its place, with the same identity.
        self._tars: dict[int, tuple[Layer, Future[LayerTar]]] = {}
        self._headers: dict[int, tuple[Layer, Future[LayerTar]]] = {}
        self._stoppable: list[Stoppable] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what still runs."""
        self._stop.set()
        opened = (*self._tars.values(), *self._headers.values())
        if any(not future.done() for _, future in opened):
            for blob in self._stoppable:
                blob.stop()
        for pool in (self._pool, self._hashers):
            finish(pool)
        # Tars may know this as what gets the whole of them: in a circle, files would stay open.
        for known in (self._tars, self._headers, self._checks, self._blocks):
            known.clear()

    def open(
        self,
        layers: Sequence[Layer],
        sieves: Sequence[Sieve | None] = (),
        *,
        finds_blocks: Codec | None = None,
    ) -> list[LayerTar]:
        """Return the tars of some layers, each opened once however often it is asked for.

        Args:
            layers: which.
            sieves: one for each layer, None for one that is to be kept as a whole. The last layer
                is unpacked first then.
            finds_blocks: `blocks` will be asked for, of layers that are compressed so. Their stored
                bytes are kept, too, if they are far away.

        Raises:
            DigestMismatch: a compressed layer isn't what its diff_id or digest says.
            MalformedImage: its compressed data are damaged.
            OutputError: there is no room for the spool.
        """
        unpacked = [layer for layer in layers if id(layer) not in self._tars and not is_near(layer)]
        far = [layer for layer in unpacked if finds_blocks and not is_local(layer)]
        twice = sum(layer.blob.size for layer in far)
        self._saves_room = finds_blocks == Codec.GZIP and not self.spool.has_room(_PLENTY * twice)
        need = sum(layer.blob.size for layer in unpacked)
        self.spool.check_room(need if self._saves_room else need + twice)
        for layer, sieve in reversed(list(zip(layers, sieves, strict=False))):
            self._started(layer, sieve, finds_blocks=finds_blocks)
        for layer in sorted(layers, key=lambda layer: -layer.blob.size):
            self._started(
                layer, finds_blocks=finds_blocks
            )  # large ones first, or one thread would be left alone with one
        return [self._started(layer).result() for layer in layers]

    def open_headers(self, layers: Sequence[Layer]) -> list[LayerTar]:
        """Return tars whose headers will be read, and content as an exception.

        What is near is opened as by `open`; of what is remote only the headers are kept.

        Raises:
            LamellaError: as `open`, or a layer can't be fetched.
        """
        return [future.result() for future in [self._listed(layer) for layer in layers]]

    def blocks(self, layers: Sequence[Layer], codec: Codec) -> list[StoredSpans | None]:
        """Return what can be taken over of layers that were opened, or None.

        Where it was not looked for then, as far as a layer is at hand, it is unpacked once more.
        """
        missing = [layer for layer in layers if id(layer) not in self._blocks]
        found = self._pool.map(partial(find_blocks, codec=codec, stop=self._stop), missing)
        for layer, blocks in zip(missing, found, strict=True):
            self._blocks[id(layer)] = layer, blocks
        return [self._blocks[id(layer)][1] for layer in layers]

    def check(self, layer: Layer) -> None:
        """See to it that `verify` also answers for a layer that is only copied.

        One that is compressed and has a descriptor is left out: copying it checks its digest.
        """
        if layer.verified or (layer.compression != Codec.NONE and layer.descriptor is not None):
            return
        self._started(layer)
        if is_near(layer):
            self._hash(layer)  # also what checks its files itself: the whole must be as its name

    def beside(self, work: Callable[[], object]) -> Future[object]:
        """Let work on open layers be done beside their copying, after what is to be hashed."""
        return self._hashers.submit(work)

    def verify(self) -> None:
        """Wait until all layers opened or checked are known to be what they should be.

        Raises:
            DigestMismatch: one isn't.
        """
        for _, opened in self._tars.values():
            opened.result()
        for layer, check in self._checks.values():
            compare(layer, check.result())
            _compare_stored(layer)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Give an error the better reason: a wrong digest explains a damaged tar.

        Raises:
            ImageError: the error within, or that a layer is not what it should be.
        """
        try:
            yield
        except ImageError as error:
            try:
                self.verify()
            except ImageError as reason:
                raise reason from error
            raise

    def _started(
        self, layer: Layer, sieve: Sieve | None = None, *, finds_blocks: Codec | None = None
    ) -> Future[LayerTar]:
        if id(layer) not in self._tars:
            started = self._start(layer, sieve, finds_blocks=finds_blocks)
            self._tars[id(layer)] = layer, started
        return self._tars[id(layer)][1]

    def _listed(self, layer: Layer) -> Future[LayerTar]:
        blob = layer.blob
        if id(layer) in self._tars or not isinstance(blob, Remote):
            return self._started(layer)
        if id(layer) not in self._headers:
            if isinstance(blob, Stoppable):
                self._stoppable.append(blob)
            whole = partial(self._whole, layer)
            reading = self._pool.submit(blob.read_headers, layer.diff_id, whole)
            self._headers[id(layer)] = layer, reading
        return self._headers[id(layer)][1]

    def _whole(self, layer: Layer) -> LayerTar:
        return self.open([layer])[0]

    def _start(
        self, layer: Layer, sieve: Sieve | None, *, finds_blocks: Codec | None
    ) -> Future[LayerTar]:
        blob = layer.blob
        if isinstance(blob, LayerTar) and is_near(layer):
            if not (layer.verified or isinstance(blob, HasChecksums)):
                self._hash(layer)
            done: Future[LayerTar] = Future()
            done.set_result(blob)
            return done
        if isinstance(blob, Stoppable):
            self._stoppable.append(blob)
        return self._pool.submit(self._unpack, layer, sieve, finds_blocks=finds_blocks)

    def _hash(self, layer: Layer) -> None:
        if id(layer) not in self._checks:
            blob = cast("LayerTar", layer.blob)
            self._checks[id(layer)] = layer, self._hashers.submit(digest_of, blob, self._stop)

    def _unpack(self, layer: Layer, sieve: Sieve | None, *, finds_blocks: Codec | None) -> LayerTar:
        tar, blocks = unpack(
            layer,
            self.spool,
            self._stop,
            sieve,
            finds_blocks=finds_blocks,
            saves_room=self._saves_room,
        )
        if finds_blocks:
            self._blocks[id(layer)] = layer, blocks
        return tar


def is_near(layer: Layer) -> bool:
    """Whether a layer can be read where it is."""
    return isinstance(layer.blob, LayerTar) and layer.compression == Codec.NONE


def _compare_stored(layer: Layer) -> None:
    """A plain layer is stored as it is, so its descriptor can only name its diff_id."""
    want = layer.descriptor
    if want and (want.digest, want.size) != (layer.diff_id, layer.blob.size):
        found = f"{layer.diff_id} ({layer.blob.size} bytes)"
        raise DigestMismatch(layer.where, f"{want.digest} ({want.size} bytes)", found)
