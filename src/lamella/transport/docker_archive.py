"""``docker-archive:FILE[:TAG]``: what `docker save` and `podman save` write.

A tar with ``manifest.json``: a list of images, each with its config, its tags and its layers.
The layout before Docker 25 (``ID/layer.tar``, repeated layers as symlinks) and since (``blobs/…``,
with an OCI index beside it that is sometimes wrong, so ``manifest.json`` is what counts) are read
alike. What is written is the older, simpler form: Docker since 1.10, Podman and skopeo load it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

from lamella.errors import (
    Ambiguous,
    DigestMismatch,
    MalformedImage,
    Unsupported,
    UsageError,
)
from lamella.image import Image
from lamella.layer.blob import Layer, Merged
from lamella.layer.compression import NONE, Compression
from lamella.layer.spool import Layers, Spool
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.spec.reference import Reference
from lamella.transport.base import AsItIs, copy_stored, spool_packed
from lamella.transport.oci_layout import LayoutFiles
from lamella.transport.tarball import ArchiveWriter

__all__ = ["ArchiveImage", "DockerArchiveWriter", "images_in", "read_image"]

MANIFEST = "manifest.json"
# Since Docker 25 a config lies where its digest says. The older `DIGEST.json` is just a name: no
# engine checks it, and tools write others.
_NAMED_BY_DIGEST = re.compile(r"blobs/sha256/([0-9a-f]{64})")


class ArchiveImage:
    """One entry of ``manifest.json``."""

    def __init__(self, entry: Any, number: int, where: str) -> None:  # noqa: ANN401 - parsed JSON
        place = f"{where}: {MANIFEST}: image {number}"
        if not isinstance(entry, dict):
            raise MalformedImage(place, f"want an object, found {entry!r:.60}")
        layers, tags = entry.get("Layers") or [], entry.get("RepoTags") or []
        texts = [entry.get("Config"), *layers, *tags] if _are_lists(layers, tags) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise MalformedImage(place, "want the names of a config, of layers and of tags")
        self.config: str = entry["Config"]
        self.layers: list[str] = layers
        self.tags: tuple[str, ...] = tuple(tags)


def _are_lists(*values: object) -> bool:
    return all(isinstance(value, list) for value in values)


def images_in(archive: LayoutFiles) -> list[ArchiveImage]:
    """List the images of an archive.

    Raises:
        MalformedImage: it has no ``manifest.json``, or a broken one.
    """
    if MANIFEST not in archive:
        if "repositories" in archive:
            what = "made by Docker before 1.10, which had no manifest.json; load and save it anew"
        elif "index.json" in archive:
            what = f"not a docker-archive but an OCI image layout; try oci-archive:{archive.where}"
        else:
            what = "not an image archive: it has neither manifest.json nor index.json"
        raise MalformedImage(archive.where, what)
    try:
        entries = json.loads(archive.read(MANIFEST))
    except (ValueError, RecursionError) as error:
        raise MalformedImage(f"{archive.where}: {MANIFEST}", f"no valid JSON ({error})") from error
    if not isinstance(entries, list) or not entries:
        raise MalformedImage(f"{archive.where}: {MANIFEST}", "want a list of images")
    return [ArchiveImage(entry, i, archive.where) for i, entry in enumerate(entries, 1)]


def _choose(images: Sequence[ArchiveImage], wanted: str, where: str) -> ArchiveImage:
    """Find an image by tag, or by ``@N`` from 0 as skopeo has it."""
    if not wanted:
        if len(images) == 1:
            return images[0]
        names = ", ".join(i.tags[0] if i.tags else f"@{n}" for n, i in enumerate(images))
        message = f"{where} has {len(images)} images; choose one with {where}:TAG: {names}"
        raise Ambiguous(message)
    if wanted[0] == "@" and wanted[1:].isdecimal() and int(wanted[1:]) < len(images):
        return images[int(wanted[1:])]
    name = Reference.parse_tag(wanted).familiar if wanted[0] != "@" else wanted
    found = [i for i in images if name in {Reference.parse_tag(tag).familiar for tag in i.tags}]
    if not found:
        tags = ", ".join(tag for image in images for tag in image.tags) or "none"
        message = f"no image {wanted!r} in {where}; its tags: {tags}"
        raise UsageError(message)
    return found[0]


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
        raise DigestMismatch(f"{archive.where}: config", f"sha256:{named[1]}", Digest.of(raw))
    config = Config.parse(raw, f"{archive.where}: config {chosen.config}")
    if len(config.diff_ids) != len(chosen.layers):
        message = (
            f"its config lists {len(config.diff_ids)} layers, manifest.json {len(chosen.layers)}"
        )
        raise MalformedImage(archive.where, message)
    layers = tuple(
        Layer(diff_id, archive.range(file), f"{archive.where}: layer {n}")
        for n, (diff_id, file) in enumerate(zip(config.diff_ids, chosen.layers, strict=True), 1)
    )
    return Image(name, config, layers, tags=chosen.tags)


class DockerArchiveWriter:
    """Writes one image as a docker-archive, front to back: it can go into a pipe."""

    def __init__(self, out: BinaryIO, where: str, spool: Spool) -> None:
        self._tar = ArchiveWriter(out, where)
        self._spool = spool
        self._files: list[str] = []
        self._written: dict[Digest, tuple[str, Descriptor]] = {}  # a repeated layer, once
        self._compression = NONE

    def default_compression(self, image: Image) -> Compression:
        """Plain, as `docker save` writes layers; gzip if all of the image's layers are."""
        return Compression("gzip") if all(map(_is_gzip, image.layers)) else NONE

    def expect(self, compression: Compression) -> None:
        """Learn how all layers will be stored, those that stay too.

        They must be alike, for crane takes every layer for what the first one is.

        Raises:
            Unsupported: Docker 20.10 can't read that compression here.
        """
        if compression.kind == "zstd":
            raise Unsupported(
                "Docker 20.10 loads no zstd layers from a docker-archive; use gzip, or oci-archive:"
            )
        self._compression = compression

    def put_layer(self, layer: Layer, layers: Layers) -> Descriptor:
        """Take a layer that stays; it is stored as all are (see `expect`)."""
        if layer.diff_id in self._written:
            name, stored = self._written[layer.diff_id]
            self._files.append(name)
            return stored
        if layer.compression == self._compression.kind == "gzip":
            stored = self._copy(layer)
        else:
            tar = layers.open([layer])[0]
            stored = self.put_merged(AsItIs(tar, layer.diff_id), self._compression)[1]
        self._written[layer.diff_id] = self._files[-1], stored
        return stored

    def _copy(self, layer: Layer) -> Descriptor:
        self._tar.begin(self._next(), layer.blob.size)
        digest, size = copy_stored(layer, self._tar.write)
        self._tar.end(size)
        return Descriptor(oci_layer(layer.compression), digest, size)

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer. Its size is known, so a plain one goes straight out."""
        name = self._next()
        if compression.kind == "none":
            self._tar.begin(name, merged.size)
            diff_id = self._put_plain(merged)
            self._tar.end(merged.size)
            return diff_id, Descriptor(oci_layer("none"), diff_id, merged.size)
        packed, file = spool_packed(merged, compression, self._spool)
        self._tar.begin(name, packed.size)
        self._tar.copy(file)
        self._tar.end(packed.size)
        stored = Descriptor(oci_layer(compression.kind), packed.digest, packed.size)
        return packed.diff_id, stored

    def _put_plain(self, merged: Merged) -> Digest:
        if isinstance(merged, AsItIs):  # inside the kernel, where that works
            self._tar.copy(merged.tar)
            return merged.diff_id
        return merged.write_to(self._tar.write)

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Write config and ``manifest.json``, which makes it an image."""
        del manifest  # a docker-archive has none
        name = f"{config.digest.hex}.json"
        self._tar.add(name, config.raw)
        familiar = [Reference.parse_tag(tag).familiar for tag in tags]
        entry = {"Config": name, "RepoTags": familiar or None, "Layers": self._files}
        self._tar.add(MANIFEST, format_json([entry]))
        self._tar.close()
        return str(config.digest)

    def _next(self) -> str:
        name = f"layer-{len(self._files) + 1:03d}.tar"
        self._files.append(name)
        return name


def _is_gzip(layer: Layer) -> bool:
    if layer.descriptor is not None:  # of a remote layer the first bytes would cost a request
        return layer.descriptor.media_type.endswith("gzip")
    return layer.compression == "gzip"
