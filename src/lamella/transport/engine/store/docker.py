"""Layers read where an engine keeps them, when it is on this machine and we may read there.

- the classic store with overlay2: layers taken apart, see `tar_split`
- containerd's: compressed layers, as they were pulled or built, in files named by their digest
- Podman's: see `podman`

Nothing is written; Docker has no lock to take. What is read is compared with its digest, as from
anywhere else; that the image is still there at the end, `recheck` tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lamella.errors import DigestMismatch, MalformedImage, Unsupported
from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer
from lamella.layer.compression import detect, open_plain
from lamella.layer.partial.headers import NotFetched, keep_headers
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import INDEXES, MANIFESTS, is_foreign
from lamella.transport.engine.store.base import (
    Disk,
    Seen,
    StoreSelection,
    open_quietly,
    read_small,
    same_image,
    split_layers,
)
from lamella.transport.engine.store.podman import PodmanStore
from lamella.transport.engine.store.tar_split import SplitLayer

if TYPE_CHECKING:
    from lamella.transport.engine.client import EngineClient

__all__ = ["open_disk"]

_DEEPEST_INDEX = 4
_CACHE_ID = re.compile(r"[0-9a-f]{64}")
_CONTENT = "containerd/daemon/io.containerd.content.v1.content/blobs/sha256"


def open_disk(
    client: EngineClient, inspected: Mapping[str, Any], spool: Spool, files: ExitStack
) -> Disk:
    """Find out where an engine keeps an image.

    Args:
        client: the engine.
        inspected: what it says of the image.
        spool: takes headers.
        files: closes what is opened.

    Raises:
        Unsupported: it is not a store that can be read in place.
    """
    if not client.host.is_local:
        raise Unsupported("the engine is not on this machine")
    if client.is_podman:
        return PodmanStore.of(inspected, spool)
    info, image_id = client.info, Digest.parse(inspected["Id"])
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    if any(option.startswith(("name=userns", "name=rootless")) for option in options):
        raise Unsupported("the engine maps user IDs")
    root = Path(str(info.get("DockerRootDir") or ""))
    if not root.is_absolute():
        raise Unsupported("the engine does not say where its data are")
    if client.has_containerd_store:
        return _ContentStore(root / _CONTENT, image_id, spool, files)
    driver, status = info.get("Driver"), info.get("DriverStatus") or []
    if driver != "overlay2" or ["Native Overlay Diff", "true"] not in status:
        raise Unsupported(f"storage driver {driver}; expected overlay2 with native diff")
    return _LayerStore(root, image_id, spool)


class _LayerStore:
    """The classic store: https://github.com/moby/moby/blob/v28.5.0/layer/filestore.go."""

    def __init__(self, root: Path, image_id: Digest, spool: Spool) -> None:
        self.metadata: list[bytes] = []
        self._root, self._id, self._spool = root, image_id, spool
        self._seen = Seen()

    def recheck(self) -> bool:
        return self._seen.recheck()

    def read(self, image: Image, wanted: StoreSelection) -> Image:
        path = self._root / "image/overlay2/imagedb/content/sha256" / self._id.hex
        config = same_image(image, read_small(path, self._id))
        if config is None:
            raise Unsupported("the image changed meanwhile")
        self._seen.add(path)
        places = [self._place(*pair) for pair in zip(image.chain_ids, image.layers, strict=True)]
        return split_layers(replace(image, config=config), places, wanted, self._spool)

    def _place(self, chain_id: Digest, layer: Layer) -> tuple[SplitLayer, int]:
        folder = self._root / "image/overlay2/layerdb/sha256" / chain_id.hex
        cache_id = read_small(folder / "cache-id").decode("ascii", "replace")
        if not _CACHE_ID.fullmatch(cache_id):
            raise Unsupported(f"{layer.where}: unknown form of cache-id")
        if read_small(folder / "diff").decode("ascii", "replace") != layer.diff_id:
            raise Unsupported(f"{layer.where}: another layer in its place")
        unpacked = self._root / "overlay2" / cache_id / "diff"
        self._seen.add(folder)
        self._seen.add(unpacked)
        headers = folder / "tar-split.json.gz"
        place = SplitLayer(headers, unpacked, layer.diff_id, layer.where)
        if not (folder / "size").exists():
            return place, layer.blob.size
        size = read_small(folder / "size")
        if not size.isdigit():
            raise Unsupported(f"{layer.where}: unknown form of size")
        return place, int(size)


