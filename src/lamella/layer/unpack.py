"""Unpacks one layer into the spool, checks it, and finds the deflate blocks that can be reused."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from typing import NamedTuple, cast

from lamella.errors import DigestMismatch, MalformedImage
from lamella.layer.blob import CHUNK, FileRange, Layer
from lamella.layer.compression import detect, open_plain
from lamella.layer.deflate_spans import GzipBlocks, SpanFinder
from lamella.layer.hasher import Hasher, HashingReader
from lamella.layer.protocols import LayerTar, Sieve
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest

__all__ = ["Unpacked", "compare", "find_blocks", "is_local", "unpack"]


class Unpacked(NamedTuple):
    """A layer in the spool."""

    tar: LayerTar
    blocks: GzipBlocks | None = None
    """What can be taken over of it; None if that was not asked for, or there is nothing."""


def unpack(
    layer: Layer,
    spool: Spool,
    stop: threading.Event,
    sieve: Sieve | None = None,
    *,
    finds_blocks: bool = False,
) -> Unpacked:
    """Unpack a layer.

    Args:
        layer: the layer.
        spool: takes the tar; and the stored bytes, if blocks are found that were far away.
        stop: when it is set, the rest is not needed.
        sieve: what keeps a part of the tar; None to keep all of it.
        finds_blocks: look for blocks that can be taken over.

    Raises:
        DigestMismatch: it isn't what its diff_id or its descriptor says.
        MalformedImage: its compressed data are damaged.
        OutputError: there is no room in the spool.
    """

    def whole() -> LayerTar:
        return unpack(layer, spool, stop).tar

    through = _Through(layer, spool, stop, sieve, lru_cache(whole))
    if finds_blocks and _can_find_blocks():
        try:
            return through.by_blocks()
        except MalformedImage:
            # The other reader also takes codes that are not complete. And where it takes nothing
            # either, what it says is the same whether blocks are wanted or not.
            if stop.is_set():
                raise
    with layer.blob.open() as stream:
        return Unpacked(through.keep(HashingReader(stream, stop)))


def find_blocks(layer: Layer, stop: threading.Event) -> GzipBlocks | None:
    """Find what can be taken over of a layer that was unpacked before, if it can be read in place.

    Raises:
        DigestMismatch: it isn't any more what its diff_id says.
    """
    if not (is_local(layer) and layer.compression == Codec.GZIP and _can_find_blocks()):
        return None
    finder, hasher = SpanFinder(), Hasher()
    try:
        with (
            layer.blob.open() as stream,
            closing(open_plain(stream, Codec.GZIP, layer.where, finder)) as plain,
        ):
            while not stop.is_set() and (chunk := plain.read(CHUNK)):
                hasher.update(chunk)
    except MalformedImage:  # as above
        return None
    compare(layer, hasher.digest())
    return _blocks_of(layer, finder, cast("LayerTar", layer.blob))


def is_local(layer: Layer) -> bool:
    """Whether a layer's stored bytes can be read from any place."""
    return isinstance(layer.blob, LayerTar)


def compare(layer: Layer, diff_id: Digest) -> None:
    """Compare what a layer's tar has with what it should have.

    Raises:
        DigestMismatch: it is something else.
    """
    if diff_id != layer.diff_id:
        raise DigestMismatch(layer.where, layer.diff_id, diff_id)


def _blocks_of(layer: Layer, finder: SpanFinder, packed: LayerTar) -> GzipBlocks | None:
    return GzipBlocks(packed, finder.spans, layer.where) if finder.spans else None


class _Through(NamedTuple):
    """What a layer goes through."""

    layer: Layer
    spool: Spool
    stop: threading.Event
    sieve: Sieve | None
    whole: Callable[[], LayerTar]

    def by_blocks(self) -> Unpacked:
        """Unpack it, and find its blocks if it is gzip."""
        layer, finder = self.layer, SpanFinder()
        copy = None if is_local(layer) else self.spool.file()

        def keep(chunk: bytes) -> None:
            if copy:
                self.spool.write(copy, chunk)

        with layer.blob.open() as stream:
            tar = self.keep(HashingReader(stream, self.stop, keep), finder)
        packed = FileRange.whole(copy) if copy else cast("LayerTar", layer.blob)
        return Unpacked(tar, _blocks_of(layer, finder, packed))

    def keep(self, stored: HashingReader, finder: SpanFinder | None = None) -> LayerTar:
        """Unpack what is read."""
        layer, stop = self.layer, self.stop
        # The kind is seen in passing: to open a remote layer once more would cost a request.
        passing = io.BufferedReader(stored, CHUNK)
        kind = detect(passing.peek(6)[:6])
        if kind != Codec.GZIP:
            stored.keep = None  # it has no blocks
        tar: LayerTar
        with closing(open_plain(passing, kind, layer.where, finder)) as plain:
            if self.sieve is None:
                tar, diff_id = self.spool.keep(plain, stop)
            else:
                tar, diff_id = self.sieve.keep(plain, self.spool, stop, self.whole)
            if not stop.is_set():
                stored.check(layer)
        compare(layer, diff_id)
        return tar


def _can_find_blocks() -> bool:
    from lamella.layer.inflate import can_find_blocks  # noqa: PLC0415 - many layers are plain

    return can_find_blocks()
