"""Questions to an engine and its answers, in Docker's API; every failure is one `EngineError`."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode
from weakref import WeakSet

from lamella.errors import EngineError, EngineUnreachable, ImageNotFound
from lamella.layer.blob import CHUNK
from lamella.nearest import did_you_mean
from lamella.transport.answers import is_page, words_of
from lamella.transport.engine.address import Network, Ssh
from lamella.transport.engine.bodies import value_of, version_of, whole_body
from lamella.transport.engine.connection import CONNECT_TIMEOUT, Connection, connect_to, reason_of
from lamella.transport.engine.documents import HISTORY, IMAGE, IMAGES, INFO
from lamella.transport.engine.host import Host
from lamella.transport.engine.load_body import LoadRefused, read_answer
from lamella.transport.engine.names import tags_of
from lamella.transport.engine.stream import ByteStream
from lamella.waiting import patience

__all__ = ["EngineClient", "Upload"]

_ANSWER_TIMEOUT = 120
# Before it answers, ssh may ask for a passphrase and go through other machines.
_SSH_TIMEOUT = 60
# Before the first byte of a save the engine may copy the whole image; at the end of a load it may
# unpack all of it.
_DATA_TIMEOUT = 3600
_WAY_OUT = "start it, or set {}"
_NO_PERMISSION = "{}use sudo, or save the image to a file with `{} save`"
_BROKEN = (OSError, http.client.HTTPException)


class _RefusedError(Exception):
    """The engine's answer is an error."""

    def __init__(self, status: int, body: bytes) -> None:
        words = words_of(body)
        page = f"HTTP {status} and a web page" + (f" ({words})" if words else "")
        super().__init__(page if is_page(body) else words or f"HTTP {status}")
        self.status = status


