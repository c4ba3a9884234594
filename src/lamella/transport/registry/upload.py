"""Blobs into a repository: mounted if it can be, else sent in one piece, else in several.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import BinaryIO, Self, cast
from urllib.parse import urlencode

from lamella import limits
from lamella.errors import EngineError
from lamella.layer.blob import CHUNK, Blob, Bytes
from lamella.spec.digest import Digest
from lamella.transport.registry.auth import NoToken
from lamella.transport.registry.client import Refused
from lamella.transport.registry.failures import BrokenOff
from lamella.transport.registry.repository import Repository
from lamella.waiting import finish

__all__ = ["NO_PIECES", "Outgoing", "mount_blob", "put_blob"]

_PIECE = 16 << 20
"""Bytes of one request where a blob can't be sent in one."""
_AHEAD = 16 << 20
"""Bytes of a blob that are made before they are sent; what is smaller is sent as a whole."""
_NO_MONOLITH = frozenset({404, 405, 411, 413, 415, 501})
"""Answers to an upload in one piece by those who (or whose proxies) don't take any."""
NO_PIECES = frozenset({400, 404, 405, 411, 413, 415, 416, 501})
"""Answers to a piece by those who take a blob only as a whole."""
_LOST = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_CREATED, _ACCEPTED = HTTPStatus.CREATED, HTTPStatus.ACCEPTED


def mount_blob(repository: Repository, digest: Digest, source: str) -> bool:
    """Let a repository have a blob that another one of the same registry has; False if it can't."""
    query = urlencode({"mount": digest, "from": source})
    url = repository.path(f"blobs/uploads/?{query}")
    request = replace(
        repository.request("POST", url, f"mount {digest} from {source}", _CREATED, _ACCEPTED),
        scopes=(*repository.scopes, f"repository:{source}:pull"),
    )
    try:
        answer = repository.registry.tell(request)
    except (Refused, NoToken):
        return False  # not allowed to read there, or no mounting at all: then it is sent
    if answer.status == _CREATED:
        return True
    _cancel(repository, answer.header("Location"))
    return False


def _cancel(repository: Repository, location: str) -> None:
    """End an upload that was begun in place of a mount."""
    if not location:
        return
    request = replace(
        repository.request("DELETE", location, "end an upload", *range(200, 500)), again=False
    )
    try:
        repository.registry.send(request).drain()
    except EngineError:
        return  # it ends by itself, in time


