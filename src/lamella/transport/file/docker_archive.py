"""``docker-archive:FILE[:TAG]``: what `docker save` and `podman save` write.

A tar with ``manifest.json``: a list of images, each with its config, its tags and its layers.
The layout before Docker 25 (``ID/layer.tar``, repeated layers as symlinks) and since (``blobs/…``,
with an OCI index beside it that is sometimes wrong, so ``manifest.json`` is what counts) are read
alike. What is written is the older, simpler form: Docker since 1.10, Podman and skopeo load it.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from lamella.errors import (
    Ambiguous,
    DigestMismatch,
    ImageError,
    ImageNotFound,
    InvalidReference,
    MalformedImage,
    Unsupported,
)
from lamella.image import Image
from lamella.layer.blob import FileRange, Layer, Merged
from lamella.layer.compress import Packed
from lamella.layer.compression import NONE, Compression
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.fields import ARCHIVE_ENTRY
from lamella.spec.json import parse_json_list
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.spec.reference import Reference
from lamella.transport.base import AsItIs, ImageWriter, NewImage, copy_stored, spool_packed
from lamella.transport.file.oci_layout import LayoutFiles
from lamella.transport.file.tarball import ArchiveWriter

__all__ = ["ArchiveImage", "DockerArchiveWriter", "chains_in", "images_in", "read_image"]

MANIFEST = "manifest.json"
# Since Docker 25 a config lies where its digest says. The older `DIGEST.json` is just a name: no
# engine checks it, and tools write others.
_NAMED_BY_DIGEST = re.compile(r"blobs/sha256/([0-9a-f]{64})")


class ArchiveImage:
    """One entry of ``manifest.json``."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.config: str = entry.get("Config") or ""
        self.layers: list[str] = entry.get("Layers") or []
        self.tags: tuple[str, ...] = tuple(entry.get("RepoTags") or ())

    @classmethod
    def parse(cls, raw: bytes, where: str) -> list[ArchiveImage]:
        """Read a ``manifest.json``.

        Raises:
            MalformedImage: it lists no images.
        """
        entries = parse_json_list(raw, f"{where}: {MANIFEST}", ARCHIVE_ENTRY)
        if not entries:
            raise MalformedImage(f"{where}: {MANIFEST}", "expected a list of images, got none")
        return [cls(entry) for entry in entries]


def images_in(archive: LayoutFiles) -> list[ArchiveImage]:
    """List the images of an archive.

    Raises:
        MalformedImage: it has no ``manifest.json``, or a broken one.
    """
    if MANIFEST not in archive:
        if "repositories" in archive:
            what = "made by Docker before 1.10: it has no manifest.json; load it and save it again"
        elif "index.json" in archive:
            what = f"expected a docker-archive, got an OCI layout; try oci-archive:{archive.where}"
        else:
            what = "expected a docker-archive, got a tar without manifest.json"
        raise MalformedImage(archive.where, what)
    return ArchiveImage.parse(archive.read(MANIFEST), archive.where)


def chains_in(archive: LayoutFiles) -> Iterator[tuple[tuple[Digest, ...], Sequence[str]]]:
    """Yield the diff_ids and the tags of each image of an archive that is not broken."""
    for image in images_in(archive):
        with suppress(ImageError):
            yield Config.parse(archive.read(image.config), archive.where).diff_ids, image.tags


def _choose(images: Sequence[ArchiveImage], wanted: str, where: str) -> ArchiveImage:
    """Find an image by tag, or by ``@N`` from 0 as skopeo has it."""
    if not wanted:
        if len(images) == 1:
            return images[0]
        counts = Counter(_familiar(tag) for image in images for tag in image.tags)
        names = [
            next((tag for tag in i.tags if counts[_familiar(tag)] == 1), f"@{n}")
            for n, i in enumerate(images)
        ]
        raise Ambiguous(_which(where, f"{len(images)} images", names))
    if wanted[0] == "@" and wanted[1:].isdecimal() and int(wanted[1:]) < len(images):
        return images[int(wanted[1:])]
    name = _familiar(wanted)
    found = [(n, i) for n, i in enumerate(images) if name in map(_familiar, i.tags)]
    if not found:
        tags = ", ".join(tag for image in images for tag in image.tags) or "none"
        message = f"no image {wanted!r} in {where}; its tags: {tags}"
        raise ImageNotFound(message)
    if len({image.config for _, image in found}) > 1:
        message = _which(where, f"{len(found)} images {wanted}", [f"@{n}" for n, _ in found])
        raise Ambiguous(message)
    return found[0][1]


def _familiar(tag: str) -> str:
    """Return a tag as Docker shows it; one that is no valid name, of whichever image, as it is."""
    try:
        return Reference.parse_tag(tag).familiar
    except InvalidReference:
        return tag


def _which(where: str, what: str, names: Sequence[str]) -> str:
    """Ask which image is meant, with references that can be pasted."""
    choices = ", ".join(shlex.quote(f"docker-archive:{where}:{name}") for name in names)
    return f"{where} has {what}; choose one: {choices}"


