"""Addresses of engines: every part of one is used, or the address is refused.

https://docs.docker.com/reference/cli/docker/#host-types
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from urllib.parse import quote, unquote

__all__ = ["Address", "Network", "Socket", "Ssh", "parse_address", "without_password"]

_KINDS = "unix:///PATH, tcp://HOST:PORT or ssh://HOST"
_PORTS = {"tcp": 80, "http": 80, "https": 443}
_LAST_PORT = 65535
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/]*@")


@dataclass(frozen=True)
class Socket:
    """A socket of this machine; a relative path counts from the current folder."""

    path: str


@dataclass(frozen=True)
class Network:
    """A port of a machine."""

    host: str
    port: int | None
    """None: the usual one of HTTP, or of HTTPS."""
    base: str = ""
    """What stands before the path of every request, as a proxy wants it: empty or ``/PATH``."""
    encrypted: bool = False
    """The address itself asks for TLS."""


@dataclass(frozen=True)
class Ssh:
    """A machine that ssh leads to, and the socket of the engine there."""

    host: str
    port: int | None = None
    user: str = ""
    path: str = ""
    """Of the socket; empty: where the engine's own command looks for it."""

    def command(self, options: list[str], program: str) -> list[str]:
        """Return the ssh command that passes its input and output on to the engine.

        As the docker command does it; what the shell there reads is quoted.

        Args:
            options: for ssh.
            program: what is run there: docker or podman.
        """
        user = ["-l", self.user] if self.user else []
        port = ["-p", str(self.port)] if self.port else []
        flag = "--url" if program == "podman" else "--host"
        socket = [flag, shlex.quote(f"unix://{self.path}")] if self.path else []
        remote = [program, *socket, "system", "dial-stdio"]
        return ["ssh", *options, *user, *port, "--", self.host, *remote]


Address = Socket | Network | Ssh


def without_password(url: str) -> str:
    """Return an address as messages may show it."""
    shown = _PASSWORD.sub(r"\1:***@", url)
    return shown if shown.isprintable() else ascii(shown)


def parse_address(url: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it is none that lamella can reach, or a part of it would have no meaning.
    """
    scheme, separator, rest = url.partition("://")
    if not url.isprintable():
        raise ValueError("a character that an address can't have")
    if scheme == "unix" and separator and rest:
        return Socket(rest)
    if scheme in _PORTS and separator:
        return _parse_network(scheme, rest)
    if scheme == "ssh" and separator:
        return _parse_ssh(rest)
    raise ValueError(f"expected {_KINDS}")


def _parse_network(scheme: str, rest: str) -> Network:
    user, host, port, path = _split(rest)
    if user is not None:
        raise ValueError(f"a {scheme} address can't have a user; expected {_KINDS}")
    base = "" if path == "/" else quote(path.rstrip("/"), safe="/@:+,;=~")
    return Network(host, port, base, encrypted=scheme == "https")


def _parse_ssh(rest: str) -> Ssh:
    user, host, port, path = _split(rest)
    name, colon, _ = (user or "").partition(":")
    if colon:
        raise ValueError("a password can't be part of an ssh address; use a key")
    if host.startswith("-"):
        raise ValueError(f"{host!r} is not a host name")
    return Ssh(host, port, unquote(name), path if path.strip("/") else "")


def _split(rest: str) -> tuple[str | None, str, int | None, str]:
    """Return user, host, port and path of what follows the scheme.

    Not by `urlsplit`: that makes the host lower-case, which ssh's own settings distinguish, and
    drops characters.
    """
    if "?" in rest or "#" in rest:
        raise ValueError("the address of an engine can't have a query or fragment")
    authority, slash, path = rest.partition("/")
    user, at, place = authority.rpartition("@")
    host, port = _split_port(place)
    if not host:
        raise ValueError(f"the host is missing; expected {_KINDS}")
    return user if at else None, unquote(host), _parse_port(port), unquote(slash + path)


def _split_port(place: str) -> tuple[str, str]:
    if not place.startswith("["):
        host, colon, port = place.partition(":")
        if ":" in port:
            raise ValueError(f"an IPv6 address needs brackets: [{place}]")
        return host, port if colon else ""
    host, closed, port = place[1:].partition("]")
    if not closed or (port and port[0] != ":"):
        raise ValueError("expected [ADDRESS] or [ADDRESS]:PORT")
    return host, port[1:]


def _parse_port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= _LAST_PORT):  # noqa: PLR2004 - digits of the last port
        raise ValueError(f"port {text:.20}: expected a number up to {_LAST_PORT}")
    return int(text)
