"""A whole squash in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lamella.image import Image
from lamella.layer.blob import Bytes, FileRange, Layer, Merged
from lamella.layer.compress import Packed
from lamella.layer.compression import NONE
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.emit import PlanTar
from lamella.merge.overlay import Tree
from lamella.merge.plan import Plan, make_plan
from lamella.operations.merge_layers import Prepared, WrittenImage, prepare, write
from lamella.progress import SILENT
from lamella.rewrite import Wording
from lamella.selection import Selection
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.transport.base import ImageWriter
from tests.support.images import image

__all__ = ["MemorySink", "merge", "merge_one", "plan_of", "prepared", "squash", "stream_of"]


@dataclass
class MemorySink(ImageWriter):
    """Takes the layers of a new image into memory."""

    opener: LayerOpener
    tars: list[bytes] = field(default_factory=list)
    kept: list[Layer] = field(default_factory=list)
    compression = NONE

    def put_layer(self, layer: Layer) -> Descriptor:
        """Take a layer as it is."""
        tar = self.opener.open([layer])[0]
        self.tars.append(tar.read_at(0, tar.size))
        self.kept.append(layer)
        return Descriptor(oci_layer(Codec.NONE), layer.diff_id, tar.size)

    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer."""
        out = bytearray()
        diff_id = merged.write_to(out.extend)
        self.tars.append(bytes(out))
        return Packed(diff_id, Descriptor(oci_layer(Codec.NONE), diff_id, len(out)))

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """None is: all are plain here."""
        raise NotImplementedError

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Publish nothing."""
        del manifest, tags
        return str(config.digest)


@contextmanager
def prepared(source: Image, *ranges: range) -> Iterator[Prepared]:
    """Plan a squash."""
    with LayerOpener(Spool()) as opener:
        yield prepare(source, Selection(ranges), opener, SILENT)


def squash(
    source: Image, *ranges: range, wording: Wording | None = None
) -> tuple[WrittenImage, MemorySink]:
    """Squash ranges of an image's layers; return the new config and the new layers."""
    with prepared(source, *(ranges or (range(len(source.layers)),))) as ready:
        sink = MemorySink(ready.opener)
        return write(ready, sink, wording or Wording(), SILENT), sink


def merge(*tars: bytes, above: int = 0) -> bytes:
    """Return the one layer that takes the place of the layers above so many."""
    positions = range(above, len(tars))
    if len(positions) == 1:
        return merge_one(tars)
    with prepared(image(*tars), positions) as ready:
        return stream_of(ready.merged(positions))


def plan_of(*tars: bytes, above: int = 0) -> Plan:
    """Plan the one layer that takes the place of the layers above so many."""
    changesets = _read(tars)
    return make_plan(_difference(changesets, above), changesets)


def merge_one(tars: Sequence[bytes]) -> bytes:
    """Squash the topmost layer alone: say again, in portable form, what it says."""
    changesets = _read(tars)
    plan = make_plan(_difference(changesets, len(tars) - 1), changesets)
    return stream_of(PlanTar(plan, {i: Bytes(tar) for i, tar in enumerate(tars)}))


def _read(tars: Sequence[bytes]) -> dict[int, Changeset]:
    return {i: read_changeset(Bytes(tar), i) for i, tar in enumerate(tars)}


def _difference(changesets: Mapping[int, Changeset], above: int) -> Tree:
    below = Tree()
    difference = Tree(below)
    for position, changeset in changesets.items():
        (below if position < above else difference).apply(changeset)
    return difference


def stream_of(tar: PlanTar) -> bytes:
    """Return all bytes of a merged layer."""
    return tar.read_at(0, tar.size)
