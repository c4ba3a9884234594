"""A small token server, which signs what docker-registry believes.

https://distribution.github.io/distribution/spec/auth/jwt/
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.engines.process import run, run_bytes
from tests.transport.registry.server import PASSWORD, USER, free_port

SERVICE, ISSUER = "tests", "token server"
REFRESH = "an identity token"


@dataclass
class TokenServer:
    """Gives tokens to the tester, who shows a password or an identity token."""

    port: int
    work: Path
    lifetime: int = 300
    """Seconds that a token holds."""
    said: int | None = None
    """Seconds that it is said to hold, if not those."""
    asked: list[list[str]] = field(default_factory=list)
    """The scopes of each request that was granted."""
    refused: int = 0

    @property
    def realm(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}/token"

    @property
    def settings(self) -> dict[str, Any]:
        """What a registry has to be told."""
        bundle = str(self.work / "token.pem")
        names = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER}
        return {"token": {**names, "rootcertbundle": bundle}}

    def make(self, scopes: list[str]) -> str:
        """Return a token that allows all that is asked for."""
        certificate = "".join((self.work / "token.pem").read_text().splitlines()[1:-1])
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "nbf": now - 5,
            "iat": now - 5,
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(8),
            "access": [_access(scope) for scope in scopes],
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        signed = b".".join(_encode(json.dumps(part).encode()) for part in (head, claims))
        key = self.work / "token.key"
        signature = run_bytes(["openssl", "dgst", "-sha256", "-sign", key], stdin=signed)
        return (signed + b"." + _encode(signature)).decode()

    def answer(self, scopes: list[str]) -> dict[str, object]:
        """Return the whole answer."""
        self.asked.append(scopes)
        said = self.lifetime if self.said is None else self.said
        return {"token": self.make(scopes), "expires_in": said}


def _access(scope: str) -> dict[str, object]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextlib.contextmanager
def token_server(work: Path) -> Iterator[TokenServer]:
    """Run one, with a key of its own."""
    run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=token server", "-keyout", work / "token.key"),
            *("-out", work / "token.pem"),
        ]
    )
    tokens = TokenServer(free_port(), work)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            query = parse_qs(urlsplit(self.path).query)
            allowed = self.headers.get("Authorization") == f"Basic {account}"
            self._give(query.get("scope", []), allowed=allowed)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            allowed = form.get("refresh_token") == [REFRESH]
            self._give(form.get("scope", [""])[0].split(), allowed=allowed)

        def _give(self, scopes: list[str], *, allowed: bool) -> None:
            if allowed:
                raw = json.dumps(tokens.answer(scopes)).encode()
            else:
                tokens.refused += 1
                raw = json.dumps({"errors": [{"message": "who are you?"}]}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
            pass

    with ThreadingHTTPServer(("127.0.0.1", tokens.port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tokens
        server.shutdown()
        thread.join(5)