def read_image(archive: LayoutFiles, wanted: str, name: str) -> Image:
    """Return an image of an archive.

    Args:
        archive: the opened archive.
        wanted: its tag, or empty if there is just one image.
        name: what messages call it.

    Raises:
        Ambiguous: there are several images and no tag.
        MalformedImage: a part is missing or wrong.
    """
    chosen = _choose(images_in(archive), wanted, archive.where)
    raw = archive.read(chosen.config)
    named = _NAMED_BY_DIGEST.fullmatch(chosen.config)
    if named and Digest.of(raw).hex != named[1]:
        raise DigestMismatch(f"{archive.where}: config", Digest.of_hex(named[1]), Digest.of(raw))
    config = Config.parse(raw, f"{archive.where}: config {chosen.config}")
    listed = config.layers(chosen.layers, archive.where, "manifest.json")
    layers = tuple(
        Layer(diff_id, archive.range(file), f"{archive.where}: layer {n}")
        for n, (diff_id, file) in enumerate(listed, 1)
    )
    return Image(name, config, layers, tags=chosen.tags)


def archive_compression(image: Image, asked: Compression | None) -> Compression:
    """Return how layers are stored in an archive: as asked, or as the image's are.

    All are stored alike, those that stay too, for crane takes every layer for what the first one
    is: plain, as `docker save` writes them, or gzip if all of the image's are.
    """
    return asked or (Compression(Codec.GZIP) if all(map(_is_gzip, image.layers)) else NONE)


class DockerArchiveWriter(ImageWriter):
    """Writes one image as a docker-archive, front to back: it can go into a pipe."""

    def __init__(
        self, out: BinaryIO, where: str, spool: Spool, new: NewImage, finish: Callable[[], None]
    ) -> None:
        """Begin an archive.

        Args:
            out: takes the archive.
            where: what messages call it.
            spool: takes new layers whose size must be known before they are written.
            new: the image.
            finish: is called when the archive is complete.

        Raises:
            Unsupported: Docker 20.10 can't read that compression here.
        """
        self.compression = archive_compression(new.image, new.compression)
        if self.compression.kind == Codec.ZSTD:
            raise Unsupported(
                "Docker 20.10 loads no zstd layers from a docker-archive; use gzip, or oci-archive:"
            )
        self._tar = ArchiveWriter(out, where)
        self._spool, self._opener, self._finish = spool, new.opener, finish
        self._advance = new.advance
        self._files: list[str] = []
        self._written: dict[Digest, tuple[str, Descriptor]] = {}  # a repeated layer, once

    def put_layer(self, layer: Layer) -> Descriptor:
        """Take a layer that stays; it is stored as all are."""
        if layer.diff_id in self._written:
            name, stored = self._written[layer.diff_id]
            self._files.append(name)
            return stored
        if layer.compression == self.compression.kind == Codec.GZIP:
            stored = self._copy(layer)
        else:
            tar = self._opener.open([layer])[0]
            stored = self.put_merged(AsItIs.of(layer, tar, self._advance)).descriptor
        self._written[layer.diff_id] = self._files[-1], stored
        return stored

    def _copy(self, layer: Layer) -> Descriptor:
        self._tar.begin(self._next(), layer.blob.size)
        digest, size = copy_stored(layer, self._tar.write, self._advance)
        self._tar.end(size)
        return Descriptor(oci_layer(layer.compression), digest, size)

    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer. Its size is known, so a plain one goes straight out."""
        if self.compression.kind == Codec.NONE:
            self._tar.begin(self._next(), merged.size)
            diff_id = self._put_plain(merged)
            self._tar.end(merged.size)
            return Packed(diff_id, Descriptor(oci_layer(Codec.NONE), diff_id, merged.size))
        return self.put_packed(*spool_packed(merged, self.compression, self._spool))

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Take a new layer that is packed already."""
        self._tar.begin(self._next(), packed.size)
        self._tar.copy(file)
        self._tar.end(packed.size)
        return packed

    def _put_plain(self, merged: Merged) -> Digest:
        if isinstance(merged, AsItIs):  # inside the kernel, where that works
            self._tar.copy(merged.tar, merged.advance)
            return merged.diff_id
        return merged.write_to(self._tar.write)

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Write config and ``manifest.json``, which makes it an image."""
        del manifest  # a docker-archive has none
        name = f"{config.digest.hex}.json"
        self._tar.add(name, config.raw)
        familiar = list(dict.fromkeys(Reference.parse_tag(tag).familiar for tag in tags))
        entry = {"Config": name, "RepoTags": familiar or None, "Layers": self._files}
        self._tar.add(MANIFEST, format_json([entry]))
        self._tar.close()
        self._finish()
        return str(config.digest)

    def _next(self) -> str:
        name = f"layer-{len(self._files) + 1:03d}.tar"
        self._files.append(name)
        return name


def _is_gzip(layer: Layer) -> bool:
    if layer.descriptor is not None:  # of a remote layer the first bytes would cost a request
        return layer.descriptor.media_type.endswith("gzip")
    return layer.compression == Codec.GZIP
