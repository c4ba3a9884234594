"""Which proxy is asked for an address: as Go's clients, Docker's and Podman's among them, read it.

https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from lamella.errors import UsageError
from lamella.transport.registry.url import BadUrl, Url

__all__ = ["NO_PROXY", "Proxy", "proxy_for"]


@dataclass(frozen=True)
class Proxy:
    """A proxy, and who we are there."""

    url: str
    """Without a user; empty: no proxy."""
    variable: str = ""
    """Where it comes from."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def place(self) -> str:
        """What messages call it: ``HOST:PORT``."""
        return Url.parse(self.url).place


NO_PROXY = Proxy("")


def proxy_for(url: Url, environment: Mapping[str, str]) -> Proxy:
    """Return the proxy for an address.

    Raises:
        UsageError: the variable names none that can be used.
    """
    upper = f"{url.scheme}_proxy".upper()
    variable = next((name for name in (upper, upper.lower()) if environment.get(name)), "")
    skip = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if not variable or _goes_straight(url, skip):
        return NO_PROXY
    return _parse(environment[variable].strip(), variable)


def _parse(text: str, variable: str) -> Proxy:
    """Read the address of a proxy; messages do not show it, for a password may be in it."""
    whole = text if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) else f"http://{text}"
    scheme = whole.partition("://")[0].lower()
    if scheme not in {"http", "https"}:
        raise UsageError(
            f"{variable}: a {scheme[:20]} proxy can't be used; expected http:// or https://"
        )
    try:
        url = Url.parse(whole)
    except BadUrl:
        raise UsageError(f"{variable}: expected [http[s]://][USER:PASSWORD@]HOST:PORT") from None
    authority = re.split("[/?#]", whole.partition("://")[2], maxsplit=1)[0]
    user, at, _ = authority.rpartition("@")
    headers: tuple[tuple[str, str], ...] = ()
    if at:
        name, _, password = user.partition(":")
        account = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
        headers = (("Proxy-Authorization", f"Basic {base64.b64encode(account).decode()}"),)
    return Proxy(f"{url.scheme}://{url.place}", variable, headers)


def _goes_straight(url: Url, skip: str) -> bool:
    """Whether no proxy is asked: this machine, and what NO_PROXY names."""
    host = url.host.strip("[]")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = [part.strip().lower() for part in skip.split(",")]
    return any(_matches(entry, host, address, str(url.port)) for entry in entries if entry)


_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _IpAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(  # noqa: PLR0911 - a table of forms, as Go has it
    entry: str, host: str, address: _IpAddress | None, port: str
) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    split = re.fullmatch(r"(\[[^]]*\]|[^:]*):([^:]*)", entry)
    name, wanted = (split[1].strip("[]"), split[2]) if split else (entry.strip("[]"), "")
    if not name or (wanted and wanted != port):
        return False
    own = _address(name)
    if own is not None or address is not None:
        return own == address
    name = name.removeprefix("*") if name.startswith("*.") else name
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")
