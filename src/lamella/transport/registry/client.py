"""A registry: requests that are tried again, follow redirects and show who we are.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import email.utils
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit, urlunsplit

from urllib3.exceptions import HTTPError

from lamella.errors import EngineError, ImageNotFound
from lamella.layer.blob import Blob
from lamella.transport.registry.auth import Authority, Scopes
from lamella.transport.registry.credentials import find_credentials
from lamella.transport.registry.name import DOCKER_HUB
from lamella.transport.registry.options import RegistryOptions
from lamella.transport.registry.web import BrokenOff, Response, Unreachable, Web, origin

__all__ = ["Ask", "Refused", "Registry"]

_AGENT = "lamella"
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_HOPS = 6
_LONGEST_WORDS = 1 << 16


class Refused(EngineError):
    """The registry answered with a status that was not wanted."""

    def __init__(self, message: str, status: int, rest: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.rest = rest
        """Seconds after which the registry wants to be asked again, if it says so."""


class _Missing(Refused, ImageNotFound):
    """There is no such image."""


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    url: str
    """A path below ``/v2/``, or what the registry gave as Location."""
    repository: str
    what: str
    """What is to be done, for messages: ``read the manifest``."""
    scopes: Scopes
    expected: frozenset[int]
    """Statuses that are an answer; all others are an error."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Blob | None = None
    again: bool = True
    """Whether it may be sent a second time when it failed."""


