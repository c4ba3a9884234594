"""Questions to a Docker engine and its answers; every failure is one `EngineError`.

docker-py knows the sockets, TLS, ssh and versions of the API. Importing it takes longer than the
rest of lamella together, so this file is imported only when an engine is really spoken to.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import docker
import docker.errors
import requests

from lamella.errors import EngineError, ImageNotFound
from lamella.layer.blob import CHUNK
from lamella.transport.engine_host import Host
from lamella.transport.engine_load import LoadRefused, TarBody, one_line, read_answer

__all__ = ["ByteStream", "EngineClient"]

_CONNECT_TIMEOUT = 10
_ANSWER_TIMEOUT = 120
# Before the first byte of a save the engine may copy the whole image; at the end of a load it may
# unpack all of it.
_DATA_TIMEOUT = 3600
_LONGEST_WORDS = 1 << 16
_CLOSED = (http.client.IncompleteRead, http.client.RemoteDisconnected)
_WAY_OUT = "is it running? Set {}, or use docker-archive:FILE"


class EngineClient:
    """A connection to one engine.

    Args:
        host: where it listens.
        let_go: is called when the connection ends.
    """

    def __init__(self, host: Host, let_go: Callable[[], None] = lambda: None) -> None:
        self.host = host
        self._let_go = let_go
        self._info: Mapping[str, Any] | None = None
        try:
            _knock(host.url)
            self._api = docker.APIClient(
                base_url=host.url,
                version="auto",
                timeout=_CONNECT_TIMEOUT,
                tls=_tls_config(host),
                use_ssh_client=True,
            )
        except (docker.errors.DockerException, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        self._api.timeout = _ANSWER_TIMEOUT

    def __str__(self) -> str:
        """Return what a message calls the engine."""
        return f"Podman at {self.host}" if self.host.podman else f"the Docker engine at {self.host}"

    def close(self) -> None:
        """Hang up."""
        try:
            self._api.close()
        finally:
            self._let_go()

    def _unreachable(self, error: Exception) -> EngineError:
        way_out = _WAY_OUT.format("CONTAINER_HOST" if self.host.podman else "DOCKER_HOST")
        return EngineError(f"can't reach {self}: {_reason(error)}; {way_out}")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except docker.errors.APIError as error:
            said = error.explanation or _reason(error)
            raise EngineError(f"{self}: can't {what}: {one_line(said)}") from error
        except (docker.errors.DockerException, requests.RequestException) as error:
            message = f"{self} broke off, can't {what}: {_reason(error)}"
            raise EngineError(message) from error

    def _json(self, path: str, what: str, **params: int) -> Any:  # noqa: ANN401 - parsed JSON
        with self._asking(what):
            response = self._api.get(
                self._url(path), params=params, timeout=(_CONNECT_TIMEOUT, _ANSWER_TIMEOUT)
            )
            if response.status_code == HTTPStatus.NOT_FOUND:
                return None
            _raise_for(response)
            return response.json()

    def _url(self, path: str) -> str:
        return f"{self._api.base_url}/v{self._api.api_version}{path}"

    # -- what there is

    def api_at_least(self, major: int, minor: int) -> bool:
        """Whether the engine speaks this version of the API."""
        mine = tuple(int(part) for part in self._api.api_version.split(".")[:2])
        return mine >= (major, minor)

    @property
    def info(self) -> Mapping[str, Any]:
        """What the engine says of itself: where its data are, and how it keeps them."""
        return self._about()

    @property
    def has_containerd_store(self) -> bool:
        """Whether images are kept by containerd, as they were pulled or built."""
        if self.is_podman:  # and for Podman the question is a slow one
            return False
        status = self._about().get("DriverStatus") or []
        return ["driver-type", "io.containerd.snapshotter.v1"] in status

    @cached_property
    def is_podman(self) -> bool:
        """Whether it is Podman, which speaks Docker's API too."""
        with self._asking("ask what it is"):
            components = self._api.version().get("Components") or []
        return any(part.get("Name") == "Podman Engine" for part in components)

    def _about(self) -> Mapping[str, Any]:
        if self._info is None:
            with self._asking("ask what it is"):
                self._info = self._api.info()
        return self._info

    def find(self, name: str, *, manifests: bool = False) -> dict[str, Any] | None:
        """Return what the engine says of an image; None if it has none of that name."""
        params = {"manifests": 1} if manifests else {}
        path = f"/images/{quote(name, safe='/:@')}/json"
        return cast("dict[str, Any] | None", self._json(path, f"inspect {name!r}", **params))

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine says of an image.

        Raises:
            ImageNotFound: it has none of that name.
        """
        found = self.find(name)
        if found is None:
            program = "podman" if self.host.podman else "docker"
            raise ImageNotFound(f"no image {name!r} in {self}; `{program} images` lists them")
        return found

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return an image's history, newest first."""
        found = self._json(f"/images/{quote(name, safe='/:@')}/history", f"read {name!r}")
        return found or []

    def images(self) -> list[dict[str, Any]]:
        """List the images that have a name, and those that lost theirs, newest first."""
        return self._json("/images/json", "list its images") or []

    # -- what is moved

    @contextmanager
    def save(self, image_id: str, name: str) -> Iterator[ByteStream]:
        """Open the archive of an image; `name` is what messages call it.

        Raises:
            EngineError: it can't be had, or breaks off while it is read.
        """
        url = self._url(f"/images/{quote(image_id, safe=':')}/get")
        timeout = (_CONNECT_TIMEOUT, _DATA_TIMEOUT)
        with self._asking(f"save {name}"):
            response = self._api.get(url, stream=True, timeout=timeout)
            with response:
                _raise_for(response)
                yield ByteStream(response.iter_content(CHUNK))

    def load(self, body: TarBody) -> list[str]:
        """Send an archive; return the lines of the answer.

        Raises:
            LoadRefused: the engine says that it can't take it.
            EngineError: it broke off.
        """
        with self._asking("load the image"):
            response = self._api.post(
                self._url("/images/load"),
                params={"quiet": 1},
                data=cast("Any", body),
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=(_CONNECT_TIMEOUT, _DATA_TIMEOUT),
            )
            with response:
                text = response.content
                if response.status_code != HTTPStatus.OK:
                    raise LoadRefused(str(self), _message_of(text) or response.reason)
        lines, problem = read_answer(text)
        if problem:
            raise LoadRefused(str(self), problem)
        return lines

    # -- what is changed

    def tag(self, image_id: str, repository: str, tag: str) -> None:
        """Give an image a name; another image of that name loses it."""
        name = f"{repository}:{tag}"
        with self._asking(f"tag the image {name!r}"):
            self._api.tag(image_id, repository, tag)

    def remove(self, name: str) -> str | None:
        """Remove an image or one of its names.

        Returns:
            Why it was kept, if it is in use.
        """
        try:
            with self._asking(f"remove {name!r}"):
                self._api.remove_image(name)
        except EngineError as error:
            cause = error.__cause__
            if not isinstance(cause, docker.errors.APIError):
                raise
            if cause.status_code == HTTPStatus.NOT_FOUND:
                return None
            return one_line(cause.explanation or str(cause))
        return None