class EngineClient:
    """Speaks to one engine, by as many connections as are needed at once.

    Args:
        host: where it listens.
        let_go: is called when the connection ends.
    """

    def __init__(self, host: Host, let_go: Callable[[], None] = lambda: None) -> None:
        self.host = host
        self._let_go = let_go
        self._info: Mapping[str, Any] | None = None
        self._idle: list[Connection] = []
        self._connections: WeakSet[Connection] = WeakSet()
        try:
            address = host.address
            self._base = address.base if isinstance(address, Network) else ""
            patience = _SSH_TIMEOUT if isinstance(address, Ssh) else CONNECT_TIMEOUT
            # A ping tells what /version does, and at once: Podman takes a second over that.
            told, _ = self._exchange("GET", "/_ping", timeout=patience)
            self._api = version_of(told.get("Api-Version", ""))
            if host.api:
                self._base += f"/v{host.api}"
                self._api = min(self._api, version_of(host.api))
            self.is_podman = "Libpod-Api-Version" in told
            """Whether it is Podman, which speaks Docker's API too."""
        except (*_BROKEN, _RefusedError, ValueError) as error:
            self._disconnect()
            raise self._unreachable(error) from error

    def __str__(self) -> str:
        """Return what a message calls the engine."""
        name = "Podman" if self.host.podman else "the Docker engine"
        return name if self.host.started_here else f"{name} at {self.host}"

    def close(self) -> None:
        """Hang up."""
        try:
            self._disconnect()
        finally:
            self._let_go()

    def stop(self) -> None:
        """Let all that is under way end in an error; from any thread.

        What is asked afterwards is answered: something may have to be tidied up.
        """
        for connection in list(self._connections):
            connection.stop()

    def _disconnect(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()

    def _unreachable(self, error: Exception) -> EngineUnreachable:
        if isinstance(error, PermissionError):
            join = "" if self.host.podman else "join the group docker, "
            way_out = _NO_PERMISSION.format(join, self._program)
            return EngineUnreachable(str(self), reason_of(error), way_out, denied=True)
        variable = "CONTAINER_HOST" if self.host.podman else "DOCKER_HOST"
        return EngineUnreachable(str(self), reason_of(error), _WAY_OUT.format(variable))

    @property
    def _program(self) -> str:
        return "podman" if self.host.podman else "docker"

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except _RefusedError as refused:
            raise EngineError(f"{self}: can't {what}: {refused}") from refused
        except _BROKEN as error:
            message = f"{self} broke off, can't {what}: {reason_of(error)}"
            raise EngineError(message) from error

    def _connection(self, timeout: float) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                break
            connection.disconnect()
        else:
            connection = connect_to(self.host)
            self._connections.add(connection)
        if connection.sock is not None:
            connection.sock.settimeout(patience(timeout))
        return connection

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        timeout: float = _ANSWER_TIMEOUT,
    ) -> bytes:
        return self._exchange(method, path, params, timeout)[1]

    def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        timeout: float = _ANSWER_TIMEOUT,
    ) -> tuple[http.client.HTTPMessage, bytes]:
        query = f"?{urlencode(params)}" if params else ""
        connection = self._connection(timeout)
        try:
            connection.request(method, self._base + path + query)
            answer = connection.getresponse()
            body = whole_body(answer)
        except BaseException:
            connection.disconnect()
            raise
        if answer.isclosed():
            self._idle.append(connection)
        else:
            connection.disconnect()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _RefusedError(answer.status, body)
        return answer.headers, body

    def _json(self, path: str, what: str, kind: object, **params: object) -> Any:  # noqa: ANN401 - of that kind
        """Return an answer of some kind; None: there is nothing of that name."""
        with self._asking(what):
            try:
                return value_of(self._ask("GET", path, params), kind)
            except _RefusedError as refused:
                if refused.status == HTTPStatus.NOT_FOUND:
                    return None
                raise

    # -- what there is

    def api_at_least(self, major: int, minor: int) -> bool:
        """Whether the engine speaks this version of the API."""
        return self._api >= (major, minor)

    @property
    def info(self) -> Mapping[str, Any]:
        """What the engine says of itself: where its data are, and how it keeps them."""
        if self._info is None:
            self._info = self._json("/info", "ask what it is", INFO) or {}
        return self._info

    @property
    def has_containerd_store(self) -> bool:
        """Whether images are kept by containerd, as they were pulled or built."""
        if self.is_podman:  # and for Podman the question is a slow one
            return False
        status = self.info.get("DriverStatus") or []
        return ["driver-type", "io.containerd.snapshotter.v1"] in status

    def find(self, name: str, *, manifests: bool = False) -> dict[str, Any] | None:
        """Return what the engine says of an image; None if it has none of that name."""
        params: dict[str, object] = {"manifests": 1} if manifests else {}
        path = f"/images/{quote(name, safe='/:@')}/json"
        found: dict[str, Any] | None = self._json(path, f"inspect {name!r}", IMAGE, **params)
        if found is not None and not found.get("Id"):
            raise EngineError(f"{self}: can't inspect {name!r}: its answer has no image ID")
        return found

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine says of an image.

        Raises:
            ImageNotFound: it has none of that name.
        """
        found = self.find(name)
        if found is None:
            raise ImageNotFound(f"no image {name!r} in {self}{self._nearest(name)}")
        return found

    def _nearest(self, name: str) -> str:
        with suppress(EngineError):
            tags = [tag for image in self.images() for tag in tags_of(image)]
            if found := did_you_mean(name, tags) or did_you_mean(f"{name}:latest", tags):
                return found
        return f"; `{self._program} images` lists them"

    def history(self, name: str) -> list[dict[str, Any]] | None:
        """Return an image's history, newest first; None if Podman fails to tell it.

        It does where a step has no time, though it takes such images.
        """
        path = f"/images/{quote(name, safe='/:@')}/history"
        with self._asking(f"read {name!r}"):
            try:
                return value_of(self._ask("GET", path, {}), HISTORY) or []
            except _RefusedError as refused:
                if self.is_podman and refused.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                    return None
                if refused.status == HTTPStatus.NOT_FOUND:
                    return []
                raise

    def images(self) -> list[dict[str, Any]]:
        """List the images that have a name, and those that lost theirs, newest first."""
        listed = self._json("/images/json", "list its images", IMAGES) or []
        return [image for image in listed if image.get("Id")]

    # -- what is moved

    @contextmanager
    def save(self, image_id: str, name: str) -> Iterator[ByteStream]:
        """Open the archive of an image; `name` is what messages call it.

        Raises:
            EngineError: it can't be had, or breaks off while it is read.
        """
        what = f"save {name}"
        with self._asking(what):
            connection = self._connection(_DATA_TIMEOUT)
        with connection:
            with self._asking(what):
                connection.request("GET", f"{self._base}/images/{quote(image_id, safe=':')}/get")
                answer = connection.getresponse()
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise _RefusedError(answer.status, whole_body(answer))
            yield ByteStream(self._chunks(answer, what))

    def _chunks(self, answer: http.client.HTTPResponse, what: str) -> Iterator[bytes]:
        with self._asking(what):
            while chunk := answer.read(CHUNK):
                yield chunk

    @contextmanager
    def load(self) -> Iterator[Upload]:
        """Open a request that takes an archive, piece by piece; unless it is finished, no image.

        Raises:
            EngineError: it broke off.
        """
        with self._asking("load the image"):
            connection = self._connection(_DATA_TIMEOUT)
        with connection:
            upload = Upload(str(self), connection)
            upload.begin(self._base)
            yield upload

    # -- what is changed

    def tag(self, image_id: str, repository: str, tag: str) -> None:
        """Give an image a name; another image of that name loses it."""
        name = f"{repository}:{tag}"
        with self._asking(f"tag the image {name!r}"):
            self._ask(
                "POST", f"/images/{quote(image_id, safe=':')}/tag", {"repo": repository, "tag": tag}
            )

    def remove(self, name: str) -> str | None:
        """Remove an image or one of its names.

        Returns:
            Why it was kept, if it is in use.
        """
        with self._asking(f"remove {name!r}"):
            try:
                self._ask("DELETE", f"/images/{quote(name, safe='/:@')}")
            except _RefusedError as refused:
                return None if refused.status == HTTPStatus.NOT_FOUND else str(refused)
        return None


class Upload:
    """An archive on its way to an engine.

    An engine that hears nothing more before the archive's end throws away what it has got.
    """

    def __init__(self, engine: str, connection: Connection) -> None:
        self._engine, self._connection = engine, connection

    def begin(self, base: str) -> None:
        """Send the head of the request; `base` stands before its path."""
        with self._sending():
            self._connection.putrequest("POST", f"{base}/images/load?quiet=1")
            self._connection.putheader("Content-Type", "application/x-tar")
            self._connection.putheader(
                "Transfer-Encoding", "chunked"
            )  # its length is not known yet
            self._connection.endheaders()

    def write(self, chunk: bytes | memoryview) -> None:
        """Send bytes; they may change afterwards.

        Raises:
            LoadRefused: the engine has said why it does not want more.
            EngineError: it broke off.
        """
        if chunk:
            with self._sending():
                self._connection.send(b"%x\r\n" % len(chunk))
                self._connection.send(chunk)
                self._connection.send(b"\r\n")

    def finish(self) -> list[str]:
        """Say that this is all; return the lines of the answer.

        Raises:
            LoadRefused: the engine says that it can't take it.
            EngineError: it broke off.
        """
        with self._sending():
            self._connection.send(b"0\r\n\r\n")
        try:
            return self._answer()
        except _BROKEN as error:
            raise self._broken(error) from error

    @contextmanager
    def _sending(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            with suppress(*_BROKEN):  # it may have said why before it hung up
                self._answer()
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> EngineError:
        message = f"{self._engine} broke off, can't load the image: {reason_of(error)}"
        return EngineError(message)

    def _answer(self) -> list[str]:
        answer = self._connection.getresponse()
        text = whole_body(answer)
        if answer.status != HTTPStatus.OK:
            raise LoadRefused(self._engine, str(_RefusedError(answer.status, text)))
        lines, problem = read_answer(text)
        if problem:
            raise LoadRefused(self._engine, problem)
        return lines
