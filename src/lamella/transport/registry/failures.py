"""Why a request got no answer, told by who is to blame: the name, the network, TLS, the proxy.

Classes of exceptions alone don't tell: in urllib3 a refused connection is a kind of timeout.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import TypeVar

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidChunkLength,
    InvalidHeader,
    NewConnectionError,
    ProxyError,
)
from urllib3.exceptions import (
    TimeoutError as Urllib3Timeout,
)

from lamella.errors import EngineError
from lamella.transport.registry.proxy import Proxy

__all__ = ["FAULTS", "BrokenOff", "GivenUp", "Unreachable", "explain", "reason"]

FAULTS = (HTTPError, http.client.HTTPException, OSError, ValueError)
"""What asking another machine may raise, whatever it answers."""

_WANTS_CERTIFICATE = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE"}
)
_CLOSED = (http.client.IncompleteRead, http.client.RemoteDisconnected, ssl.SSLEOFError)
_NO_HTTP = (
    *(http.client.BadStatusLine, http.client.LineTooLong, http.client.UnknownProtocol),
    *(InvalidHeader, InvalidChunkLength),
)
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3}) ?(.*)", re.DOTALL)
_PASSING = frozenset({"408", "429", "500", "502", "503", "504"})
_LONGEST = 200
_Error = TypeVar("_Error", bound=BaseException)


class BrokenOff(EngineError):
    """A connection that ended too early: it may be worth another try."""


class Unreachable(BrokenOff):
    """No connection at all."""


class GivenUp(EngineError):
    """It was tried as often as allowed; it is not tried again."""


def explain(  # noqa: PLR0911 - a table: one line of words for each kind
    error: BaseException, place: str, proxy: Proxy, certs: str
) -> EngineError:
    """Return the error of ours for one of the HTTP library's.

    Args:
        error: what was raised.
        place: ``HOST:PORT`` that was asked.
        proxy: what stood between.
        certs: the registry, as folders of certificates are named for it.
    """
    if (fault := _find(error, ProxyError)) is not None:
        return _proxy_failure(fault, place, proxy)
    if (distrust := _find(error, ssl.SSLCertVerificationError)) is not None:
        return EngineError(
            f"{place}: its certificate is not trusted: {distrust.verify_message}; `ca` FILE names "
            "who signed it, `tls_verify`=false accepts any certificate"
        )
    refusal = _find(error, ssl.SSLError)
    if refusal is not None and refusal.reason in _WANTS_CERTIFICATE:
        return EngineError(
            f"{place}: requires a client certificate, or another one; it is looked for in "
            f"certs.d/{certs}/*.cert and *.key"
        )
    if _find(error, socket.gaierror) is not None:
        return Unreachable(f"can't reach {place}: unknown host ({reason(error)}); check the name")
    if _find(error, ConnectionRefusedError) is not None:
        return Unreachable(f"can't reach {place}: {reason(error)}; does a registry listen there?")
    unconnected = _find(error, ConnectTimeoutError)  # NewConnectionError is one
    if unconnected is not None:
        return Unreachable(f"can't reach {place}: {reason(unconnected)}")
    return BrokenOff(f"{place} broke off: {reason(error)}")


def _proxy_failure(error: ProxyError, place: str, proxy: Proxy) -> EngineError:
    """Tell what a proxy said, or that there is none."""
    name = f"proxy {proxy.place} ({proxy.variable})" if proxy.url else "proxy"
    for inner in _chain(error):
        if said := _TUNNEL.search(str(inner)):
            words = " ".join(said[2].split())[:_LONGEST]
            hint = f"; {proxy.variable} takes USER:PASSWORD@HOST" if said[1] == "407" else ""
            kind = BrokenOff if said[1] in _PASSING else EngineError
            return kind(f"{name} refused to connect to {place}: {said[1]} {words}".rstrip() + hint)
    return Unreachable(f"can't reach {name} for {place}: {reason(error)}")


def _chain(error: BaseException) -> list[BaseException]:
    """List an error and those that it wraps, outermost first."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        current = todo.pop(0)
        if any(current is known for known in found):
            continue
        found.append(current)
        inner = [getattr(current, "reason", None), *current.args]
        inner += [current.__cause__, current.__context__]
        todo += [e for e in inner if isinstance(e, BaseException)]
    return found


def _find(error: BaseException, kind: type[_Error]) -> _Error | None:
    return next((e for e in _chain(error) if isinstance(e, kind)), None)


def reason(error: BaseException) -> str:  # noqa: C901, PLR0911 - a table, as above
    """Say in one line why a connection failed: in the system's own words, and without the URL."""
    chain = _chain(error)
    for e in chain:
        if isinstance(e, _CLOSED):
            return "it closed the connection"
        if isinstance(e, ssl.SSLCertVerificationError):
            return e.verify_message
        if isinstance(e, _NO_HTTP):
            return "its answer is not HTTP"
        if isinstance(e, OSError) and not isinstance(e, ssl.SSLError) and e.strerror:
            return e.strerror
    for e in chain:
        if isinstance(e, ssl.SSLError):
            return f"no TLS ({e.reason or e})"
    for e in chain:
        if isinstance(e, ConnectTimeoutError) and not isinstance(e, NewConnectionError):
            return "no connection in time"
        if isinstance(e, TimeoutError | Urllib3Timeout) and not isinstance(e, NewConnectionError):
            return "it did not answer in time"
    return " ".join(str(chain[-1]).split())[:_LONGEST] or type(chain[-1]).__name__