class ByteStream:
    """An answer that is read once, forward."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._tail = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size:
            part = self._rest[:size] if self._rest else self._next()
            if not part:
                break
            part, self._rest = part[:size], (self._rest or part)[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def last_words(self) -> str:
        """What an engine says, as JSON, where it can't go on with an archive."""
        end = self._tail + self.read(_LONGEST_WORDS)
        at = end.rfind(b'{"errorDetail"')
        return read_answer(end[at:])[1] if at >= 0 else ""

    def _next(self) -> memoryview:
        chunk = next(self._chunks, b"")
        if chunk:
            self._tail = chunk
        return memoryview(chunk)


def _knock(url: str) -> None:
    """Connect to a socket on this machine: the system tells best why that can't be done."""
    path = url.removeprefix("unix://")
    if path != url and path:
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(_CONNECT_TIMEOUT)
            knocking.connect(f"/{path.lstrip('/')}")


def _tls_config(host: Host) -> docker.tls.TLSConfig | bool:
    tls = host.tls
    if tls is None or not host.url.startswith(("tcp://", "http://", "https://")):
        return False
    pair = (str(tls.cert), str(tls.key)) if tls.cert and tls.key else None
    ca = str(tls.ca) if tls.ca else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=ca, verify=tls.verify)


def _raise_for(response: requests.Response) -> None:
    """Raise docker-py's error, which has the engine's own words, unless all is well."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        said = _message_of(response.content) or response.reason
        raise docker.errors.APIError(said, response=response, explanation=said)


def _message_of(body: bytes) -> str:
    """What an error's body says: JSON with a message, or text."""
    with suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message") or "")
    return body[:1000].decode("utf-8", "replace").strip()


def _reason(error: BaseException) -> str:
    """The innermost reason that the layers of libraries wrapped: the system's own words."""
    seen: set[int] = set()
    found, current = error, error
    while id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, docker.errors.APIError) and current.explanation:
            return one_line(current.explanation)
        if isinstance(current, _CLOSED):
            return "it closed the connection"
        if isinstance(current, OSError) and current.strerror:
            found = current
        inner = [
            getattr(current, "reason", None),
            *current.args,
            current.__cause__,
            current.__context__,
        ]
        current = next((e for e in inner if isinstance(e, BaseException)), current)
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    return one_line(str(found))
