"""Addresses as others write them: read strictly, sent as they came.

An HTTP library rewrites what it is given (``%2f`` to ``%2F``, dots in paths), and a signature over
the address as it was fails then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urljoin

__all__ = ["BadUrl", "Url", "origin", "resolve", "shown"]

_FORM = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(
    r"(?:.*@)?([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?", re.DOTALL
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F)))
_HIGHEST_PORT = 65535
_PORTS = {"http": 80, "https": 443}


class BadUrl(ValueError):
    """Something that is no address of a web server."""


@dataclass(frozen=True)
class Url:
    """An address of a web server."""

    scheme: str
    host: str
    """In lower case; an IPv6 address has its brackets."""
    port: int
    target: str = field(repr=False)
    """Path and query, as they came but for what no request may hold."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address; a user and a password in it are dropped.

        Raises:
            BadUrl: it is none.
        """
        match = _FORM.fullmatch(text)
        authority = _AUTHORITY.fullmatch(match[2]) if match else None
        if match is None or authority is None:
            raise BadUrl(shown(text))
        scheme = match[1].lower()
        port = int(authority[2] or _PORTS[scheme])
        if not 0 < port <= _HIGHEST_PORT:
            raise BadUrl(shown(text))
        path = match[3] if match[3].startswith("/") else f"/{match[3]}"
        target = quote(path, safe=_AS_IT_IS, encoding="latin-1", errors="replace")
        return cls(scheme, authority[1].lower(), port, target)

    @property
    def place(self) -> str:
        """``HOST:PORT``."""
        return f"{self.host}:{self.port}"

    @property
    def base(self) -> str:
        """Scheme, host and the port if it is not the usual one."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def __str__(self) -> str:
        """Return all of it."""
        return f"{self.base}{self.target}"


def origin(url: str) -> str:
    """Return scheme, host and port of an address: who gets to see what is sent there.

    Raises:
        BadUrl: it is none.
    """
    return Url.parse(url).base


def resolve(base: str, location: str) -> str:
    """Return where a Location leads; what it says itself stays as it came.

    Raises:
        BadUrl: it leads nowhere.
    """
    location, url = location.strip(), Url.parse(base)
    if _SCHEME.match(location):
        whole = location
    elif location.startswith("//"):
        whole = f"{url.scheme}:{location}"
    elif location.startswith("/"):
        whole = f"{url.base}{location}"
    elif location.startswith("?"):
        whole = f"{base.partition('#')[0].partition('?')[0]}{location}"
    else:
        try:
            whole = urljoin(base, location)
        except ValueError:
            raise BadUrl(shown(location)) from None
    Url.parse(whole)
    return whole


def shown(url: str) -> str:
    """Return an address for a message: no user, no password, no query, in which signatures are."""
    bare = re.sub(r"//[^/?#]*@", "//", url.partition("?")[0].partition("#")[0])
    return repr(bare[:80])
