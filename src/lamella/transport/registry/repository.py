"""One repository of a registry: manifests and blobs, verified; uploads that survive failures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, cast
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from lamella import limits
from lamella.errors import DigestMismatch, EngineError, InvalidReference
from lamella.layer.blob import CHUNK, Blob, Bytes
from lamella.layer.hasher import Hasher
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import check_size
from lamella.spec.media_type import INDEXES, MANIFESTS
from lamella.transport.registry.client import Ask, Registry
from lamella.transport.registry.web import BrokenOff, Response, reason

__all__ = ["Repository", "Stored"]

_ACCEPT = ", ".join(sorted(MANIFESTS | INDEXES))
_OK, _CREATED, _ACCEPTED = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED
_PARTIAL = HTTPStatus.PARTIAL_CONTENT


@dataclass(frozen=True)
class Stored:
    """A manifest or an index as the registry has it."""

    raw: bytes
    media_type: str
    digest: Digest


class Repository:
    """A repository, and what we may do there."""

    def __init__(self, registry: Registry, name: str, *, write: bool = False) -> None:
        self.registry, self.name = registry, name
        self.scopes = (f"repository:{name}:pull,push" if write else f"repository:{name}:pull",)

    def __str__(self) -> str:
        """Return what a message calls it."""
        return f"{self.registry.host}/{self.name}"

    def path(self, rest: str) -> str:
        """Return a path in the repository."""
        return f"{quote(self.name)}/{rest}"

    def ask(
        self,
        method: str,
        url: str,
        what: str,
        *expected: int,
        headers: Mapping[str, str] | None = None,
        body: Blob | None = None,
    ) -> Ask:
        """Return a request about this repository; see `Ask`."""
        return Ask(
            method, url, self.name, what, self.scopes, frozenset(expected), headers or {}, body
        )

    # -- manifests

    def manifest(self, reference: str) -> Stored:
        """Fetch a manifest or an index by tag or digest.

        Raises:
            ImageNotFound: there is none.
            DigestMismatch: it is not what its digest says.
        """
        path, what = self.path(f"manifests/{reference}"), f"read the manifest of {reference}"
        ask = self.ask("GET", path, what, _OK, headers={"Accept": _ACCEPT})
        response = self.registry.send(ask)
        raw = self._read(response, f"the manifest of {reference}")
        digest = Digest.of(raw)
        where = f"{self}: manifest of {reference}"
        said = response.headers.get("Docker-Content-Digest", "")
        for want in (reference if ":" in reference else "", said):
            if want.startswith("sha256:") and want != digest:
                raise DigestMismatch(where, want, digest)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Stored(raw, kind, digest)

    def _read(self, response: Response, what: str) -> bytes:
        try:
            raw = response.read(limits.DOCUMENT + 1, decode_content=False)
        except HTTPError as error:
            raise BrokenOff(f"{self}: {what}: {reason(error)}") from error
        response.release_conn()
        check_size(len(raw), f"{self}: {what}")
        return raw

    def put_manifest(self, stored: Stored, reference: str) -> None:
        """Store a manifest or an index under a tag, or under its digest.

        Raises:
            EngineError: the registry refused it, or took it for something else.
        """
        ask = self.ask(
            "PUT",
            self.path(f"manifests/{reference}"),
            f"write the manifest of {reference}",
            *(_CREATED, _OK, _ACCEPTED),
            headers={"Content-Type": stored.media_type},
            body=Bytes(stored.raw),
        )
        response = self.registry.send(ask)
        said = response.headers.get("Docker-Content-Digest", "")
        response.drain_conn()
        if said.startswith("sha256:") and said != stored.digest:
            raise EngineError(
                f"{self}: the manifest of {reference} was stored as {said}; want {stored.digest}"
            )

    # -- blobs

    def has_blob(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        path = self.path(f"blobs/{digest}")
        ask = self.ask("HEAD", path, f"look for {digest}", _OK, HTTPStatus.NOT_FOUND)
        response = self.registry.send(ask)
        response.drain_conn()
        response.release_conn()
        return response.status == _OK

    def open_blob(
        self, descriptor: Descriptor, advance: Callable[[int], None] | None = None
    ) -> BinaryIO:
        """Return a stream of a blob that goes on where it broke, and ends in verified bytes."""
        return cast("BinaryIO", io.BufferedReader(_BlobStream(self, descriptor, advance), CHUNK))

    def peek_blob(self, digest: Digest, length: int) -> bytes:
        """Return the first bytes of a blob; they are not verified."""
        path, span = self.path(f"blobs/{digest}"), {"Range": f"bytes=0-{length - 1}"}
        ask = self.ask("GET", path, f"look at {digest}", _OK, _PARTIAL, headers=span)
        response = self.registry.send(ask)
        try:
            return response.read(length, decode_content=False)
        except HTTPError as error:
            raise BrokenOff(f"{self}: {digest}: {reason(error)}") from error
        finally:
            response.close()

    def read_blob(self, descriptor: Descriptor) -> bytes:
        """Return a small blob.

        Raises:
            DigestMismatch: it is not what its digest says.
        """
        check_size(descriptor.size, f"{self}: {descriptor.digest}")
        with self.open_blob(descriptor) as stream:
            return stream.read()


class _BlobStream(io.RawIOBase):
    """One download. Nothing is asked before something is read."""

    def __init__(
        self,
        repository: Repository,
        descriptor: Descriptor,
        advance: Callable[[int], None] | None,
    ) -> None:
        self._repository, self._want, self._advance = repository, descriptor, advance
        if descriptor.digest.algorithm != "sha256":
            raise InvalidReference(f"{descriptor.digest:.24}…: only sha256 can be checked")
        self._response: Response | None = None
        self._hasher, self._at = Hasher(), 0
        self._failures = 0
        self._done = False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Hang up if there is more to come; a connection that is read to its end is kept."""
        if self._response is not None and not self._done:
            self._response.close()
        self._response = None
        super().close()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._done:
            return 0
        chunk = self._next(len(buffer))
        buffer[: len(chunk)] = chunk
        self._hasher.update(chunk)
        self._at += len(chunk)
        if self._advance is not None:
            self._advance(len(chunk))
        if not chunk or self._at > self._want.size:
            self._finish()
        return len(chunk)

    def _next(self, size: int) -> bytes:
        """Return bytes, none only at the end; broken connections are made anew."""
        while True:
            try:
                if self._response is None:
                    self._response = self._connect()
                chunk = self._response.read(size, decode_content=False)
            except HTTPError as error:
                self._fail(reason(error))
                continue
            if chunk:
                self._failures = 0
            elif self._at < self._want.size:
                self._fail(f"it ended after {self._at} of {self._want.size} bytes")
                continue
            return chunk

    def _fail(self, why: str) -> None:
        """Get ready for another try, unless there were enough in a row that brought nothing."""
        if self._response is not None:
            self._response.close()
            self._response = None
        self._failures += 1
        if self._failures >= self._repository.registry.tries:
            where = f"{self._repository.registry}: {self._repository.name}"
            raise BrokenOff(f"{where}: {self._want.digest} broke off: {why}")
        self._repository.registry.wait(self._failures)

    def _connect(self) -> Response:
        repository, digest = self._repository, self._want.digest
        path, what = repository.path(f"blobs/{digest}"), f"read {digest}"
        ask = repository.ask("GET", path, what, _OK)
        if self._at:
            rest = {"Range": f"bytes={self._at}-"}
            ask = repository.ask("GET", path, what, _OK, _PARTIAL, headers=rest)
        response = repository.registry.send(ask)
        if self._at and response.status == _OK:
            self._skip(response)  # it knows no ranges and sends all again
        elif self._at:
            said = response.headers.get("Content-Range", "")
            if not said.startswith(f"bytes {self._at}-"):
                response.close()
                raise EngineError(
                    f"{repository.registry}: {repository.name}: {digest}: asked for bytes from "
                    f"{self._at} on, got {said or 'others'!r}"
                )
        return response

    def _skip(self, response: Response) -> None:
        left = self._at
        while left:
            got = len(response.read(min(left, CHUNK), decode_content=False))
            if not got:
                raise HTTPError("it ended before the place at which it broke off")
            left -= got

    def _finish(self) -> None:
        self._done = True
        want, got = self._want, self._hasher.digest()
        if (got, self._at) != (want.digest, want.size):
            raise DigestMismatch(
                f"{self._repository}: {want.digest.short}",
                f"{want.digest} ({want.size} bytes)",
                f"{got} ({self._at} bytes)",
            )
        if self._response is not None:
            with suppress(HTTPError):
                self._response.release_conn()
