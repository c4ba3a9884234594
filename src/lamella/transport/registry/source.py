"""An image in a registry, as a source: a layer is fetched when it is read, and not before."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from lamella.errors import Unsupported
from lamella.image import Image
from lamella.layer.blob import CHUNK, FileRange, Layer
from lamella.layer.compression import detect, open_plain
from lamella.layer.partial.headers import keep_headers
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import INDEXES, is_foreign
from lamella.spec.platform import Platform
from lamella.transport.answers import load_object
from lamella.transport.environment import Environment
from lamella.transport.index import (
    Artifact,
    HasIndex,
    TaggedDescriptor,
    artifact_of,
    choose,
    images_of,
)
from lamella.transport.referrers import HasReferrers, Referrer
from lamella.transport.registry.connect import registry_of
from lamella.transport.registry.name import RegistryName
from lamella.transport.registry.referrers import find_referrers
from lamella.transport.registry.repository import Repository

__all__ = ["RegistrySource", "RemoteBlob"]

_FOREIGN = "a non-distributable layer that is not in the registry; it can't be read"


class RegistrySource(HasIndex, HasReferrers):
    """An image in a registry."""

    def __init__(
        self,
        name: RegistryName,
        platform: Platform | None,
        env: Environment,
        chosen: Descriptor | None = None,
    ) -> None:
        """Name an image; the registry is asked when something is wanted of it.

        Args:
            name: of the image.
            platform: of an image for several; None: this machine's.
            env: how to reach the registry.
            chosen: of an image that was chosen out of the index already.
        """
        self._name, self._platform, self._env = name, platform, env
        self._chosen = chosen
        self.home = name.host
        self._image: Image | None = None
        self._cache = ListingCache(Path(env.registry.cache)) if env.registry.cache else None

    def describe(self) -> Image:
        """Return the image, from manifest and config alone.

        Raises:
            ImageNotFound: the registry has none of that name.
            UsageError: it has none for the platform.
            MalformedImage: what it has makes no sense.
            DigestMismatch: what it has is not what its digest says.
            EngineError: it can't be reached, refused, or broke off.
        """
        if self._image is None:
            self._image = self._read(self._name, self._chosen)
        return self._image

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; layers are fetched when they are opened.

        Of those that are only listed, and of `content` too, what has been read for its headers is
        kept only if it will be asked for again.
        """
        del listed
        image = self.describe()
        layers = (
            replace(layer, blob=replace(layer.blob, keep=True))
            if position in content and isinstance(layer.blob, RemoteBlob)
            else layer
            for position, layer in enumerate(image.layers)
        )
        return replace(image, layers=tuple(layers))

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Nothing: a registry does not tell which images it has."""
        return {}

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it: others may use it."""
        del new_tags
        return "the source is in a registry; it is left alone"

    def beside(self, name: str) -> Image:
        """Return another image, of the same registry unless its name says another.

        Raises:
            LamellaError: as `describe`.
        """
        return self._read(RegistryName.parse(self._name.beside(name), host=self._name.host))

    # -- an index and what it lists

    def index(self) -> Index | None:
        """Return the index that the name stands for; None if it stands for one image."""
        return self._look_up(self._name)[1]

    def nested(self, descriptor: Descriptor) -> Index:
        """Return an index of the index."""
        return self._nested(self._name, descriptor)

    def image_of(self, descriptor: Descriptor) -> RegistrySource:
        """Return the source of one image of the index."""
        platform = Platform.of(descriptor.platform) if descriptor.platform else None
        return RegistrySource(self._name, platform, self._env, descriptor)

    def artifact(self, descriptor: Descriptor) -> Artifact:
        """Return something of the index that is no image."""
        repository, where = self._repository(self._name), f"docker://{self._name}: artifact"
        raw = repository.manifest(descriptor.digest).raw
        return artifact_of(raw, descriptor, partial(self._blob, repository, where=where), where)

    def referrers(self, digest: Digest) -> list[Referrer]:
        """Return what is attached to a manifest or an index of the repository."""
        return find_referrers(self._repository(self._name), digest)

    # -- reading

    def _repository(self, name: RegistryName) -> Repository:
        return Repository(registry_of(name.host, self._env), name.repository)

    def _read(self, name: RegistryName, chosen: Descriptor | None = None) -> Image:
        repository, where = self._repository(name), f"docker://{name}"
        platforms: tuple[Platform, ...] = ()
        index: Digest | None = None
        if chosen is None:
            manifest, platforms, index = self._choose(name)
        else:
            where = f"{where} ({Platform.of(chosen.platform)})"
            raw = repository.manifest(chosen.digest).raw
            manifest = Manifest.parse(raw, f"{where}: manifest")
        config = Config.parse(repository.read_blob(manifest.config), f"{where}: config")
        layers = tuple(
            self._layer(repository, descriptor, diff_id, f"{where}: layer {number}")
            for number, (diff_id, descriptor) in enumerate(config.layers(manifest.layers, where), 1)
        )
        tags = (str(name.tagged(name.tag)),) if name.tag else ()
        return Image(where, config, layers, manifest, tags, platforms=platforms, index=index)

    def _look_up(self, name: RegistryName) -> tuple[bytes, Index | None]:
        where = f"docker://{name}"
        stored = self._repository(name).manifest(name.reference)
        if not _is_index(stored.raw, stored.media_type, where):
            return stored.raw, None
        return stored.raw, Index.parse(stored.raw, f"{where}: index")

    def _nested(self, name: RegistryName, descriptor: Descriptor) -> Index:
        raw = self._repository(name).manifest(descriptor.digest).raw
        return Index.parse(raw, f"docker://{name}: nested index")

    def _choose(self, name: RegistryName) -> tuple[Manifest, tuple[Platform, ...], Digest | None]:
        """Return the manifest of the platform that is wanted, all platforms, and their index."""
        where = f"docker://{name}"
        raw, index = self._look_up(name)
        if index is None:
            return Manifest.parse(raw, f"{where}: manifest"), (), None
        images = images_of(index, partial(self._nested, name), where)
        chosen = choose([TaggedDescriptor(d) for d in images], self._platform, where).descriptor
        raw = self._repository(name).manifest(chosen.digest).raw
        platforms = tuple(Platform.of(d.platform) for d in images)
        return Manifest.parse(raw, f"{where}: manifest"), platforms, index.digest

    def _layer(
        self, repository: Repository, descriptor: Descriptor, diff_id: Digest, where: str
    ) -> Layer:
        blob = self._blob(repository, descriptor, where=where)
        return Layer(diff_id, blob, where, descriptor, verified=True)

    def _blob(self, repository: Repository, descriptor: Descriptor, *, where: str) -> RemoteBlob:
        env = self._env
        return RemoteBlob(
            repository, descriptor, where, env.spool, env.progress.advance, self._cache
        )