@dataclass(frozen=True, eq=False)
class _ListedBlob:
    """A stored layer whose headers are wanted, if at all; a `Remote`."""

    stored: FileRange
    spool: Spool
    where: str

    @property
    def size(self) -> int:
        return self.stored.size

    def open(self) -> BinaryIO:
        return self.stored.open()

    def read_headers(self, diff_id: Digest, fetch: Callable[[], LayerTar]) -> LayerTar:
        kind = detect(self.stored.read_at(0, 6))
        with self.open() as stream, closing(open_plain(stream, kind, self.where)) as plain:
            headers = keep_headers(plain, self.spool, diff_id, self.where)
        return replace(headers, fetch=fetch)


class _ContentStore:
    """Containerd's: https://github.com/containerd/containerd/blob/main/docs/content-flow.md."""

    def __init__(self, folder: Path, image_id: Digest, spool: Spool, files: ExitStack) -> None:
        self.metadata: list[bytes] = []
        self._folder, self._id, self._spool, self._files = folder, image_id, spool, files
        self._seen = Seen()

    def recheck(self) -> bool:
        return self._seen.recheck()

    def read(self, image: Image, wanted: StoreSelection) -> Image:
        manifest, config = self._find(image)
        listed = config.layers(manifest.layers, image.name)
        layers = tuple(
            Layer(
                diff_id,
                self._blob(descriptor, layer.where, wanted, position),
                layer.where,
                descriptor,
                verified=position not in wanted.content,
            )
            for position, ((diff_id, descriptor), layer) in enumerate(
                zip(listed, image.layers, strict=True)
            )
        )
        return replace(image, config=config, layers=layers, manifest=manifest)

    def _path(self, digest: Digest) -> Path:
        digest.check_algorithm("the engine's store")
        return self._folder / digest.hex

    def _blob(
        self, descriptor: Descriptor, where: str, wanted: StoreSelection, position: int
    ) -> Blob:
        if is_foreign(descriptor.media_type):
            return NotFetched(where, descriptor.size)
        path = self._path(descriptor.digest)
        self._seen.add(path)  # also of what is not read: the engine must have all of the image
        if position not in wanted.content | wanted.listed:
            return NotFetched(where, descriptor.size)
        stored = FileRange.whole(self._files.enter_context(open_quietly(path)))
        if stored.size != descriptor.size:
            raise DigestMismatch(where, f"{descriptor.size} bytes", f"{stored.size} bytes")
        if position in wanted.content:
            return stored
        return _ListedBlob(stored, self._spool, where)

    def _find(self, image: Image) -> tuple[Manifest, Config]:
        """The engine's ID is the digest of a manifest, or of an index that has it somewhere."""
        for raw in self._manifests(self._id, _DEEPEST_INDEX):
            manifest = Manifest.parse(raw, f"{image.name}: manifest")
            path = self._path(manifest.config.digest)
            if not path.exists():
                continue
            config = self._config(image, path, manifest.config.digest)
            if config is not None:
                return manifest, config
        raise Unsupported("no manifest of the image that the engine describes")

    def _config(self, image: Image, path: Path, digest: Digest) -> Config | None:
        try:
            return same_image(image, read_small(path, digest))
        except MalformedImage:  # of an attestation, or of something that is no image
            return None

    def _manifests(self, digest: Digest, depth: int) -> Iterator[bytes]:
        path = self._path(digest)
        raw = read_small(path, digest)
        self._seen.add(path)
        self.metadata.append(raw)
        if b'"manifests"' not in raw:
            yield raw
            return
        for descriptor in Index.parse(raw, "index").manifests if depth else ():
            known = descriptor.media_type in INDEXES | MANIFESTS
            if known and self._path(descriptor.digest).exists():
                yield from self._manifests(descriptor.digest, depth - 1)