class Registry:
    """One registry, used from several threads."""

    def __init__(self, host: str, options: RegistryOptions) -> None:
        self.host, self._options = host, options
        self._api_host = "registry-1.docker.io" if host == DOCKER_HUB else host
        self._web = Web(options, host)
        self._lock = threading.Lock()
        self._base = ""
        self._authority = Authority(
            str(self), self._send_token_request, lambda name: find_credentials(host, name, options)
        )

    def __str__(self) -> str:
        """Return what a message calls it."""
        return f"registry {self.host}"

    def close(self) -> None:
        """Hang up."""
        self._web.close()

    def stop(self) -> None:
        """Interrupt all requests, and send none any more; for those who wait in other threads."""
        self._web.stop()

    # -- requests

    def send(self, ask: Ask) -> Response:
        """Send a request, again if need be; return an expected answer, its body not yet read.

        Raises:
            Refused: the registry answered otherwise.
            EngineError: it can't be reached, broke off, or can't be trusted.
        """
        self.find()
        return self._persist(lambda: self._hop(ask), ask, again=ask.again)

    def _persist(self, send: Callable[[], Response], ask: Ask, *, again: bool = True) -> Response:
        """Send until there is an answer that stays the same when it is asked for again."""
        tries = self._options.backoff.tries if again else 1
        for number in range(1, tries + 1):
            try:
                response = send()
            except BrokenOff as broken:
                if number == tries:
                    message = f"{self}: {ask.repository}: can't {ask.what}: {broken}"
                    raise BrokenOff(message) from broken
                self.wait(number)
                continue
            if response.status in ask.expected:
                return response
            refusal = self._refusal(ask, response)
            if response.status not in _RETRIED or number == tries:
                raise refusal
            self.wait(number, refusal)
        raise AssertionError  # the last try has returned or raised

    def wait(self, failures: int, refusal: Refused | None = None) -> None:
        """Sleep before the next try: as long as the registry wants, else longer each time.

        Raises:
            Refused: the registry wants us to sleep for too long.
            EngineError: nobody wants it any more.
        """
        backoff = self._options.backoff
        seconds = backoff.first * 2 ** (failures - 1)
        if refusal is not None and refusal.rest is not None:
            seconds = refusal.rest
            if seconds > backoff.longest:
                message = f"{refusal}; it wants to be asked again in {seconds:.0f} s"
                raise Refused(message, refusal.status) from refusal
        if self._web.stopped_after(seconds):
            raise EngineError(f"{self}: interrupted")

    @property
    def tries(self) -> int:
        """How often something is tried."""
        return self._options.backoff.tries

    def _hop(self, ask: Ask) -> Response:
        """Send a request where redirects lead; only the registry itself sees who we are."""
        stale: str | None = None
        url = self.absolute(ask.url)
        hops = 0
        while hops < _HOPS:
            own = origin(url) == origin(self._base)
            header = (
                self._authority.header(ask.repository, ask.scopes, stale=stale) if own else None
            )
            response = self._once(ask, url, header)
            challenged = response.status == HTTPStatus.UNAUTHORIZED and own and stale is None
            if challenged and self._authority.learn(response):
                # A token that expired, or none yet; a second refusal is meant.
                stale = header or ""
                response.close()
                continue
            location = response.headers.get("Location")
            keep = ask.method in {"GET", "HEAD"} or response.status in _KEEP_METHOD
            if response.status not in _REDIRECTS or location is None or not keep:
                return response
            response.close()
            url = urljoin(url, location)
            hops += 1
        raise EngineError(f"{self}: {ask.repository}: can't {ask.what}: it redirects without end")

    def _once(self, ask: Ask, url: str, authorization: str | None) -> Response:
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **ask.headers}
        if authorization:
            headers["Authorization"] = authorization
        if ask.body is None:
            if ask.method in {"POST", "PUT", "PATCH"}:
                headers["Content-Length"] = "0"
            return self._web.send(ask.method, url, headers)
        headers["Content-Length"] = str(ask.body.size)
        headers.setdefault("Content-Type", "application/octet-stream")
        with ask.body.open() as stream:
            return self._web.send(ask.method, url, headers, stream)

    def absolute(self, url: str) -> str:
        """Return a whole URL; one of the registry's own keeps to TLS where the registry has it."""
        whole = urljoin(f"{self.find()}/v2/", url)
        mine, its = urlsplit(self._base), urlsplit(whole)
        if its.netloc == mine.netloc and its.scheme != mine.scheme:
            whole = urlunsplit(its._replace(scheme=mine.scheme))
        return whole

    def _send_token_request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        ask = Ask(method, url, "tokens", "get a token", (), frozenset(range(200, 500)) - _RETRIED)
        headers = {"User-Agent": _AGENT, **headers}
        return self._persist(lambda: self._web.send(method, url, headers, body), ask)

    # -- where it is

    def find(self) -> str:
        """Return the registry's address, ``https://HOST``; which it is is found out once.

        Plain HTTP is tried where it is allowed and nobody speaks TLS.

        Raises:
            EngineError: it can't be reached.
        """
        with self._lock:
            if not self._base:
                self._base = self._find()
            return self._base

    def _find(self) -> str:
        plain = self._web.may_be_plain(self._api_host)
        for number in range(1, self.tries + 1):
            try:
                return self._knock("https")
            except Unreachable as error:
                raise EngineError(f"{self}: {error}") from error
            except BrokenOff as error:
                broken = error
            if plain:
                try:
                    return self._knock("http")
                except BrokenOff as error:
                    broken = error
            if number < self.tries:
                self.wait(number)
        hint = "" if plain else "; --insecure speaks to it without TLS"
        raise EngineError(f"{self}: {broken}{hint}") from broken

    def _knock(self, scheme: str) -> str:
        base = f"{scheme}://{self._api_host}"
        response = self._web.send("GET", f"{base}/v2/", {"User-Agent": _AGENT})
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._authority.learn(response)
        response.drain_conn()
        response.release_conn()
        return base

    # -- errors

    def _refusal(self, ask: Ask, response: Response) -> Refused:
        raw = b""
        with suppress(HTTPError):  # what it has to say is not worth another failure
            raw = response.read(_LONGEST_WORDS, decode_content=True)
        response.close()
        status = response.status
        said = self._authority.clean(_message(raw)) or response.reason or "no reason given"
        message = f"{self}: {ask.repository}: can't {ask.what}: {status}: {said}"
        if status == HTTPStatus.UNAUTHORIZED:
            message += "; log in with docker login or podman login, or give --authfile"
        kind = _Missing if status == HTTPStatus.NOT_FOUND and ask.method == "GET" else Refused
        return kind(message, status, _retry_after(response))


def _retry_after(response: Response) -> float | None:
    """Return how many seconds the registry wants to be left alone."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _message(raw: bytes) -> str:
    """Return the registry's own words: those of its JSON, or the text."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        text = raw[:300].decode("utf-8", "replace")
        return "" if text.lstrip().startswith("<") else " ".join(text.split())
    errors = value.get("errors") if isinstance(value, dict) else None
    found = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            words = str(error.get("message") or error.get("code") or "")
            code = f" ({error['code']})" if error.get("code") and error.get("message") else ""
            found.append(f"{words}{code}")
    return " ".join("; ".join(found).split())[:500]
