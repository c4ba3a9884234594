"""Loading: archives that are made while they are sent, and what the engine answers."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from lamella.errors import DigestMismatch, EngineError, MalformedImage
from lamella.layer.blob import Blob, Bytes, iter_chunks
from lamella.layer.hasher import Hasher
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    docker_layer,
)
from lamella.transport.answers import one_line, redact
from lamella.transport.file.docker_archive import MANIFEST
from lamella.transport.file.oci_layout import blob_name

__all__ = [
    "LoadRefused",
    "SentLayer",
    "TarBody",
    "docker_archive",
    "oci_archive",
    "podman_manifest",
    "read_answer",
]

_END = bytes(2 * tarfile.BLOCKSIZE)
_DOCKERS_OWN = ("Healthcheck", "OnBuild", "Shell")


@dataclass(frozen=True, eq=False)
class SentLayer:
    """A layer of the new image."""

    diff_id: Digest
    descriptor: Descriptor
    """Of the form in which it is sent, or in which the engine has it."""
    blob: Blob | None
    """Its bytes; None: the engine has them, or they were sent before."""
    check: bool = False
    """The bytes are compared with the descriptor while they are sent."""
    where: str = "the new layer"
    name: str = ""
    """What it is called in the archive, if it was sent before."""


@dataclass
class TarBody:
    """A tar of some files, as a request's body."""

    advance: Callable[[int], None] = lambda _: None
    is_sent: bool = False
    """All of it was taken: from now on the engine may finish without us."""
    _files: dict[str, tuple[bytes, Blob, SentLayer | None]] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Add a small file."""
        self._put(name, Bytes(content), None)

    def add_piece(self, name: str, piece: SentLayer) -> None:
        """Add a layer, if it is to be sent; one that is there twice is sent once."""
        if piece.blob is not None:
            self._put(name, piece.blob, piece)

    def _put(self, name: str, blob: Blob, piece: SentLayer | None) -> None:
        header = tarfile.TarInfo(name)
        header.size = blob.size
        self._files[name] = header.tobuf(tarfile.PAX_FORMAT), blob, piece

    def __len__(self) -> int:
        files = self._files.values()
        return sum(len(header) + _padded(blob.size) for header, blob, _ in files) + len(_END)

    def __iter__(self) -> Iterator[bytes]:
        for header, blob, piece in self._files.values():
            yield header
            yield from self._content(blob, piece)
        yield _END
        self.is_sent = True

    def _content(self, blob: Blob, piece: SentLayer | None) -> Iterator[bytes]:
        hasher, size = Hasher(), 0
        check = piece is not None and piece.check
        with blob.open() as stream:
            for chunk in iter_chunks(stream):
                size += len(chunk)
                if check:
                    hasher.update(chunk)
                if size == blob.size and piece is not None and check:
                    _compare(piece, hasher.digest())
                yield chunk
                self.advance(len(chunk))
        if size != blob.size:
            where = piece.where if piece else "the archive"
            raise MalformedImage(where, f"{size} bytes were read where {blob.size} were expected")
        yield bytes(_padded(size) - size)


def _padded(size: int) -> int:
    return size + -size % tarfile.BLOCKSIZE


def _compare(piece: SentLayer, got: Digest) -> None:
    """Find damage before the last bytes are sent: then the engine never sees a whole archive."""
    if got != piece.descriptor.digest:
        raise DigestMismatch(piece.where, piece.descriptor.digest, got)


def docker_archive(
    config: Config, pieces: Sequence[SentLayer], advance: Callable[[int], None]
) -> TarBody:
    """Return a docker-archive without a name.

    The classic store opens a layer's file only if it lacks the chain of layers up to it, so files
    that it won't open are left out.
    """
    body = TarBody(advance)
    names = [piece.name or f"{piece.diff_id.hex}.tar" for piece in pieces]
    for name, piece in zip(names, pieces, strict=True):
        body.add_piece(name, piece)
    config_name = f"{config.digest.hex}.json"
    body.add(config_name, config.raw)
    entry = {"Config": config_name, "RepoTags": None, "Layers": names}
    body.add(MANIFEST, format_json([entry]))
    return body


def oci_archive(
    config: Config, manifest: Manifest, pieces: Sequence[SentLayer], advance: Callable[[int], None]
) -> TarBody:
    """Return an OCI layout without a name, and without the blobs that the engine has."""
    body = TarBody(advance)
    body.add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    for piece in pieces:
        body.add_piece(blob_name(piece.descriptor.digest), piece)
    body.add(blob_name(config.digest), config.raw)
    body.add(blob_name(manifest.digest), manifest.raw)
    entry = Descriptor(manifest.media_type or OCI_MANIFEST, manifest.digest, len(manifest.raw))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json()]}
    body.add("index.json", format_json(index))
    return body


def podman_manifest(config: Config, pieces: Sequence[SentLayer]) -> Manifest:
    """Return a manifest for Podman, which keeps none by itself: only what it makes of one.

    It looks for some of Docker's settings (health checks) only in images that are called Docker's.
    """
    settings = config.value.get("config")
    docker = isinstance(settings, dict) and any(settings.get(key) for key in _DOCKERS_OWN)
    layers = [piece.descriptor for piece in pieces]
    if docker:
        layers = [replace(layer, media_type=docker_layer(layer.media_type)) for layer in layers]
    kind = DOCKER_CONFIG if docker else OCI_CONFIG
    value = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": Descriptor(kind, config.digest, len(config.raw)).to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return Manifest.parse(format_json(value), "new manifest")


class LoadRefused(EngineError):
    """The engine answers, and does not take the archive."""

    def __init__(self, engine: str, said: str) -> None:
        parts = "; ".join(part.strip() for part in said.splitlines() if part.strip())
        super().__init__(f"{engine} can't load the image: {redact(one_line(parts))}")
        self.said = said


def read_answer(body: bytes) -> tuple[list[str], str]:
    """Read what an engine says while it loads: JSON objects, one after another.

    Errors come inside of it, after HTTP 200; the containerd store of Docker 28 even reports a layer
    that it could not unpack among the lines of success.

    Returns:
        The lines, and the error, empty if there is none.
    """
    decoder, text, at = json.JSONDecoder(), body.decode("utf-8", "replace"), 0
    lines: list[str] = []
    problem = ""
    while at < len(text):
        try:
            event, at = decoder.raw_decode(text, at)
        except RecursionError:  # nested too deep for anybody's words
            break
        except ValueError:
            at = next((i for i in range(at + 1, len(text)) if text[i] == "{"), len(text))
            continue
        if not isinstance(event, dict):
            continue
        line = event.get("stream")
        if isinstance(line, str) and line.strip():
            lines.append(line.strip())
        detail = event.get("errorDetail")
        said = detail.get("message") if isinstance(detail, dict) else None
        problem = problem or str(said or event.get("error") or "")
    unpacking = [line for line in lines if line.startswith("Error unpacking image")]
    return lines, problem or "".join(unpacking[:1])
