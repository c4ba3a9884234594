"""A registry: requests that are tried again, follow redirects and show who we are.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from lamella import limits
from lamella.errors import EngineError, MalformedImage
from lamella.layer.blob import Blob
from lamella.transport.answers import is_page, one_line, redact, retry_after, words_of
from lamella.transport.registry.auth import Authority, Scopes, TokenAnswer, TokenRequest
from lamella.transport.registry.credentials import Search
from lamella.transport.registry.failures import BrokenOff, GivenUp, Unreachable
from lamella.transport.registry.http_client import Answer, HttpClient
from lamella.transport.registry.name import DOCKER_HUB
from lamella.transport.registry.options import RegistryOptions
from lamella.transport.registry.url import BadUrl, Url, origin, resolve, shown

__all__ = ["Fetched", "Refused", "Registry", "RegistryRequest"]

_AGENT = "lamella"
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_NOT_LET_IN = frozenset({401, 403})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_HOPS = 6
_PORTAL = "does a proxy or a login portal answer in its place?"
_Got = TypeVar("_Got")


class Refused(EngineError):
    """The registry answered with a status that was not wanted."""

    def __init__(self, message: str, status: int, rest: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.rest = rest
        """Seconds after which the registry wants to be asked again, if it says so."""
        self.again = status in _RETRIED
        """Whether another try may help, and was not made yet."""
        self.may_pass = status not in _NOT_LET_IN


class Missing(Refused):
    """There is nothing of that name, or nothing that we may see."""


@dataclass(frozen=True)
class RegistryRequest:
    """One request."""

    method: str
    url: str
    """A path below ``/v2/``, or what the registry gave as Location."""
    repository: str
    """Empty: it is about the registry."""
    what: str
    """What is to be done, for messages: ``read the manifest``."""
    scopes: Scopes
    expected: frozenset[int]
    """Statuses that are an answer; all others are an error."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Blob | None = None
    again: bool = True
    """Whether it may be sent a second time when it failed."""


@dataclass(frozen=True)
class Fetched:
    """An answer with all of its body."""

    answer: Answer
    body: bytes


