"""Unpacks one layer into the spool, checks it, and finds what of it can be taken over."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from typing import BinaryIO, NamedTuple, cast

from lamella.errors import DigestMismatch, MalformedImage
from lamella.layer.blob import CHUNK, FileRange, Layer
from lamella.layer.compression import detect, open_plain
from lamella.layer.hasher import Hasher, HashingReader
from lamella.layer.protocols import Kept, LayerTar, Sieve
from lamella.layer.rewound import Rewound
from lamella.layer.spans import SpanFinder, StoredSpans
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest

__all__ = ["Unpacked", "compare", "find_blocks", "is_local", "unpack"]


class Unpacked(NamedTuple):
    """A layer in the spool."""

    tar: LayerTar
    blocks: StoredSpans | None = None
    """What can be taken over of it; None if that was not asked for, or there is nothing."""


def unpack(  # noqa: PLR0913 - what is read, how, and what becomes of it
    layer: Layer,
    spool: Spool,
    stop: threading.Event,
    sieve: Sieve | None = None,
    *,
    finds_blocks: Codec | None = None,
    saves_room: bool = False,
) -> Unpacked:
    """Unpack a layer.

    Args:
        layer: the layer.
        spool: takes the tar; and the stored bytes, if blocks are found that were far away.
        stop: when it is set, the rest is not needed.
        sieve: what keeps a part of the tar; None to keep all of it.
        finds_blocks: look for what can be taken over, if the layer is compressed so.
        saves_room: where stored bytes of gzip go to the spool and there is a sieve, content does
            not: it is inflated once more as it is read.

    Raises:
        DigestMismatch: it isn't what its diff_id or its descriptor says.
        MalformedImage: its compressed data are damaged.
        OutputError: there is no room in the spool.
    """

    def whole() -> LayerTar:
        return unpack(layer, spool, stop).tar

    through = _Through(layer, spool, stop, sieve, lru_cache(whole), saves_room)
    if finds_blocks and _can_find_blocks(finds_blocks):
        try:
            return through.by_blocks(finds_blocks)
        except MalformedImage:
            # The other reader also takes codes that are not complete. And where it takes nothing
            # either, what it says is the same whether blocks are wanted or not.
            if stop.is_set():
                raise
    with layer.blob.open() as stream:
        return Unpacked(through.keep(HashingReader(stream, stop)))


def find_blocks(layer: Layer, codec: Codec, stop: threading.Event) -> StoredSpans | None:
    """Find what can be taken over of a layer that was unpacked before, if it can be read in place.

    Raises:
        DigestMismatch: it isn't any more what its diff_id says.
    """
    if not (is_local(layer) and layer.compression == codec and _can_find_blocks(codec)):
        return None
    finder, hasher = SpanFinder(codec), Hasher()
    try:
        with (
            layer.blob.open() as stream,
            closing(open_plain(stream, codec, layer.where, finder)) as plain,
        ):
            while not (stop.is_set() or finder.gave_up) and (chunk := plain.read(CHUNK)):
                hasher.update(chunk)
    except MalformedImage:  # as above
        return None
    if finder.gave_up:
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


def _blocks_of(layer: Layer, finder: SpanFinder, packed: LayerTar) -> StoredSpans | None:
    spans = finder.spans
    return StoredSpans(finder.codec, packed, spans, layer.where) if spans else None


class _Through(NamedTuple):
    """What a layer goes through."""

    layer: Layer
    spool: Spool
    stop: threading.Event
    sieve: Sieve | None
    whole: Callable[[], LayerTar]
    saves_room: bool

    def by_blocks(self, codec: Codec) -> Unpacked:
        """Unpack it, and find what can be taken over if it is compressed so."""
        layer, finder = self.layer, SpanFinder(codec)
        copy = None if is_local(layer) else self.spool.file()

        def keep(chunk: bytes) -> None:
            if copy and not finder.gave_up:
                self.spool.write(copy, chunk)
            elif copy:
                copy.truncate(0)

        def again() -> Rewound:
            return Rewound(FileRange.whole(cast("BinaryIO", copy)), layer.where, self.whole)

        rewinds = copy and codec == Codec.GZIP and self.saves_room
        with layer.blob.open() as stream:
            stored = HashingReader(stream, self.stop, keep)
            tar = self.keep(stored, finder, lru_cache(again) if rewinds else None)
        packed = FileRange.whole(copy) if copy else cast("LayerTar", layer.blob)
        return Unpacked(tar, _blocks_of(layer, finder, packed))

    def keep(
        self,
        stored: HashingReader,
        finder: SpanFinder | None = None,
        again: Callable[[], Kept] | None = None,
    ) -> LayerTar:
        """Unpack what is read.

        Args:
            stored: the stored bytes.
            finder: is told of blocks.
            again: gives content, if it is not to be kept; needs what `stored` keeps.
        """
        layer, stop = self.layer, self.stop
        # The kind is seen in passing: to open a remote layer once more would cost a request.
        passing = io.BufferedReader(stored, CHUNK)
        kind = detect(passing.peek(6)[:6])
        if finder and kind != finder.codec:
            stored.keep = finder = again = None  # it has none of these
        tar: LayerTar
        with closing(open_plain(passing, kind, layer.where, finder)) as plain:
            if self.sieve is None:
                tar, diff_id = self.spool.keep(plain, stop)
            else:
                source, content = again or self.whole, again is None
                tar, diff_id = self.sieve.keep(plain, self.spool, stop, source, content=content)
            if not stop.is_set():
                stored.check(layer)
        compare(layer, diff_id)
        return tar


def _can_find_blocks(codec: Codec) -> bool:
    from lamella.layer.inflate import can_find_blocks  # noqa: PLC0415 - many layers are plain

    return can_find_blocks(codec)
