"""Proving who we are: basic and token authentication, tokens renewed when they expire.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from lamella.errors import EngineError
from lamella.transport.answers import field_of, is_page, load_object, words_of
from lamella.transport.registry.credentials import Credentials, Search
from lamella.transport.registry.url import BadUrl, Url, shown

__all__ = ["Authority", "NoToken", "Scopes", "TokenAnswer", "TokenRequest", "parse_challenges"]

Scopes = tuple[str, ...]
"""What is to be done: ``repository:NAME:pull,push``."""

_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)\b", re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_SHORTEST = 60
"""Seconds that a token holds if its maker doesn't say."""
_EARLY = 10
"""Seconds before its end at which a token isn't used any more."""
_FOR_EVER = 1 << 30
"""Seconds; no token holds longer, whatever is said."""
_TOKEN = re.compile(r"[!-~]+")
_REFUSED = frozenset({400, 401, 403})
"""What a token server answers to a login that it does not take."""


class NoToken(EngineError):
    """The token server can't be reached, or gives no token for the request."""

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass


@dataclass(frozen=True)
class TokenRequest:
    """What a token server is asked."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class TokenAnswer:
    """What it answers."""

    status: int
    reason: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    until: float


def parse_challenges(headers: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read WWW-Authenticate: by scheme (``bearer``, ``basic``), its parameters."""
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        starts = list(_SCHEME.finditer(header))
        ends = [start.start() for start in starts[1:]] + [len(header)]
        for start, end in zip(starts, ends, strict=False):  # no start: a scheme we don't know
            parameters = {
                key.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
                for key, quoted, bare in _PARAMETER.findall(header[start.end() : end])
            }
            found.setdefault(start[1].lower(), parameters)
    return found