def _is_index(raw: bytes, media_type: str, where: str) -> bool:
    """Whether a document is an index: by what it has, and where that tells nothing by its type."""
    value = load_object(raw)
    if "layers" in value or "manifests" in value:
        return "layers" not in value
    old = "manifest.v1+" in media_type and "docker.distribution" in media_type
    if old or value.get("schemaVersion") == 1:
        raise Unsupported(f"{where}: a manifest of schema 1; push the image again to renew it")
    return media_type in INDEXES


@dataclass(frozen=True, eq=False)
class RemoteBlob:
    """A layer's stored bytes in a registry; a `layer.spool.Remote`."""

    repository: Repository
    descriptor: Descriptor
    where: str
    spool: Spool
    advance: Callable[[int], None]
    cache: ListingCache | None = None
    keep: bool = False
    """Whether it will be asked for again after its headers were read."""
    kept: list[FileRange] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes as they are stored."""
        return self.descriptor.size

    def open(self) -> BinaryIO:
        """Return a new stream, which ends in verified bytes or in an error.

        Raises:
            Unsupported: it is a layer that need not be in the registry, and isn't.
            EngineError: the registry broke off.
        """
        if self.kept:
            return self.kept[0].open()
        if is_foreign(self.descriptor.media_type) and not self._is_there():
            raise Unsupported(f"{self.where}: {_FOREIGN}")
        return self.repository.open_blob(self.descriptor, self.advance)

    def _is_there(self) -> bool:
        return self.repository.has_blob(self.descriptor.digest)

    def peek(self, length: int) -> bytes:
        """Return the first bytes; see `layer.blob.Peekable`."""
        if self.kept:
            return self.kept[0].read_at(0, length)
        return self.repository.peek_blob(self.descriptor.digest, length)

    def stop(self) -> None:
        """End what is being read of this registry; see `layer.spool.Remote`."""
        self.repository.registry.stop()

    def read_headers(self, diff_id: Digest, fetch: Callable[[], LayerTar]) -> LayerTar:
        """Keep only what a scan needs; see `layer.spool.Remote`."""
        if self.cache is not None:
            known = self.cache.load(diff_id, self.where)
            if known is not None:
                return replace(known, fetch=fetch)
        with self.open() as stream:
            copy = _Copying(stream, self.spool) if self.keep and not self.kept else None
            passing = io.BufferedReader(copy, CHUNK) if copy else cast("io.BufferedReader", stream)
            kind = detect(passing.peek(6)[:6])
            with closing(open_plain(passing, kind, self.where)) as plain:
                headers = keep_headers(plain, self.spool, diff_id, self.where)
                while passing.read(CHUNK):
                    pass
        if self.cache is not None:
            self.cache.save(diff_id, headers)
        if copy:
            self.kept.append(FileRange.whole(copy.file))
        return replace(headers, fetch=fetch)


class _Copying(io.RawIOBase):
    """A stream that is copied to the spool while it is read."""

    def __init__(self, stream: BinaryIO, spool: Spool) -> None:
        self._stream, self._spool = stream, spool
        self.file = spool.file()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._spool.write(self.file, chunk)
        return len(chunk)