class Registry:
    """One registry, used from several threads."""

    def __init__(self, host: str, options: RegistryOptions) -> None:
        self.host, self._options = host, options
        self._api_host = "registry-1.docker.io" if host == DOCKER_HUB else host
        self._http = HttpClient(options, host)
        self._lock = threading.Lock()
        self._base = ""
        self._unreachable = ""
        search = Search(host, options, self._http.stopped)
        self._authority = Authority(str(self), self._send_token_request, search)

    def __str__(self) -> str:
        """Return what a message calls it."""
        return f"registry {self.host}"

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def stop(self) -> None:
        """Interrupt all requests, and send none any more; for those who wait in other threads."""
        self._http.stop()

    # -- requests

    def send(self, request: RegistryRequest) -> Answer:
        """Send a request, again if need be; return an expected answer, its body not yet read.

        Raises:
            Refused: the registry answered otherwise.
            BrokenOff: it broke off; the caller may send it again.
            GivenUp: it broke off or can't be reached, however often it was tried.
            EngineError: it can't be trusted, or answers what makes no sense.
        """
        self.find()
        return self._persist(
            lambda: self._expected(request), self._failing(request), again=request.again
        )

    def fetch(self, request: RegistryRequest, limit: int = limits.ANSWER) -> Fetched:
        """Send a request as `send`; a body that breaks off is asked for again, too.

        Raises:
            MalformedImage: the body has more than `limit` bytes.
        """
        self.find()
        return self._persist(
            lambda: self._fetched(request, limit), self._failing(request), again=request.again
        )

    def fetch_start(self, request: RegistryRequest, length: int) -> bytes:
        """Send a request as `fetch`; return the first bytes of the body, and hang up."""
        self.find()

        def attempt() -> bytes:
            answer = self._expected(request)
            try:
                return answer.read(length)
            finally:
                answer.close()

        return self._persist(attempt, self._failing(request), again=request.again)

    def tell(self, request: RegistryRequest) -> Answer:
        """Send a request as `send` whose answer counts by its status and its headers."""
        answer = self.send(request)
        if is_page(body := answer.drain()):
            raise self.page(request, body)
        return answer

    def page(self, request: RegistryRequest, body: bytes = b"") -> EngineError:
        """Return the error for a web page where a program's answer was expected."""
        words = self._authority.clean(words_of(body)) if body else ""
        title = f" ({words})" if words else ""
        return EngineError(
            f"{self._failing(request)}: it answers with a web page{title}; {_PORTAL}"
        )

    def _failing(self, request: RegistryRequest) -> str:
        where = f"{self}: {request.repository}" if request.repository else str(self)
        return f"{where}: can't {request.what}"

    def _expected(self, request: RegistryRequest) -> Answer:
        answer = self._hop(request)
        if answer.status not in request.expected:
            raise self._refusal(request, answer)
        return answer

    def _fetched(self, request: RegistryRequest, limit: int) -> Fetched:
        answer = self._expected(request)
        body = answer.whole(limit)
        if len(body) > limit:
            raise MalformedImage(self._failing(request), f"it is larger than {limit >> 20} MiB")
        return Fetched(answer, body)

    def _persist(self, attempt: Callable[[], _Got], failing: str, *, again: bool = True) -> _Got:
        """Try until something comes of it, or until it has been tried often enough."""
        tries = self.tries if again else 1
        for number in range(1, tries + 1):
            refusal: Refused | None = None
            try:
                return attempt()
            except BrokenOff as broken:
                if number == tries:
                    kind = GivenUp if again else BrokenOff
                    raise kind(f"{failing}: {broken}") from broken
            except Refused as error:
                refusal = error
                if not error.again or number == tries:
                    error.again = error.again and not again
                    raise
            self.wait(number, refusal)
        raise AssertionError  # the last try has returned or raised

    def wait(self, failures: int, refusal: Refused | None = None) -> None:
        """Sleep before the next try: as long as the registry wants, else longer each time.

        Raises:
            Refused: the registry wants us to sleep for too long.
            EngineError: the request was cancelled.
        """
        backoff = self._options.backoff
        seconds = backoff.first * 2 ** (failures - 1)
        if refusal is not None and refusal.rest is not None:
            seconds = refusal.rest
            if seconds > backoff.longest:
                message = f"{refusal}; it asks to retry in {seconds:.0f} s"
                final = Refused(message, refusal.status)
                final.again = False
                raise final from refusal
        if self._http.stopped_after(seconds):
            raise EngineError(f"{self}: interrupted")

    @property
    def tries(self) -> int:
        """How often something is tried."""
        return self._options.backoff.tries

    def _hop(self, request: RegistryRequest) -> Answer:
        """Send a request where redirects lead; only the registry itself sees who we are."""
        stale: str | None = None
        url = self.absolute(request.url)
        hops = 0
        while hops < _HOPS:
            own = origin(url) == origin(self._base)
            header = (
                self._authority.header(request.repository, request.scopes, stale=stale)
                if own
                else None
            )
            answer = self._once(request, url, header)
            challenged = answer.status == HTTPStatus.UNAUTHORIZED and own and stale is None
            if challenged and self._authority.learn(answer.headers("WWW-Authenticate")):
                # A token that expired, or none yet; a second refusal is meant.
                stale = header or ""
                answer.close()
                continue
            location = answer.header("Location")
            keep = request.method in {"GET", "HEAD"} or answer.status in _KEEP_METHOD
            if answer.status not in _REDIRECTS or not location or not keep:
                return answer
            answer.close()
            url = self._led(url, location, self._failing(request))
            hops += 1
        raise EngineError(f"{self._failing(request)}: too many redirects")

    def _led(self, url: str, location: str, failing: str) -> str:
        """Return where a Location leads; the registry's own keeps to TLS where there is any."""
        try:
            whole = resolve(url, location)
            mine, its = Url.parse(self._base), Url.parse(whole)
        except BadUrl:
            raise EngineError(
                f"{failing}: it sends us to {shown(location)}, which is not an HTTP URL"
            ) from None
        ports = {its.port, mine.port}
        same = its.host == mine.host and (len(ports) == 1 or ports == {80, 443})
        if same and mine.scheme == "https" and its.scheme == "http":
            return f"{mine.base}{its.target}"
        return whole

    def _once(self, request: RegistryRequest, url: str, authorization: str | None) -> Answer:
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        if request.body is None:
            if request.method in {"POST", "PUT", "PATCH"}:
                headers["Content-Length"] = "0"
            return self._http.send(request.method, url, headers)
        headers["Content-Length"] = str(request.body.size)
        headers.setdefault("Content-Type", "application/octet-stream")
        with request.body.open() as stream:
            return self._http.send(request.method, url, headers, stream)

    def absolute(self, url: str) -> str:
        """Return the whole URL of a path below ``/v2/``, or of a Location.

        Raises:
            EngineError: it is none.
        """
        return self._led(f"{self.find()}/v2/", url, str(self))

    # -- tokens

    def _send_token_request(self, request: TokenRequest) -> TokenAnswer:
        return self._persist(lambda: self._token_hop(request), "can't ask for a token")

    def _token_hop(self, request: TokenRequest) -> TokenAnswer:
        """Ask a token server where redirects lead; another host does not see who we are."""
        headers, url = {"User-Agent": _AGENT, **request.headers}, request.url
        method, body = request.method, request.body
        for _ in range(_HOPS):
            answer = self._http.send(method, url, headers, body)
            location = answer.header("Location")
            if answer.status not in _REDIRECTS or not location:
                break
            answer.close()
            target = self._led(url, location, "the token server")
            if not _is_same_server(url, target):
                headers.pop("Authorization", None)
                if body is not None:
                    raise EngineError(
                        f"the token server sends us to {shown(target)}; an identity token is not "
                        "shown to another host"
                    )
            url = target
        else:
            raise EngineError("too many redirects from the token server")
        if answer.status in _RETRIED:
            said = one_line(redact(words_of(answer.drain()) or answer.reason))
            rest = retry_after(answer.header("Retry-After"))
            raise Refused(f"{answer.status}: {said}", answer.status, rest)
        return TokenAnswer(answer.status, one_line(answer.reason), answer.whole(limits.ANSWER))

    # -- where it is

    def find(self) -> str:
        """Return the registry's address, ``https://HOST``; which it is is found out once.

        Plain HTTP is tried where it is allowed and TLS is not spoken.

        Raises:
            EngineError: it can't be reached.
        """
        with self._lock:
            if self._unreachable:
                raise EngineError(self._unreachable)
            if not self._base:
                try:
                    self._base = self._find()
                except EngineError as error:
                    self._unreachable = str(error)
                    raise
            return self._base

    def _find(self) -> str:
        plain = self._http.may_be_plain(self._api_host)
        for number in range(1, self.tries + 1):
            try:
                return self._probe("https")
            except BrokenOff as error:
                broken = error
            if plain:
                try:
                    return self._probe("http")
                except BrokenOff as error:
                    broken = error
            if isinstance(broken, Unreachable):
                break
            if number < self.tries:
                self.wait(number)
        hint = (
            ""
            if plain or isinstance(broken, Unreachable)
            else "; `insecure` speaks to it without TLS"
        )
        # What broke names the host that was asked; Docker Hub's is another than the user typed.
        where = f"{self}: " if self._api_host != self.host else ""
        raise EngineError(f"{where}{broken}{hint}") from broken

    def _probe(self, scheme: str) -> str:
        base = f"{scheme}://{self._api_host}"
        answer = self._http.send("GET", f"{base}/v2/", {"User-Agent": _AGENT})
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._authority.learn(answer.headers("WWW-Authenticate"))
        answer.drain()
        return base

    # -- errors

    def _refusal(self, request: RegistryRequest, answer: Answer) -> Refused:
        raw = answer.drain()
        status = answer.status
        words = words_of(raw) or one_line(redact(answer.reason), 100)
        said = self._authority.clean(words) or "no reason given"
        message = f"{self._failing(request)}: {status}: {said}"
        if answer.url.base != origin(self._base):
            message += f" (from {answer.url.place})"
        if is_page(raw) and status in range(200, 400):
            message += f"; a web page: {_PORTAL}"
        if status == HTTPStatus.UNAUTHORIZED:
            message += self._authority.hint
        elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            message += "; a proxy's login goes into HTTP_PROXY: http://USER:PASSWORD@HOST:PORT"
        kind = Missing if status == HTTPStatus.NOT_FOUND and request.method == "GET" else Refused
        return kind(message, status, retry_after(answer.header("Retry-After")))


def _is_same_server(one: str, other: str) -> bool:
    """Whether who may see a login at one address may see it at another."""
    here, there = Url.parse(one), Url.parse(other)
    if here.base == there.base:
        return True
    upgraded = (here.scheme, here.port, there.scheme, there.port) == ("http", 80, "https", 443)
    return here.host == there.host and upgraded
