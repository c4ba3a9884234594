"""One image on its way into an engine: its parts, the load, a look at it, and its names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from lamella.errors import EngineError, Unsupported
from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer, Merged
from lamella.layer.compress import Packed
from lamella.layer.compression import Compression
from lamella.layer.partial.headers import has_content
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.transport.base import (
    ImageWriter,
    LayersMissing,
    NewImage,
    copy_stored,
    spool_packed,
)
from lamella.transport.engine.description import diff_ids_of
from lamella.transport.engine.inventory import Engine
from lamella.transport.engine.load_body import (
    LoadRefused,
    SentLayer,
    TarBody,
    docker_archive,
    oci_archive,
    podman_manifest,
)
from lamella.transport.engine.load_request import LoadRequest

__all__ = ["EngineImage"]

_PATIENCE = 5.0
"""Seconds that an interrupted load is given to show its image."""


class EngineImage(ImageWriter):
    """An image that is loaded, as far as the engine lacks it, checked, then tagged."""

    def __init__(
        self, engine: Engine, request: LoadRequest, new: NewImage, compression: Compression
    ) -> None:
        self._client, self._inventory = engine.client, engine.inventory
        self._options, self._spool = engine.options, engine.env.spool
        self._progress = engine.env.progress
        self._containerd = engine.inventory.has_containerd_store
        self._request, self.compression = request, compression
        self._opener, self._seen = new.opener, new.source.home == engine.options
        self._pieces: list[SentLayer] = []
        self._kept: list[Layer | None] = []
        """What each piece is made of; None for new layers."""
        self._there: set[int] = set()
        """Pieces that the engine was seen to have."""
        self._existed = False
        self._problem: EngineError | None = None
        """Why layers that were left out are to be sent after all."""

    # -- layers

    def put_layer(self, layer: Layer) -> Descriptor:
        """Take note of a layer that stays; it is sent, if at all, with the commit."""
        on_new = None in self._kept
        stack = () if on_new else (*(piece.diff_id for piece in self._pieces), layer.diff_id)
        if self._inventory.has(layer, stack, seen=self._seen):
            self._there.add(len(self._pieces))
            piece = self._without_bytes(layer)
        else:
            piece = self._to_send(layer)
        self._pieces.append(piece)
        self._kept.append(layer)
        return piece.descriptor

    def _to_send(self, layer: Layer) -> SentLayer:
        if not has_content(layer):
            return self._without_bytes(layer)  # `commit` will see to it
        readable = {Codec.GZIP, Codec.ZSTD} if self._containerd else {Codec.GZIP}
        if layer.compression in readable:
            descriptor = layer.descriptor
            if descriptor is None:
                digest, size = copy_stored(layer, lambda _: None, self._progress.advance)
                descriptor = Descriptor(oci_layer(layer.compression), digest, size)
            return SentLayer(layer.diff_id, descriptor, layer.blob, check=True, where=layer.where)
        tar = cast("Blob", self._opener.open([layer])[0])
        descriptor = layer.descriptor if layer.compression == Codec.NONE else None
        plain = Descriptor(oci_layer(Codec.NONE), layer.diff_id, tar.size)
        return SentLayer(layer.diff_id, descriptor or plain, tar, where=layer.where)

    def _without_bytes(self, layer: Layer) -> SentLayer:
        """Name a layer as the engine finds it: Podman, in whatever form it came, by its diff_id."""
        plain = Descriptor(oci_layer(Codec.NONE), layer.diff_id, layer.blob.size)
        descriptor = None if self._client.is_podman else layer.descriptor
        return SentLayer(layer.diff_id, descriptor or plain, None, where=layer.where)

    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer: into the load, or into the spool where its digest has to come first."""
        if self._containerd or self._client.is_podman:
            return self.put_packed(*spool_packed(merged, self.compression, self._spool))
        name, diff_id = self._request.put(merged)
        packed = Packed(diff_id, Descriptor(oci_layer(Codec.NONE), diff_id, merged.size))
        return self._put_new(packed, SentLayer(diff_id, packed.descriptor, None, name=name))

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Take a new layer that is packed already; the classic store's are plain, and never are."""
        return self._put_new(packed, SentLayer(packed.diff_id, packed.descriptor, file))

    def _put_new(self, packed: Packed, piece: SentLayer) -> Packed:
        self._pieces.append(piece)
        self._kept.append(None)
        return packed

    # -- the image

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Load the image, look at it, and only then give it its names.

        Raises:
            EngineError: the engine refused it, or made something else of it; nothing has changed.
                Or a name could not be given; the message tells which were.
        """
        image_id = str(manifest.digest if self._containerd else config.digest)
        self._existed = self._client.find(image_id) is not None
        done: list[str] = []
        try:
            if not self._existed or self._fault(image_id, config):
                self._load(config, manifest, image_id)
            for tag in tags:
                name = self._options.name(tag)
                repository, _, version = name.rpartition(":")
                self._client.tag(image_id, repository, version)
                done.append(name)
        except BaseException as error:
            if not done:
                self._discard(image_id)
            if done and isinstance(error, EngineError):
                message = f"{error}; the new image is {image_id}, tagged {', '.join(done)}"
                raise EngineError(message) from error
            raise
        return image_id

    def _load(self, config: Config, manifest: Manifest, image_id: str) -> None:
        """Load without the layers that are there.

        Raises:
            LayersMissing: they aren't.
        """
        unknown = [i for i, piece in enumerate(self._pieces) if not (piece.blob or piece.name)]
        lost = [self._pieces[i].where for i in unknown if i not in self._there]
        if lost:
            raise LayersMissing(f"{lost[0]}: {self._client} lacks it")
        problem = self._try(config, manifest, image_id)
        if problem is None:
            return
        if not self._there:
            raise problem
        self._progress.debug(f"sending all layers, since {problem}")
        self._there.clear()
        self._problem = problem
        raise LayersMissing(str(problem)) from problem

    def supply(self, image: Image) -> None:
        """Send all layers that were left out; see `ImageWriter`."""
        for i, (piece, kept) in enumerate(zip(self._pieces, self._kept, strict=True)):
            if piece.blob is not None or kept is None:
                continue
            whole = kept if has_content(kept) else _same(kept, image)
            if whole is None:
                message = f"{piece.where}: {self._client} lacks it, and its content was not fetched"
                raise self._problem or Unsupported(message)
            self._opener.check(whole)
            self._pieces[i] = self._to_send(whole)
            self._opener.verify()  # it was before the commit, but then these were not opened

    def _try(self, config: Config, manifest: Manifest, image_id: str) -> EngineError | None:
        """Load; return what went wrong, unless the engine is gone."""
        body = self._body(config, manifest)
        self._progress.phase("load into the engine", len(body))
        try:
            lines = self._request.finish(body)
        except LoadRefused as refused:
            return refused
        except BaseException:
            if body.is_sent:
                self._wait_for(image_id)
            raise
        self._progress.debug("; ".join(lines))
        fault = self._fault(image_id, config)
        return EngineError(f"{self._client} loaded the image, but {fault}") if fault else None

    def _wait_for(self, image_id: str) -> None:
        """Let an interrupted load come to its end, so that what it makes can be removed.

        An engine that was sent all of it goes on when we hang up.
        """
        deadline = time.monotonic() + _PATIENCE
        with suppress(EngineError):
            while time.monotonic() < deadline and self._client.find(image_id) is None:
                time.sleep(_PATIENCE / 50)

    def _body(self, config: Config, manifest: Manifest) -> TarBody:
        advance, pieces = self._progress.advance, self._pieces
        if self._containerd:
            return oci_archive(config, manifest, pieces, advance)
        if self._client.is_podman:
            return oci_archive(config, podman_manifest(config, pieces), pieces, advance)
        return docker_archive(config, pieces, advance)

    def _fault(self, image_id: str, config: Config) -> str:
        """What is wrong with an image that was loaded; empty if it is as it should be."""
        whole = self._containerd and self._client.api_at_least(1, 48)
        found = self._client.find(image_id, manifests=whole)
        if found is None:
            return f"has no image {image_id}"
        if found["Id"] != image_id:
            return f"calls it {found['Id']} where {image_id} was expected"
        if tuple(diff_ids_of(found)) != config.diff_ids:
            return "it lacks layers"
        for part in found.get("Manifests") or ():
            if part.get("ID") == image_id and not part.get("Available"):
                return "its content is not all there"
        return ""

    def _discard(self, image_id: str) -> None:
        """Remove what was loaded, unless it was there before."""
        if not self._existed:
            with suppress(EngineError):
                self._client.remove(image_id)


def _same(layer: Layer, image: Image) -> Layer | None:
    """Find a layer again in another reading of its image."""
    for other in image.layers:
        if (other.diff_id, other.descriptor) == (layer.diff_id, layer.descriptor):
            return other
    return None