def put_blob(
    repository: Repository,
    blob: Blob,
    digest: Digest,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Send a blob. Interrupted, it starts again; in pieces, it goes on.

    Raises:
        EngineError: the registry won't have it.
    """
    registry = repository.registry
    sent = _CountedBody(blob, advance)
    for failures in range(1, registry.tries + 1):
        try:
            _put_whole(repository, sent, digest)
        except (Refused, BrokenOff) as error:
            if isinstance(error, Refused) and error.status in _NO_MONOLITH:
                _put_pieces(repository, sent, digest)
                return
            _rest(repository, error, failures)
        else:
            return


def _rest(repository: Repository, error: Refused | BrokenOff, failures: int) -> None:
    """Wait before the next try, or give up."""
    refusal = error if isinstance(error, Refused) else None
    final = refusal is not None and not refusal.again and refusal.status != _LOST
    if final or failures >= repository.registry.tries:
        raise error
    repository.registry.wait(failures, refusal)


@dataclass
class _CountedBody:
    """A blob that tells how much of it is sent; what is sent again does not count again."""

    blob: Blob
    advance: Callable[[int], None]
    told: int = 0
    """Bytes, from the start on."""

    @property
    def size(self) -> int:
        return self.blob.size

    def open(self) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_CountedReader(self), CHUNK))

    def reached(self, at: int) -> None:
        """Note how far it was read."""
        if at > self.told:
            self.advance(at - self.told)
            self.told = at


class _CountedReader(io.RawIOBase):
    def __init__(self, body: _CountedBody) -> None:
        self._body, self._stream, self._at = body, body.blob.open(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        self._body.reached(self._at)
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _begin(repository: Repository) -> tuple[str, int]:
    """Begin an upload: where it goes, and the smallest piece that is taken."""
    url = repository.path("blobs/uploads/")
    answer = repository.registry.tell(repository.request("POST", url, "begin an upload", _ACCEPTED))
    said = answer.header("OCI-Chunk-Min-Length")
    location = _location(repository, answer.header("Location"))
    least = int(said[:18]) if re.fullmatch("[0-9]+", said) else 0
    if least > limits.PIECE:
        raise EngineError(
            f"{repository.registry}: {repository.name}: wants pieces of {said[:20]} bytes; "
            f"at most {limits.PIECE} can be sent"
        )
    return location, least


def _location(repository: Repository, location: str) -> str:
    if not location:
        raise EngineError(
            f"{repository.registry}: {repository.name}: it began an upload without a Location"
        )
    return repository.registry.absolute(location)


def _finished(location: str, digest: Digest) -> str:
    joint = "&" if "?" in location else "?"
    return f"{location}{joint}{urlencode({'digest': digest})}"


def _put_whole(repository: Repository, blob: Blob, digest: Digest) -> None:
    location, _ = _begin(repository)
    url = _finished(location, digest)
    request = repository.request("PUT", url, f"send {digest}", _CREATED, body=blob)
    repository.registry.tell(replace(request, again=False))


def _put_pieces(repository: Repository, blob: Blob, digest: Digest) -> None:
    """Send a blob in pieces, each kept in memory until the registry has it: it is read once."""
    location, least = _begin(repository)
    pieces = _Pieces(repository, location)
    step = max(_PIECE, least)
    with blob.open() as stream:
        while piece := stream.read(step):
            pieces.deliver(piece)
    _finish(repository, pieces.location, digest)


class _Pieces:
    """An upload; after a failure the registry says how much of it has arrived."""

    def __init__(self, repository: Repository, location: str) -> None:
        self._repository, self.location, self._at = repository, location, 0

    def deliver(self, piece: bytes) -> None:
        """Send a piece, what is missing of it again after a failure.

        Raises:
            EngineError: the registry won't have it, or has lost what it had.
        """
        start, failures = self._at, 0
        while self._at < start + len(piece):
            before = self._at
            try:
                self.location, self._at = _patch(
                    self._repository, self.location, before, piece[before - start :]
                )
                if self._at <= before:
                    raise BrokenOff(  # noqa: TRY301 - as good as a failure
                        f"{self._repository}: a piece was accepted, but nothing was stored"
                    )
            except (BrokenOff, Refused) as error:
                failures += 1
                _rest(self._repository, error, failures)
                self.location, self._at = _progress_of(self._repository, self.location)
            if not start <= self._at <= start + len(piece):
                raise EngineError(
                    f"{self._repository.registry}: {self._repository.name}: an upload of "
                    f"{start + len(piece)} bytes so far, but it says that it has {self._at}"
                )


def _finish(repository: Repository, location: str, digest: Digest) -> None:
    request = repository.request("PUT", _finished(location, digest), f"send {digest}", _CREATED)
    repository.registry.tell(request)


class Outgoing:
    """A blob that is sent while it is made: one piece is on its way while the next is filled.

    Pieces are kept in memory until the registry has them, so a broken one is sent again.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._piece = bytearray()
        self._pieces: _Pieces | None = None
        self._step = _AHEAD
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lamella-piece")
        self._sending: Future[None] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave a blob that is not finished to the registry, which clears it away.

        If it isn't wanted any more while a piece is on its way, the registry is not waited for.
        """
        if error[0] is not None and self._sending is not None and not self._sending.done():
            self._repository.registry.stop()
        finish(self._thread)

    def write(self, chunk: bytes | memoryview) -> None:
        """Append.

        Raises:
            EngineError: an earlier piece could not be sent.
        """
        self._piece += chunk
        if len(self._piece) >= self._step:
            self._send()

    def finish(self, digest: Digest) -> bytes | None:
        """Send the rest and close the blob; if it is small nothing is sent: return all of it.

        Raises:
            Refused: the registry takes no pieces.
            EngineError: it broke off, or took it for something else.
        """
        if self._pieces is None:
            return bytes(self._piece)
        if self._piece:
            self._send()
        self._wait()
        _finish(self._repository, self._pieces.location, digest)
        return None

    def _send(self) -> None:
        self._wait()
        if self._pieces is None:
            location, least = _begin(self._repository)
            self._pieces = _Pieces(self._repository, location)
            self._step = max(_AHEAD, least)
            if len(self._piece) < self._step:
                return
        piece, self._piece = bytes(self._piece), bytearray()
        self._sending = self._thread.submit(self._pieces.deliver, piece)

    def _wait(self) -> None:
        if self._sending is not None:
            self._sending.result()


def _patch(repository: Repository, location: str, at: int, piece: bytes) -> tuple[str, int]:
    """Send one piece; return where the next one goes, and how much the registry has."""
    stop = at + len(piece)
    request = repository.request(
        "PATCH",
        location,
        "send a piece of a layer",
        *(_ACCEPTED, _CREATED, 204),
        headers={"Content-Range": f"{at}-{stop - 1}"},
        body=Bytes(piece),
    )
    answer = repository.registry.tell(replace(request, again=False))
    where = _location(repository, answer.header("Location") or location)
    return where, _has(answer.header("Range"), stop)


def _progress_of(repository: Repository, location: str) -> tuple[str, int]:
    request = repository.request("GET", location, "ask how far an upload is", 204, 202, 200)
    answer = repository.registry.tell(request)
    where = _location(repository, answer.header("Location") or location)
    return where, _has(answer.header("Range"), 0)


def _has(said: str, otherwise: int) -> int:
    """Read ``Range: 0-N``, which is how much a registry has; ``0-0`` may mean one byte or none."""
    found = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", said.strip())
    if not found:
        return otherwise
    return int(found[1]) + 1 if int(found[1]) else 0
