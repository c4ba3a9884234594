"""Putting images into a registry: what it lacks is sent, what it has is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from lamella.errors import DigestMismatch, EngineError, Unsupported
from lamella.image import Image
from lamella.layer.blob import Blob, Bytes, FileRange, Layer, Merged
from lamella.layer.compress import Packed, write_packed
from lamella.layer.compression import Compression
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import (
    OCI_MANIFEST,
    docker_layer,
    is_foreign,
    oci_layer,
)
from lamella.transport.base import (
    AsItIs,
    ImageWriter,
    NewImage,
    Source,
    copy_stored,
    newest_codec,
    spool_packed,
    staying,
)
from lamella.transport.environment import Environment
from lamella.transport.index import Artifact, IndexWriter, TakesIndex
from lamella.transport.referrers import Referrer, TakesReferrers, renewed
from lamella.transport.registry.client import Refused, Registry
from lamella.transport.registry.connect import registry_of
from lamella.transport.registry.name import RegistryName
from lamella.transport.registry.referrers import put_attached
from lamella.transport.registry.repository import Repository, Stored
from lamella.transport.registry.sent import Sent
from lamella.transport.registry.source import RemoteBlob
from lamella.transport.registry.upload import NO_PIECES, Outgoing, mount_blob, put_blob
from lamella.waiting import Stoppable, finish

__all__ = ["open_repository"]

_AT_ONCE = 4
"""Layers that are looked for, mounted or copied at the same time."""


@contextmanager
def open_repository(name: RegistryName, env: Environment) -> Iterator[TakesIndex]:
    """Reach a registry now: it would be late to learn after the work that there is none.

    Nothing is seen of an image before its manifest is there. Blobs without a manifest are the
    registry's to clear.

    Raises:
        EngineError: it can't be reached.
    """
    registry = registry_of(name.host, env)
    registry.find()
    sending = _Sending(name, registry, env)
    try:
        yield _RegistryDestination(sending)
    except BaseException:
        registry.stop()
        sending.stop()
        sending.finish()
        env.connections.drop(registry)
        raise
    sending.finish()


class _Sending:
    """What is on its way into a repository."""

    def __init__(self, name: RegistryName, registry: Registry, env: Environment) -> None:
        self.name, self.env, self.progress = name, env, env.progress
        self.repository = Repository(registry, name.repository, write=True)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lamella-push")
        self._passing: list[Stoppable] = []
        """Kept layers that come from elsewhere, and may be waited for."""
        self.sent = Sent(env.progress)

    def stop(self) -> None:
        """Let what is waited for end in an error."""
        for blob in self._passing:
            blob.stop()

    def finish(self) -> None:
        """Wait for the threads."""
        finish(self._pool)

    def is_near(self, blob: Blob) -> bool:
        """Whether a blob is in this very registry, so that its bytes need not pass through us."""
        return isinstance(blob, RemoteBlob) and blob.repository.registry.host == self.name.host

    def begin(self, descriptor: Descriptor, blob: Blob, where: str) -> Future[None]:
        """See to it in the background that the repository has a blob."""
        if isinstance(blob, Stoppable):
            self._passing.append(blob)
        self.sent.expect(descriptor.size)
        return self._pool.submit(self._ensure_counted, descriptor, blob, where)

    def _ensure_counted(self, descriptor: Descriptor, blob: Blob, where: str) -> None:
        if not self.ensure(descriptor, blob, where, self.sent.advance):
            self.sent.advance(descriptor.size)

    def ensure(
        self,
        descriptor: Descriptor,
        blob: Blob,
        where: str,
        advance: Callable[[int], None] = lambda _: None,
    ) -> bool:
        """See to it that the repository has a blob: look, mount, send; return whether it was sent.

        Args:
            descriptor: what it must be.
            blob: its bytes.
            where: what messages call it.
            advance: is told how many bytes more are sent.

        Raises:
            DigestMismatch: the bytes are not as many.
            EngineError: the registry won't have it.
        """
        digest, repository = descriptor.digest, self.repository
        if repository.has_blob(digest):
            return False
        if isinstance(blob, RemoteBlob) and self.is_near(blob):
            self.progress.debug(f"{where}: mount from {blob.repository.name}")
            if mount_blob(repository, digest, blob.repository.name):
                return False
        if blob.size != descriptor.size:
            raise DigestMismatch(where, f"{descriptor.size} bytes", f"{blob.size} bytes")
        self.progress.debug(f"{where}: send {digest}")
        put_blob(repository, blob, digest, advance)
        return True

    def ensure_all(self, artifact: Artifact, descriptor: Descriptor) -> None:
        """See to it that the repository has what a manifest names that is no image."""
        for blob_descriptor, blob in artifact.blobs:
            self.ensure(blob_descriptor, blob, descriptor.digest.short)

    def publish(self, raw: bytes, media_type: str, tags: Sequence[str]) -> None:
        """Put a manifest or an index under each of its names, or under its digest alone.

        Raises:
            EngineError: the registry refused it. The message tells which names were given.
        """
        stored = Stored(raw, media_type, Digest.of(raw))
        done: list[str] = []
        references = [RegistryName.parse(tag, host=self.name.host).tag for tag in tags]
        for reference in references or [str(stored.digest)]:
            try:
                self.repository.put_manifest(stored, reference)
            except EngineError as error:
                if not done:
                    raise
                message = f"{error}; the new image is {stored.digest}, tagged {', '.join(done)}"
                raise EngineError(message) from error
            done.append(reference)


def _compression(image: Image, asked: Compression | None) -> Compression:
    newest = newest_codec(image.manifest, Codec.GZIP) if image.manifest else Codec.GZIP
    return asked or Compression(newest)


class _RegistryImage(ImageWriter):
    """One image on its way into a repository.

    Layers that stay are seen to in the background; `commit` waits for them.
    """

    def __init__(self, sending: _Sending, new: NewImage) -> None:
        manifest = new.image.manifest
        self._sending, self._opener, self._advance = sending, new.opener, new.advance
        self._docker = manifest is not None and manifest.is_docker
        self._pending: list[Future[None]] = []
        self.compression = _compression(new.image, new.compression)
        if new.ranges and self._docker and self.compression.kind == Codec.ZSTD:
            raise Unsupported(
                "zstd layers can't be in a Docker manifest (schema 2), which this image has; "
                "use `compression` gzip, or convert the image to OCI first"
            )

    def put_layer(self, layer: Layer) -> Descriptor:
        """Take a layer in its stored form; what is stored plain without a descriptor is packed."""
        descriptor = layer.descriptor
        blob = layer.blob
        if descriptor is None:
            descriptor, blob = self._described(layer)
        if not is_foreign(descriptor.media_type):
            self._pending.append(self._sending.begin(descriptor, blob, layer.where))
        return descriptor

    def _described(self, layer: Layer) -> tuple[Descriptor, Blob]:
        """Return the form in which a layer out of a docker-archive or an engine is stored."""
        if layer.compression in {Codec.GZIP, Codec.ZSTD} and not (
            self._docker and layer.compression == Codec.ZSTD
        ):
            digest, size = copy_stored(layer, lambda _: None, self._advance)
            return Descriptor(oci_layer(layer.compression), digest, size), layer.blob
        tar = self._opener.open([layer])[0]
        merged = AsItIs.of(layer, tar, self._advance)
        packed, blob = spool_packed(merged, Compression(Codec.GZIP), self._sending.env.spool)
        return packed.descriptor, blob

    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer, which is sent while it is made."""
        return self._named(self._send_packed(merged, "the merged layer"))

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Take a new layer that is packed already; it is sent in the background."""
        begun = self._sending.begin(packed.descriptor, file, "a new layer")
        self._pending.append(begun)
        return self._named(packed)

    def _named(self, packed: Packed) -> Packed:
        """Return what a layer is known by in the image's manifest."""
        if not self._docker:
            return packed
        stored = packed.descriptor
        stored = replace(stored, media_type=docker_layer(stored.media_type))
        return replace(packed, descriptor=stored)

    def _send_packed(self, merged: Merged, where: str) -> Packed:
        """Pack a layer and send it, in pieces while it is packed unless it is small.

        What a registry doesn't take in pieces is packed again, into the spool, and sent as a whole.
        """
        sending, compression = self._sending, self.compression
        blob: Blob | None = None
        try:
            with Outgoing(sending.repository) as outgoing:
                packed = write_packed(merged, compression, outgoing.write)
                whole = outgoing.finish(packed.digest)
            blob = Bytes(whole) if whole is not None else None
        except Refused as refused:
            if refused.status not in NO_PIECES:
                raise
            sending.progress.debug(f"{where}: sending it as a whole, since {refused}")
            packed, blob = spool_packed(merged, compression, sending.env.spool)
        if blob is not None:
            sending.ensure(packed.descriptor, blob, where)
        return packed

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Wait for the layers; then the config; then the manifest, under each of its names.

        Raises:
            EngineError: the registry refused it. The message tells which names were given.
        """
        self._sending.sent.show()
        for pending in self._pending:
            pending.result()
        own = Descriptor("", config.digest, len(config.raw))
        self._sending.ensure(own, Bytes(config.raw), "the config")
        self._sending.publish(manifest.raw, manifest.media_type or OCI_MANIFEST, tags)
        return str(config.digest)


class _RegistryDestination(TakesIndex, IndexWriter, TakesReferrers):
    """A repository."""

    def __init__(self, sending: _Sending) -> None:
        self._sending = sending
        self.home = sending.name.host

    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """Return positions of layers that stay, but for those that this very registry has."""
        del source  # each layer tells by itself where it is
        kept = staying(image, ranges)
        return frozenset(p for p in kept if not self._sending.is_near(image.layers[p].blob))

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """As asked, or as the image's newest layer is that is compressed."""
        return _compression(image, asked)

    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes one image; how much room a registry has it doesn't say.

        Raises:
            Unsupported: the image's manifest has no name for layers that are compressed so.
        """
        return _RegistryImage(self._sending, new)

    def stored_manifest(self, manifest: Manifest) -> Manifest:
        """Return it as it is: registries keep both dialects."""
        return manifest

    def open_index(self) -> IndexWriter:
        """Return itself: an image without a name is published by its digest."""
        return self

    def put_artifact(self, descriptor: Descriptor, artifact: Artifact) -> None:
        """Take something that is no image, as it is."""
        self._sending.ensure_all(artifact, descriptor)
        self._sending.publish(artifact.raw, descriptor.media_type, ())

    def put_referrer(self, referrer: Referrer, artifact: Artifact, subject: Descriptor) -> None:
        """Take something that is attached to an image; see `TakesReferrers`."""
        self._sending.ensure_all(artifact, referrer.descriptor)
        new = renewed(referrer, artifact, subject)
        put_attached(self._sending.repository, new, subject.digest)

    def stored_index(self, index: Index) -> Index:
        """Return it as it is."""
        return index

    def put_nested(self, index: Index) -> None:
        """Take an index that is listed in another."""
        self._sending.publish(index.raw, index.media_type, ())

    def commit_index(self, index: Index, tags: Sequence[str]) -> None:
        """Publish an index under each of its names.

        Raises:
            EngineError: the registry refused it. The message tells which names were given.
        """
        self._sending.publish(index.raw, index.media_type, tags)
