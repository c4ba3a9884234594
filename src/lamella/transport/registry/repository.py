"""One repository of a registry: manifests and blobs, verified; uploads that survive failures."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, cast
from urllib.parse import quote

from lamella import limits
from lamella.errors import DigestMismatch, EngineError, ImageNotFound, LamellaError
from lamella.layer.blob import CHUNK, Blob, Bytes
from lamella.layer.hasher import Hasher
from lamella.nearest import did_you_mean
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import TEXT, Fields, Many, check_size, load_json, parse_json
from lamella.spec.media_type import INDEXES, MANIFESTS
from lamella.transport.answers import is_page, one_line, words_of
from lamella.transport.registry.client import Missing, Registry, RegistryRequest
from lamella.transport.registry.failures import BrokenOff, GivenUp
from lamella.transport.registry.http_client import Answer

__all__ = ["Repository", "Stored"]

_TAGS = Fields({"name": TEXT, "tags": Many(TEXT)})
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

    def request(
        self,
        method: str,
        url: str,
        what: str,
        *expected: int,
        headers: Mapping[str, str] | None = None,
        body: Blob | None = None,
    ) -> RegistryRequest:
        """Return a request about this repository; see `RegistryRequest`."""
        return RegistryRequest(
            method, url, self.name, what, self.scopes, frozenset(expected), headers or {}, body
        )

    # -- manifests

    def manifest(self, reference: str) -> Stored:
        """Fetch a manifest or an index by tag or digest.

        Raises:
            ImageNotFound: there is none.
            DigestMismatch: it is not what its digest says.
        """
        stored = self.find_manifest(reference)
        if stored is None:
            raise ImageNotFound(self._not_there(reference))
        return stored

    def find_manifest(self, reference: str) -> Stored | None:
        """Fetch a manifest or an index by tag or digest; None: there is none.

        Raises:
            DigestMismatch: it is not what its digest says.
        """
        path, what = self.path(f"manifests/{reference}"), f"read the manifest of {reference}"
        request = self.request("GET", path, what, _OK, headers={"Accept": _ACCEPT})
        if ":" in reference:
            Digest(reference).check_algorithm(f"{self}: the manifest of {reference:.24}")
        try:
            fetched = self.registry.fetch(request, limits.DOCUMENT)
        except Missing:
            return None
        raw, answer = fetched.body, fetched.answer
        if is_page(raw):
            raise self.registry.page(request, raw)
        digest = Digest.of(raw)
        where = f"{self}: manifest of {reference}"
        for want in (reference if ":" in reference else "", _told_digest(answer)):
            if want and want != digest:
                raise DigestMismatch(where, want, digest)
        self._check_document(request, raw)
        kind = answer.header("Content-Type").partition(";")[0].strip()
        return Stored(raw, kind, digest)

    def digest_of(self, reference: str) -> Digest:
        """Ask for the digest of a manifest or an index by tag; nothing is fetched where that does.

        Raises:
            ImageNotFound: there is none.
        """
        path, what = self.path(f"manifests/{reference}"), f"look for {reference}"
        accept = {"Accept": _ACCEPT}
        request = self.request("HEAD", path, what, _OK, HTTPStatus.NOT_FOUND, headers=accept)
        answer = self.registry.send(request)
        answer.drain()
        if answer.status == HTTPStatus.NOT_FOUND:
            raise ImageNotFound(self._not_there(reference))
        told = _told_digest(answer)
        return Digest(told) if told else self.manifest(reference).digest

    def _not_there(self, reference: str) -> str:
        """Say what a registry hasn't got: the tag, or the whole repository."""
        if ":" in reference:
            return f"no manifest {reference} in {self}"
        request = self.request("GET", self.path("tags/list"), "list its tags", _OK)
        tags: list[str] = []
        try:
            tags = parse_json(self.registry.fetch(request).body, str(self), _TAGS)["tags"] or []
        except Missing:
            return f"no repository {self}"
        except (LamellaError, KeyError):
            pass  # it was only for a hint
        return f"no tag {reference!r} in {self}{did_you_mean(reference, tags)}"

    def _check_document(self, request: RegistryRequest, raw: bytes) -> None:
        """Tell an answer that is no JSON object at all from an image that makes no sense."""
        try:
            value = load_json(raw)
        except ValueError:
            value = None
        failing = f"{self.registry}: {self.name}: can't {request.what}"
        if not isinstance(value, dict):
            got = f"got {one_line(repr(raw[:40]))}" if raw else "got nothing"
            raise EngineError(f"{failing}: its answer is not a manifest: expected JSON, {got}")
        if "errors" in value and not value.keys() & {"schemaVersion", "layers", "manifests"}:
            raise EngineError(f"{failing}: {words_of(raw) or 'it answers with errors'}")

    def put_manifest(self, stored: Stored, reference: str) -> str:
        """Store a manifest or an index under a tag, or under its digest.

        Returns:
            The digest of its subject, if it has one and the registry lists it as a referrer.

        Raises:
            EngineError: the registry refused it, or took it for something else.
        """
        request = self.request(
            "PUT",
            self.path(f"manifests/{reference}"),
            f"write the manifest of {reference}",
            *(_CREATED, _OK, _ACCEPTED),
            headers={"Content-Type": stored.media_type},
            body=Bytes(stored.raw),
        )
        answer = self.registry.tell(request)
        said = _told_digest(answer)
        if answer.status != _CREATED and not said:
            raise EngineError(
                f"{self}: the manifest of {reference}: expected status 201, got {answer.status} "
                "without a digest of what was stored"
            )
        if said and said != stored.digest:
            raise EngineError(f"{self}: {reference} was stored as {said}; expected {stored.digest}")
        return answer.header("OCI-Subject")

    # -- blobs

    def has_blob(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        path = self.path(f"blobs/{digest}")
        request = self.request("HEAD", path, f"look for {digest}", _OK, HTTPStatus.NOT_FOUND)
        answer = self.registry.send(request)
        answer.drain()
        page = answer.header("Content-Type").startswith("text/html") and not _told_digest(answer)
        return answer.status == _OK and not page

    def open_blob(
        self, descriptor: Descriptor, advance: Callable[[int], None] | None = None
    ) -> BinaryIO:
        """Return a stream of a blob that goes on where it broke, and ends in verified bytes."""
        return cast("BinaryIO", io.BufferedReader(_BlobStream(self, descriptor, advance), CHUNK))

    def peek_blob(self, digest: Digest, length: int) -> bytes:
        """Return the first bytes of a blob; they are not verified."""
        path, span = self.path(f"blobs/{digest}"), {"Range": f"bytes=0-{length - 1}"}
        request = self.request("GET", path, f"look at {digest}", _OK, _PARTIAL, headers=span)
        return self.registry.fetch_start(request, length)

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
        descriptor.digest.check_algorithm(str(repository))
        self._response: Answer | None = None
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
        """Return bytes, none only at the end; broken connections are opened again."""
        while True:
            try:
                if self._response is None:
                    self._response = self._connect()
                chunk = self._response.read(size)
            except BrokenOff as error:
                self._fail(str(error).partition(" broke off: ")[2] or str(error))
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
            raise GivenUp(f"{where}: {self._want.digest} broke off: {why}")
        self._repository.registry.wait(self._failures)

    def _connect(self) -> Answer:
        repository, digest = self._repository, self._want.digest
        path, what = repository.path(f"blobs/{digest}"), f"read {digest}"
        request = repository.request("GET", path, what, _OK)
        if self._at:
            rest = {"Range": f"bytes={self._at}-"}
            request = repository.request("GET", path, what, _OK, _PARTIAL, headers=rest)
        response = repository.registry.send(request)
        size = response.header("Content-Length")
        if response.header("Content-Type").startswith("text/html") and size != str(self._want.size):
            raise repository.registry.page(request, response.drain())
        if self._at and response.status == _OK:
            self._skip(response)  # it knows no ranges and sends all again
        elif self._at:
            said = response.header("Content-Range")
            if not said.startswith(f"bytes {self._at}-"):
                response.close()
                raise EngineError(
                    f"{repository.registry}: {repository.name}: {digest}: asked for bytes from "
                    f"{self._at} on, got {said[:60] or 'others'!r}"
                )
        return response

    def _skip(self, response: Answer) -> None:
        left = self._at
        while left:
            got = len(response.read(min(left, CHUNK)))
            if not got:
                raise BrokenOff("it ended before the place at which it broke off")
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
            self._response.release()


def _told_digest(answer: Answer) -> str:
    """Return the SHA-256 digest that a registry says something has; empty if it says none."""
    said = answer.header("Docker-Content-Digest")
    return said if re.fullmatch("sha256:[0-9a-f]{64}", said) else ""
