"""Putting an image into a Docker engine: what it lacks is sent, looked at, and only then named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from lamella.errors import EngineError, Unsupported
from lamella.image import Image
from lamella.layer.blob import Blob, Layer, Merged
from lamella.layer.compression import NONE, Compression
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import has_content
from lamella.layer.spool import Spool
from lamella.progress import Progress
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import compression_of, oci_layer
from lamella.transport.base import Source, copy_stored, spool_packed, staying
from lamella.transport.engine.connect import connect
from lamella.transport.engine.description import diff_ids_of
from lamella.transport.engine.load_body import (
    LoadRefused,
    Piece,
    TarBody,
    docker_archive,
    oci_archive,
    podman_manifest,
)
from lamella.transport.engine.load_request import LoadRequest
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.source import EngineSource

if TYPE_CHECKING:
    from lamella.transport.engine.client import EngineClient

__all__ = ["EngineDestination"]

_PATIENCE = 5.0
"""Seconds that an interrupted load is given to show its image."""


class EngineDestination:
    """A `transport.base.Destination`: loads what the engine lacks, checks, then tags."""

    _refetch: Callable[[], Image] | None = None
    """Returns the image with all its content."""
    _is_within = False
    """The image comes from this very engine."""

    def __init__(self, spool: Spool, options: EngineOptions, progress: Progress) -> None:
        self._spool, self.options, self._progress = spool, options, progress
        self._pieces: list[Piece] = []
        self._kept: list[tuple[Layer, LayerOpener] | None] = []
        """What each piece is made of; None for new layers."""
        self._there: set[int] = set()
        """Pieces that the engine was seen to have."""
        self._chains: list[tuple[str, ...]] = []
        self._unseen: Iterator[tuple[str, ...]] | None = None
        self._existed = False

    def __enter__(self) -> Self:
        """Reach the engine now: it would be late to learn after the work that there is none."""
        self._client: EngineClient = connect(self.options)
        try:
            self._containerd = self._client.has_containerd_store
            self._podman = self._client.is_podman
        except BaseException:
            self._client.close()
            raise
        self._request = LoadRequest(self._client)
        return self

    def __exit__(self, *error: object) -> None:
        """Hang up; a load that is not finished makes no image."""
        self._request.drop()
        self._client.close()

    def join(self, source: Source) -> None:
        """Know where to get what the engine turns out not to have."""
        self._refetch = partial(_all_of, source)
        if isinstance(source, EngineSource) and source.options == self.options:
            self._is_within = True
            source.use(self._client)

    # -- layers

    def default_compression(self, image: Image) -> Compression:
        """Plain for the classic store, which unpacks layers; else as the image's others are."""
        if not self._containerd:
            return NONE
        if image.manifest is None:
            return Compression("gzip")
        kinds = [compression_of(layer.media_type) for layer in reversed(image.manifest.layers)]
        return Compression(next((kind for kind in kinds if kind != "none"), "none"))

    def needs(self, image: Image, ranges: Sequence[range]) -> frozenset[int]:
        """Positions of layers that stay, but whose content this engine lacks.

        It is asked before anything is fetched. Where the image is its own it has all of it; but the
        classic store finds layers by the stack they end, so what is above a new layer has to be
        sent again.
        """
        kept = staying(image, ranges)
        if self._is_within and self._containerd:
            return frozenset()  # by digests that are not known yet
        if self._is_within:
            self._chains.append(tuple(map(str, image.diff_ids)))
        below = min((r.start for r in ranges), default=len(image.layers))
        stacks = [image.diff_ids[: p + 1] if p < below else () for p in range(len(image.layers))]
        return frozenset(p for p in kept if not self._has(image.layers[p], stacks[p]))

    def expect(self, kept: Sequence[Layer], new: int, compression: Compression) -> None:
        """Nothing: how much room an engine has it doesn't say."""

    def put_layer(self, layer: Layer, opener: LayerOpener) -> Descriptor:
        """Take note of a layer that stays; it is sent, if at all, with the commit."""
        on_new = None in self._kept
        stack = () if on_new else (*(piece.diff_id for piece in self._pieces), layer.diff_id)
        if self._has(layer, stack):
            self._there.add(len(self._pieces))
            piece = self._without_bytes(layer)
        else:
            piece = self._to_send(layer, opener)
        self._pieces.append(piece)
        self._kept.append((layer, opener))
        return piece.descriptor

    def _has(self, layer: Layer, stack: Sequence[Digest]) -> bool:
        """Whether the engine has a layer where it is to be. If it lost it, the load will tell.

        Args:
            layer: one that stays.
            stack: diff_ids of all layers up to it; none if it comes to stand on a new layer.
        """
        if self._containerd:
            # What is kept under a digest can't be asked for. That the digest is there is sure if it
            # was seen in this very store, likely if the layer is, in whatever form; what is missing
            # shows in the new image, but not in Docker 26.
            seen = self._is_within or not has_content(layer)
            return layer.descriptor is not None and (seen or self._is_likely(layer.diff_id))
        if self._podman:
            return self._is_within or self._knows(layer.diff_id)
        chain = tuple(map(str, stack))
        return bool(chain) and any(k[: len(chain)] == chain for k in self._known_chains())

    def _is_likely(self, diff_id: Digest) -> bool:
        return self._client.api_at_least(1, 48) and self._knows(diff_id)

    def _knows(self, diff_id: Digest) -> bool:
        return any(str(diff_id) in known for known in self._known_chains())

    def _known_chains(self) -> Iterator[tuple[str, ...]]:
        """The layers of each image in the engine; it is asked for one after another, and once."""
        yield from self._chains
        if self._unseen is None:
            self._unseen = self._ask_for_chains()
        for chain in self._unseen:
            self._chains.append(chain)
            yield chain

    def _ask_for_chains(self) -> Iterator[tuple[str, ...]]:
        for listed in self._client.images():
            found = self._client.find(listed["Id"])
            if found is not None:
                yield tuple(diff_ids_of(found))

    def _to_send(self, layer: Layer, opener: LayerOpener) -> Piece:
        if not has_content(layer):
            return self._without_bytes(layer)  # `commit` will see to it
        readable = {"gzip", "zstd"} if self._containerd else {"gzip"}
        if layer.compression in readable:
            descriptor = layer.descriptor
            if descriptor is None:
                digest, size = copy_stored(layer, lambda _: None)
                descriptor = Descriptor(oci_layer(layer.compression), digest, size)
            return Piece(layer.diff_id, descriptor, layer.blob, check=True, where=layer.where)
        tar = cast("Blob", opener.open([layer])[0])
        descriptor = layer.descriptor if layer.compression == "none" else None
        plain = Descriptor(oci_layer("none"), layer.diff_id, tar.size)
        return Piece(layer.diff_id, descriptor or plain, tar, where=layer.where)

    def _without_bytes(self, layer: Layer) -> Piece:
        """Name a layer as the engine finds it: Podman, in whatever form it came, by its diff_id."""
        plain = Descriptor(oci_layer("none"), layer.diff_id, layer.blob.size)
        descriptor = None if self._podman else layer.descriptor
        return Piece(layer.diff_id, descriptor or plain, None, where=layer.where)

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer: into the load, or into the spool where its digest has to come first."""
        if not self._containerd and compression.kind != "none":
            self._progress.note("this engine keeps layers unpacked: --compression has no effect")
            compression = NONE
        if self._containerd or self._podman:
            packed, blob = spool_packed(merged, compression, self._spool)
            descriptor = Descriptor(oci_layer(compression.kind), packed.digest, packed.size)
            piece = Piece(packed.diff_id, descriptor, blob)
        else:
            name, diff_id = self._request.put(merged)
            descriptor = Descriptor(oci_layer("none"), diff_id, merged.size)
            piece = Piece(diff_id, descriptor, None, name=name)
        self._pieces.append(piece)
        self._kept.append(None)
        return piece.diff_id, piece.descriptor

    # -- the image

    def stored_manifest(self, manifest: Manifest) -> Manifest | None:
        """Return it as it is; None unless the store is containerd's, which alone keeps it."""
        return manifest if self._containerd else None

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
                name = self.options.name(tag)
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
        """Load without the layers that are there; if that fails, with all of them."""
        problem: EngineError | None = None
        if all(p.blob or p.name or i in self._there for i, p in enumerate(self._pieces)):
            problem = self._try(config, manifest, image_id)
            if problem is None:
                return
            if not self._there:
                raise problem
            self._progress.debug(f"sending all layers, since {problem}")
            self._discard(image_id)
        self._complete(problem)
        problem = self._try(config, manifest, image_id)
        if problem is not None:
            raise problem

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
        if self._podman:
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

    def _complete(self, problem: EngineError | None) -> None:
        """Get the content of all layers that were left out."""
        image: Image | None = None
        for i, (piece, kept) in enumerate(zip(self._pieces, self._kept, strict=True)):
            if piece.blob is not None or kept is None:
                continue
            layer, layers = kept
            if not has_content(layer) and self._refetch is not None:
                image = image or self._refetch()
            whole = layer if has_content(layer) else _same(layer, image)
            if whole is None:
                message = f"{piece.where}: {self._client} lacks it, and its content was not fetched"
                raise problem or Unsupported(message)
            layers.check(whole)
            self._pieces[i] = self._to_send(whole, layers)
            layers.verify()  # it was before the commit, but then these were not opened

    def _discard(self, image_id: str) -> None:
        """Remove what was loaded, unless it was there before."""
        if not self._existed:
            with suppress(EngineError):
                self._client.remove(image_id)


def _all_of(source: Source) -> Image:
    return source.fetch(frozenset(range(len(source.describe().layers))), frozenset())


def _same(layer: Layer, image: Image | None) -> Layer | None:
    """Find a layer again in another reading of its image."""
    for other in image.layers if image is not None else ():
        if (other.diff_id, other.descriptor) == (layer.diff_id, layer.descriptor):
            return other
    return None