class Authority:
    """Knows what one registry wants to see, and gets it."""

    def __init__(
        self, where: str, send: Callable[[TokenRequest], TokenAnswer], search: Search
    ) -> None:
        """Take over what it works with.

        Args:
            where: what messages call the registry.
            send: asks a token server, again if need be.
            search: finds the login for a repository, once the registry wants one.
        """
        self._where, self._send, self._search = where, send, search
        self._challenges: dict[str, dict[str, str]] = {}
        self._tokens: dict[Scopes, _Token] = {}
        self._failed: dict[Scopes, NoToken] = {}
        self._known: dict[str, Credentials | None] = {}
        self._lock = threading.Lock()
        self._secrets: set[str] = set()

    def learn(self, headers: Sequence[str]) -> bool:
        """Take note of a challenge (WWW-Authenticate); return whether it can be met."""
        found = parse_challenges(headers)
        with self._lock:
            self._challenges = found or self._challenges
        return bool(found)

    def header(self, repository: str, scopes: Scopes, *, stale: str | None = None) -> str | None:
        """Return the Authorization header for a request; None if none is asked for.

        Args:
            repository: whose credentials are used.
            scopes: what the request does.
            stale: the header that was just refused.

        Raises:
            NoToken: no token is to be had.
            EngineError: a file with logins makes no sense.
        """
        with self._lock:
            if not self._challenges:
                return None
            credentials = self._credentials(repository)
            if credentials is not None and credentials.registry_token:
                return f"Bearer {credentials.registry_token}"
            if "bearer" in self._challenges:
                return f"Bearer {self._token(scopes, credentials, stale).value}"
            if credentials is not None and credentials.username:
                return _basic(credentials)
            return None

    def clean(self, text: str) -> str:
        """Strike out what must not be seen in a message."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    @property
    def hint(self) -> str:
        """The way out if access is refused."""
        notes = "".join(f"; {note}" for note in dict.fromkeys(self._search.notes))
        return self.clean(f"; log in with docker login or podman login, or give `authfile`{notes}")

    def _credentials(self, repository: str) -> Credentials | None:
        if repository not in self._known:
            found = self._known[repository] = self._search.find(repository)
            if found is not None:
                secrets = found.secrets
                if found.username:
                    secrets |= {_basic(found).removeprefix("Basic ")}
                self._secrets |= secrets | {quote(secret, safe="") for secret in found.secrets}
        return self._known[repository]

    def _token(self, scopes: Scopes, credentials: Credentials | None, stale: str | None) -> _Token:
        """Return a token that holds; a server that failed once is not asked for the same again."""
        token = self._tokens.get(scopes)
        refused = token is not None and stale == f"Bearer {token.value}"
        if token is not None and not refused and token.until > time.monotonic():
            return token
        if scopes in self._failed:
            failed = self._failed[scopes]
            raise NoToken(str(failed), may_pass=failed.may_pass)
        try:
            token = self._new_token(self._challenges["bearer"], scopes, credentials)
        except NoToken as error:
            self._failed[scopes] = error
            raise
        self._tokens[scopes] = token
        return token

    def _new_token(
        self, challenge: Mapping[str, str], scopes: Scopes, credentials: Credentials | None
    ) -> _Token:
        realm = challenge.get("realm", "")
        try:
            place = Url.parse(realm).place
        except BadUrl:
            said = f"; it says {shown(realm)}" if realm else ""
            raise NoToken(
                f"{self._where}: asks for a token, but names no token server{said}"
            ) from None
        asked = time.monotonic()
        make = self._exchange if credentials and credentials.identity_token else self._ask
        try:
            answer = self._send(make(realm, challenge, scopes, credentials or Credentials()))
        except EngineError as error:
            message = f"{self._where}: no token from {place}: {error}"
            raise NoToken(message, may_pass=error.may_pass) from error
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's successes
            said = self.clean(words_of(answer.body) or answer.reason) or "no reason given"
            refused = answer.status in _REFUSED
            hint = self.hint if refused else ""
            message = f"{self._where}: {place} gives no token: {answer.status}: {said}{hint}"
            raise NoToken(message, may_pass=not refused)
        return self._read(answer.body, asked, place)

    def _read(self, raw: bytes, asked: float, place: str) -> _Token:
        """Read what a token server gives."""
        value = load_object(raw)
        token = field_of(value, "token") or field_of(value, "access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            page = is_page(raw)
            words = self.clean(words_of(raw)) if page or field_of(value, "errors") else ""
            what = "a web page, not a token" if page else "without a token"
            hint = "; does a proxy or a login portal answer in its place?" if page else ""
            said = f": {words}" if words else ""
            raise NoToken(f"{self._where}: {place} answers {what}{said}{hint}")
        self._secrets.add(token)
        holds = field_of(value, "expires_in")
        if not isinstance(holds, int) or holds <= 0:
            holds = _SHORTEST
        holds = min(holds, _FOR_EVER)
        return _Token(token, asked + max(holds - _EARLY, holds / 2))

    def _ask(
        self,
        realm: str,
        challenge: Mapping[str, str],
        scopes: Scopes,
        credentials: Credentials,
    ) -> TokenRequest:
        query = [("service", challenge.get("service", ""))]
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if credentials.username:
            query.append(("account", credentials.username))
            headers["Authorization"] = _basic(credentials)
        asked = urlencode([(key, value) for key, value in query if value])
        joint = "&" if "?" in realm else "?"
        return TokenRequest("GET", f"{realm}{joint}{asked}", headers)

    def _exchange(
        self,
        realm: str,
        challenge: Mapping[str, str],
        scopes: Scopes,
        credentials: Credentials,
    ) -> TokenRequest:
        """Trade an identity token: https://distribution.github.io/distribution/spec/auth/oauth/."""
        form = {
            "grant_type": "refresh_token",
            "service": challenge.get("service", ""),
            "client_id": "lamella",
            "scope": " ".join(scopes),
            "refresh_token": credentials.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return TokenRequest("POST", realm, headers, urlencode(form).encode())


def _basic(credentials: Credentials) -> str:
    account = f"{credentials.username}:{credentials.password}".encode("utf-8", "surrogateescape")
    return f"Basic {base64.b64encode(account).decode()}"
