"""Proving who we are: basic and token authentication, tokens renewed when they expire.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from lamella.errors import EngineError
from lamella.transport.registry.credentials import Credentials
from lamella.transport.registry.web import Response

__all__ = ["Authority", "Scopes", "parse_challenges"]

Scopes = tuple[str, ...]
"""What is to be done: ``repository:NAME:pull,push``."""

_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)\b", re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_SHORTEST = 60
"""Seconds that a token holds if its maker doesn't say."""
_EARLY = 10
"""Seconds before its end at which a token isn't used any more."""
_LONGEST_ANSWER = 1 << 20

Send = Callable[[str, str, Mapping[str, str], bytes | None], Response]


@dataclass(frozen=True)
class _Token:
    value: str
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
        self, where: str, send: Send, credentials: Callable[[str], Credentials | None]
    ) -> None:
        """Take over what it works with.

        Args:
            where: what messages call the registry.
            send: asks a token server.
            credentials: finds them for a repository.
        """
        self._where, self._send, self._find = where, send, credentials
        self._challenges: dict[str, dict[str, str]] = {}
        self._tokens: dict[Scopes, _Token] = {}
        self._known: dict[str, Credentials | None] = {}
        self._lock = threading.Lock()
        self._secrets: set[str] = set()

    def learn(self, response: Response) -> bool:
        """Take note of a challenge; return whether it can be met."""
        found = parse_challenges(response.headers.getlist("WWW-Authenticate"))
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
            EngineError: no token is to be had.
        """
        with self._lock:
            credentials = self._credentials(repository)
            if "bearer" in self._challenges:
                token = self._tokens.get(scopes)
                refused = token is not None and stale == f"Bearer {token.value}"
                if token is None or refused or token.until <= time.monotonic():
                    token = self._new_token(self._challenges["bearer"], scopes, credentials)
                    self._tokens[scopes] = token
                return f"Bearer {token.value}"
            if "basic" in self._challenges and credentials is not None and credentials.username:
                return _basic(credentials)
            return None

    def clean(self, text: str) -> str:
        """Strike out what must not be seen in a message."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _credentials(self, repository: str) -> Credentials | None:
        if repository not in self._known:
            found = self._known[repository] = self._find(repository)
            if found is not None:
                self._secrets |= {found.password, found.identity_token} - {""}
        return self._known[repository]

    def _new_token(
        self, challenge: Mapping[str, str], scopes: Scopes, credentials: Credentials | None
    ) -> _Token:
        realm = challenge.get("realm", "")
        if urlsplit(realm).scheme not in {"http", "https"}:
            raise EngineError(f"{self._where}: asks for a token, but does not say whom to ask")
        asked = time.monotonic()
        if credentials is not None and credentials.identity_token:
            response = self._exchange(realm, challenge, scopes, credentials)
        else:
            response = self._ask(realm, challenge, scopes, credentials)
        raw = response.read(_LONGEST_ANSWER, decode_content=True)
        response.release_conn()
        if response.status != HTTPStatus.OK:
            said = self.clean(_message(raw)) or response.reason or "no reason given"
            raise EngineError(
                f"{self._where}: {urlsplit(realm).netloc} gives no token: {response.status}: {said}"
            )
        answer = _object(raw)
        value = answer.get("token") or answer.get("access_token")
        if not isinstance(value, str) or not value:
            raise EngineError(f"{self._where}: {urlsplit(realm).netloc} answers without a token")
        self._secrets.add(value)
        holds = answer.get("expires_in")
        holds = holds if isinstance(holds, int) and holds > 0 else _SHORTEST
        return _Token(value, asked + max(holds - _EARLY, holds / 2))

    def _ask(
        self,
        realm: str,
        challenge: Mapping[str, str],
        scopes: Scopes,
        credentials: Credentials | None,
    ) -> Response:
        query = [("service", challenge.get("service", ""))]
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if credentials is not None and credentials.username:
            query.append(("account", credentials.username))
            headers["Authorization"] = _basic(credentials)
        asked = urlencode([(key, value) for key, value in query if value])
        joint = "&" if "?" in realm else "?"
        return self._send("GET", f"{realm}{joint}{asked}", headers, None)

    def _exchange(
        self,
        realm: str,
        challenge: Mapping[str, str],
        scopes: Scopes,
        credentials: Credentials,
    ) -> Response:
        """Trade an identity token: https://distribution.github.io/distribution/spec/auth/oauth/."""
        form = {
            "grant_type": "refresh_token",
            "service": challenge.get("service", ""),
            "client_id": "lamella",
            "scope": " ".join(scopes),
            "refresh_token": credentials.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", realm, headers, urlencode(form).encode())


def _basic(credentials: Credentials) -> str:
    account = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(account).decode()}"


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _message(raw: bytes) -> str:
    """Return what a token server says went wrong."""
    answer = _object(raw)
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    said = first.get("message") if isinstance(first, dict) else None
    said = said or answer.get("error_description") or answer.get("details") or answer.get("error")
    return " ".join(str(said or "").split())[:300]
