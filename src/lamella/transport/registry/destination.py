"""Putting an image into a registry: what it lacks is sent, what it has is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import TYPE_CHECKING, Self

from lamella.errors import DigestMismatch, EngineError, Unsupported
from lamella.image import Image
from lamella.layer.blob import Blob, Bytes, Layer, Merged
from lamella.layer.compress import Packed, write_packed
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.progress import Progress
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import (
    OCI_MANIFEST,
    compression_of,
    docker_layer,
    is_foreign,
    oci_layer,
)
from lamella.transport.base import AsItIs, Source, copy_stored, spool_packed, staying
from lamella.transport.index import Artifact
from lamella.transport.registry.client import Registry
from lamella.transport.registry.name import RegistryName
from lamella.transport.registry.options import RegistryOptions
from lamella.transport.registry.source import RemoteBlob
from lamella.waiting import Stoppable, finish

if TYPE_CHECKING:
    from lamella.transport.registry.repository import Repository

__all__ = ["RegistryDestination"]

_AT_ONCE = 4
"""Layers that are looked for, mounted or copied at the same time."""


class RegistryDestination:
    """A repository; a `transport.base.Destination`. Nothing is seen before the manifest is there.

    Layers that stay are seen to in the background; `commit` waits for them.
    """

    def __init__(
        self, name: RegistryName, spool: Spool, options: RegistryOptions, progress: Progress
    ) -> None:
        self._name, self._spool, self._options = name, spool, options
        self._progress = progress
        self._docker = False
        self._pending: list[Future[None]] = []
        self._passing: list[Stoppable] = []
        """Kept layers that come from elsewhere, and may be waited for."""

    def __enter__(self) -> Self:
        """Reach the registry now: it would be late to learn after the work that there is none."""
        from lamella.transport.registry.repository import (  # noqa: PLC0415 - imports urllib3
            Repository,
        )

        self._registry = Registry(self._name.host, self._options)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lamella-push")
        try:
            self._registry.find()
            self._repository: Repository = Repository(
                self._registry, self._name.repository, write=True
            )
        except BaseException:
            self._registry.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Hang up, at once after an error. Blobs without a manifest are the registry's to clear."""
        if error[0] is not None:
            self._registry.stop()
            for blob in self._passing:
                blob.stop()
        finish(self._pool)
        self._registry.close()

    # -- layers

    def join(self, source: Source) -> None:
        """Each layer tells by itself where it is: see `_is_near`."""

    def needs(self, image: Image, ranges: Sequence[range]) -> frozenset[int]:
        """Positions of layers that stay, but for those that this very registry has."""
        self._docker = image.manifest is not None and image.manifest.is_docker
        kept = staying(image, ranges)
        return frozenset(p for p in kept if not self._is_near(image.layers[p].blob))

    def _is_near(self, blob: Blob) -> bool:
        """Whether a blob is in this very registry, so that its bytes need not pass through us."""
        return isinstance(blob, RemoteBlob) and blob.repository.registry.host == self._name.host

    def default_compression(self, image: Image) -> Compression:
        """Return that of the source's layers: gzip, or zstd where the newest are so."""
        layers = image.manifest.layers if image.manifest else ()
        kinds = [compression_of(descriptor.media_type) for descriptor in layers]
        return Compression(next((kind for kind in reversed(kinds) if kind != "none"), "gzip"))

    def expect(self, kept: Sequence[Layer], new: int, compression: Compression) -> None:
        """Nothing: how much room a registry has it doesn't say."""

    def put_layer(self, layer: Layer, opener: LayerOpener) -> Descriptor:
        """Take a layer in its stored form; what is stored plain without a descriptor is packed."""
        descriptor = layer.descriptor
        blob = layer.blob
        if descriptor is None:
            descriptor, blob = self._described(layer, opener)
        if not is_foreign(descriptor.media_type):
            if isinstance(blob, Stoppable):
                self._passing.append(blob)
            self._pending.append(self._pool.submit(self._ensure, descriptor, blob, layer.where))
        return descriptor

    def _described(self, layer: Layer, opener: LayerOpener) -> tuple[Descriptor, Blob]:
        """Return the form in which a layer out of a docker-archive or an engine is stored."""
        if layer.compression in {"gzip", "zstd"} and not (
            self._docker and layer.compression == "zstd"
        ):
            digest, size = copy_stored(layer, lambda _: None)
            return Descriptor(oci_layer(layer.compression), digest, size), layer.blob
        tar = opener.open([layer])[0]
        merged = AsItIs(tar, layer.diff_id)
        packed, blob = spool_packed(merged, Compression("gzip"), self._spool)
        return Descriptor(oci_layer("gzip"), packed.digest, packed.size), blob

    def _ensure(self, descriptor: Descriptor, blob: Blob, where: str) -> None:
        """See to it that the repository has a blob: look, mount, send."""
        from lamella.transport.registry.upload import (  # noqa: PLC0415 - imports urllib3
            mount_blob,
            put_blob,
        )

        digest, repository = descriptor.digest, self._repository
        if repository.has_blob(digest):
            return
        if isinstance(blob, RemoteBlob) and self._is_near(blob):
            self._progress.debug(f"{where}: mount from {blob.repository.name}")
            if mount_blob(repository, digest, blob.repository.name):
                return
        if blob.size != descriptor.size:
            raise DigestMismatch(where, f"{descriptor.size} bytes", f"{blob.size} bytes")
        self._progress.debug(f"{where}: send {digest}")
        put_blob(repository, blob, digest, self._progress.advance)

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer, which is sent while it is made.

        Raises:
            Unsupported: the image's manifest has no name for such a layer.
        """
        if self._docker and compression.kind == "zstd":
            raise Unsupported(
                "zstd layers can't be in a Docker manifest (schema 2), which this image has; "
                "use --compression gzip, or convert the image to OCI first"
            )
        media_type = oci_layer(compression.kind)
        if self._docker:
            media_type = docker_layer(media_type)
        packed = self._send_packed(merged, compression, "the merged layer")
        return packed.diff_id, Descriptor(media_type, packed.digest, packed.size)

    def _send_packed(self, merged: Merged, compression: Compression, where: str) -> Packed:
        """Pack a layer and send it, in pieces while it is packed unless it is small.

        What a registry doesn't take in pieces is packed again, into the spool, and sent as a whole.
        """
        from lamella.transport.registry.client import Refused  # noqa: PLC0415 - as above
        from lamella.transport.registry.upload import (  # noqa: PLC0415 - imports urllib3
            NO_PIECES,
            Outgoing,
        )

        blob: Blob | None = None
        try:
            with Outgoing(self._repository) as outgoing:
                packed = write_packed(merged, compression, outgoing.write)
                whole = outgoing.finish(packed.digest)
            blob = Bytes(whole) if whole is not None else None
        except Refused as refused:
            if refused.status not in NO_PIECES:
                raise
            self._progress.debug(f"{where}: sending it as a whole, since {refused}")
            packed, blob = spool_packed(merged, compression, self._spool)
        if blob is not None:
            self._ensure(Descriptor("", packed.digest, packed.size), blob, where)
        return packed

    # -- the image

    def stored_manifest(self, manifest: Manifest) -> Manifest:
        """Return it as it is: registries keep both dialects."""
        return manifest

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Wait for the layers; then the config; then the manifest, under each of its names.

        Raises:
            EngineError: the registry refused it. The message tells which names were given.
        """
        for pending in self._pending:
            pending.result()
        own = Descriptor("", config.digest, len(config.raw))
        self._ensure(own, Bytes(config.raw), "the config")
        self._publish(manifest.raw, manifest.media_type or OCI_MANIFEST, tags)
        return str(config.digest)

    def _publish(self, raw: bytes, media_type: str, tags: Sequence[str]) -> None:
        from lamella.transport.registry.repository import Stored  # noqa: PLC0415 - imports urllib3

        stored = Stored(raw, media_type, Digest.of(raw))
        done: list[str] = []
        references = [RegistryName.parse(tag, host=self._name.host).tag for tag in tags]
        for reference in references or [str(stored.digest)]:
            try:
                self._repository.put_manifest(stored, reference)
            except EngineError as error:
                if not done:
                    raise
                message = f"{error}; the new image is {stored.digest}, tagged {', '.join(done)}"
                raise EngineError(message) from error
            done.append(reference)

    # -- an index; see `transport.index.TakesIndex`

    def for_platform(self) -> RegistryDestination:
        """Return what takes one image of an index; it shares this one's connections."""
        one = copy(self)
        one._docker, one._pending = False, []  # noqa: SLF001 - of the same class
        return one

    def put_artifact(self, descriptor: Descriptor, artifact: Artifact) -> None:
        """Take something that is no image, as it is."""
        for blob_descriptor, blob in artifact.blobs:
            self._ensure(blob_descriptor, blob, descriptor.digest.short)
        self._publish(artifact.raw, descriptor.media_type, ())

    def stored_index(self, index: Index) -> Index:
        """Return it as it is."""
        return index

    def put_nested(self, index: Index) -> None:
        """Take an index that is listed in another."""
        self._publish(index.raw, index.media_type, ())

    def commit_index(self, index: Index, tags: Sequence[str]) -> None:
        """Publish an index under each of its names.

        Raises:
            EngineError: the registry refused it. The message tells which names were given.
        """
        self._publish(index.raw, index.media_type, tags)
