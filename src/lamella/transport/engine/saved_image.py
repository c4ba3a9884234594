"""An `Image` out of what was kept of a save."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from lamella.cores import usable_cores
from lamella.errors import EngineError, MalformedImage
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.compression import open_plain
from lamella.layer.partial.headers import NotFetched, has_content, keep_headers
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import is_foreign
from lamella.transport.engine.save import Saved, SaveSelection
from lamella.transport.file.docker_archive import MANIFEST, ArchiveImage
from lamella.transport.file.oci_layout import blob_name

__all__ = ["assemble"]


def assemble(
    saved: Saved, wanted: SaveSelection, described: Image, spool: Spool, *, with_manifest: bool
) -> Image:
    """Return the whole image, with those layers readable that were wanted.

    Args:
        saved: what was kept.
        wanted: what it was kept for.
        described: the image as the engine described it before.
        spool: takes the headers of compressed layers.
        with_manifest: whether the engine keeps one; the classic store makes one up for each save.

    Raises:
        EngineError: the image changed meanwhile, or the engine has not all of it.
        MalformedImage: what the engine saved makes no sense.
        DigestMismatch: a layer isn't what the config says.
    """
    where = described.name
    entry = _entry(saved, where)
    raw = saved.metadata.get(saved.resolve(entry.config))
    if raw is None:
        raise EngineError(f"{where}: the engine saved it without its config")
    config = Config.parse(raw, f"{where}: config")
    if config.diff_ids != wanted.diff_ids or len(entry.layers) != len(wanted.diff_ids):
        raise EngineError(f"{where}: the image changed while it was read; try again")
    manifest = _manifest(saved, config, where) if with_manifest else None
    parts = _SavedImage(saved, wanted, config, manifest, where)
    names = [saved.resolve(name) for name in entry.layers]
    layers = [parts.layer(position, name) for position, name in enumerate(names)]
    return replace(
        described,
        config=config,
        layers=tuple(_reduce(layers, wanted, spool)),
        manifest=manifest,
    )


def _entry(saved: Saved, where: str) -> ArchiveImage:
    try:
        return ArchiveImage.parse(saved.metadata[MANIFEST], where)[0]
    except KeyError as error:
        raise MalformedImage(where, f"the engine's archive has no sound {MANIFEST}") from error


def _manifest(saved: Saved, config: Config, where: str) -> Manifest:
    """Return the manifest that names the config, wherever under the index it is."""
    for raw in saved.metadata.values():
        if str(config.digest).encode() in raw and b'"layers"' in raw.lower():
            manifest = Manifest.parse(raw, f"{where}: manifest")
            if manifest.config.digest == config.digest:
                config.layers(manifest.layers, where)  # as many
                return manifest
    raise EngineError(f"{where}: the engine saved it without its manifest")


@dataclass(frozen=True)
class _SavedImage:
    saved: Saved
    wanted: SaveSelection
    config: Config
    manifest: Manifest | None
    where: str

    def layer(self, position: int, name: str) -> Layer:
        diff_id = self.config.diff_ids[position]
        where = f"{self.where}: layer {position + 1}"
        descriptor = self.manifest.layers[position] if self.manifest else None
        if descriptor is not None:
            name = blob_name(descriptor.digest)
        if name not in self.saved.sizes:
            return self._missing(diff_id, where, descriptor)
        blob = self.saved.blobs.get(name)
        if blob is None or position not in self.wanted.content | self.wanted.listed:
            absent = NotFetched(where, self.saved.sizes[name])
            return Layer(diff_id, absent, where, descriptor, verified=True)
        plain = descriptor is None or descriptor.digest == diff_id
        return Layer(diff_id, blob, where, descriptor, verified=plain)

    def _missing(self, diff_id: Digest, where: str, descriptor: Descriptor | None) -> Layer:
        if descriptor is not None and is_foreign(descriptor.media_type):
            absent = NotFetched(where, descriptor.size)
            return Layer(diff_id, absent, where, descriptor, verified=True)
        lost = descriptor.digest if descriptor else diff_id
        raise EngineError(f"{where}: the engine's store lacks {lost}; pull or load the image again")


def _reduce(layers: Sequence[Layer], wanted: SaveSelection, spool: Spool) -> list[Layer]:
    """Keep the headers alone of compressed layers whose content isn't wanted."""

    def reduced(position: int, layer: Layer) -> Layer:
        if position in wanted.content or layer.verified or not has_content(layer):
            return layer
        kind, where = layer.compression, layer.where
        with layer.blob.open() as stream, closing(open_plain(stream, kind, where)) as plain:
            headers = keep_headers(plain, spool, layer.diff_id, layer.where)
        return replace(layer, blob=headers, verified=True)

    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(reduced, range(len(layers)), layers))
