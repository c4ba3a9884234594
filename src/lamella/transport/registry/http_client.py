"""HTTP to registries and to where they send us: one request, its answer, one kind of error.

Whatever waits for the network waits here: in `HttpClient.send`, and in `Answer`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Any, BinaryIO
from weakref import WeakSet

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from lamella import limits
from lamella.errors import EngineError
from lamella.transport.registry.failures import FAULTS, BrokenOff, explain
from lamella.transport.registry.name import is_loopback
from lamella.transport.registry.options import RegistryOptions
from lamella.transport.registry.proxy import NO_PROXY, Proxy, proxy_for
from lamella.transport.registry.tls import tls_context
from lamella.transport.registry.url import BadUrl, Url
from lamella.waiting import apart, is_asked_to_end, stops

__all__ = ["Answer", "HttpClient"]

_CONNECT_TIMEOUT = 15.0
_READ_TIMEOUT = 60.0
_SEND_TIMEOUT = 300.0  # at the end of an upload a registry may copy all of it
_READING = urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT)
_SENDING = urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_SEND_TIMEOUT)
_CONNECTIONS = 8
_BLOCK = 1 << 18


class Answer:
    """An answer, whose body comes when it is read."""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, url: Url, proxy: Proxy, certs: str
    ) -> None:
        self._response, self._route = response, (url.place, proxy, certs)
        self.url = url
        self.status = response.status
        self.reason = response.reason or ""

    def header(self, name: str) -> str:
        """Return a header, empty if there is none."""
        return str(self._response.headers.get(name, "")).strip()

    def headers(self, name: str) -> list[str]:
        """Return all headers of a name."""
        return list(self._response.headers.getlist(name))

    def read(self, size: int) -> bytes:
        """Return bytes of the body as they were sent, none only at its end.

        Raises:
            BrokenOff: there should have been more.
        """
        return self._read(size, decode=False)

    def whole(self, limit: int) -> bytes:
        """Return all of the body, decompressed, or `limit` bytes and one more.

        Raises:
            BrokenOff: there should have been more.
        """
        parts, left = [], limit + 1
        while left > 0 and (part := self._read(left, decode=True)):
            parts.append(part)
            left -= len(part)
        if left > 0:
            self.release()
        else:
            self.close()
        return b"".join(parts)[: limit + 1]

    def _read(self, size: int, *, decode: bool) -> bytes:
        try:
            return self._response.read(size, decode_content=decode)
        except FAULTS as error:
            self.close()
            broken = explain(error, *self._route)
            raise broken if isinstance(broken, BrokenOff) else BrokenOff(str(broken)) from error

    def drain(self) -> bytes:
        """Return the body of an answer that counts by its status alone, as far as it comes."""
        try:
            return self.whole(limits.ANSWER)
        except BrokenOff:
            return b""

    def release(self) -> None:
        """Keep the connection for others: all was read."""
        with suppress(*FAULTS):
            self._response.release_conn()

    def close(self) -> None:
        """Hang up."""
        with suppress(*FAULTS):
            self._response.close()


class HttpClient:
    """Sends one request at a time, from any thread; redirects and retries are others' work."""

    def __init__(self, options: RegistryOptions, host: str) -> None:
        """Take over how to reach a registry, and where it sends us; and its name."""
        self._options, self._host = options, host
        self._lock = threading.Lock()
        self._pools: dict[Proxy, urllib3.PoolManager] = {}
        self._sockets = _Sockets()
        stops(self)

    def close(self) -> None:
        """Hang up."""
        for pool in self._pools.values():
            pool.clear()

    def stop(self) -> None:
        """End what is being sent and read, in an error; send nothing any more."""
        self._sockets.stop()

    @property
    def stopped(self) -> threading.Event:
        """Set once it is stopped."""
        return self._sockets.stopped

    def stopped_after(self, seconds: float) -> bool:
        """Sleep, but only until it is stopped; return whether it is."""
        return self._sockets.stopped.wait(seconds)

    def may_be_plain(self, host: str) -> bool:
        """Whether a host may be spoken to without TLS."""
        return self._options.insecure or is_loopback(host)

    def send(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO | None = None,
    ) -> Answer:
        """Send a request; return the answer, its body not yet read.

        Raises:
            BrokenOff: the connection failed or ended.
            EngineError: the other side can't be trusted; or it has no TLS, and must.
            UsageError: no proxy or certificate is as it must be.
        """
        try:
            url = Url.parse(address)
        except BadUrl as error:
            raise EngineError(f"can't ask {error}: it is not an HTTP URL") from None
        if url.scheme != "https" and not self.may_be_plain(url.host):
            raise EngineError(f"{url.place}: expected TLS; `insecure` allows plain HTTP")
        if self.stopped.is_set():
            raise EngineError(f"{url.place}: interrupted")
        proxy = proxy_for(url, self._options.environment)
        pool = self._pool(proxy)
        self._sockets.sending.url = url
        pace = self._options.pace
        try:
            with pace.keeping(url.place, self.stopped) if pace else nullcontext():
                response = pool.urlopen(
                    method,
                    str(url),
                    body=body,
                    headers=dict(headers),
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=_READING if method in {"GET", "HEAD"} else _SENDING,
                    decode_content=False,
                    assert_same_host=False,
                )
        except FAULTS as error:
            raise explain(error, url.place, proxy, self._host) from error
        return Answer(response, url, proxy, self._host)

    def _pool(self, proxy: Proxy) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._make_pool(proxy)
            return self._pools[proxy]

    def _make_pool(self, proxy: Proxy) -> urllib3.PoolManager:
        context = tls_context(self._options, self._host)
        context.sslsocket_class = _TlsSocket
        if proxy == NO_PROXY:
            pool = urllib3.PoolManager(ssl_context=context, maxsize=_CONNECTIONS, blocksize=_BLOCK)
        else:
            pool = urllib3.ProxyManager(
                proxy.url,
                proxy_headers=dict(proxy.headers),
                ssl_context=context,
                proxy_ssl_context=context,
                maxsize=_CONNECTIONS,
                blocksize=_BLOCK,
            )
        pool.pool_classes_by_scheme = self._sockets.pools
        return pool


class _Connecting(threading.local):
    """What a thread that connects does with its TLS socket."""

    add: Callable[[socket.socket], None]


_connecting = _Connecting()


class _TlsSocket(ssl.SSLSocket):
    """A TLS socket that is known before the other side has said anything."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as there
        _connecting.add(self)
        super().do_handshake(block)


class _Sockets:
    """Those in use, by weak references, so that waits for them can be interrupted."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.sending = threading.local()
        """Its ``url`` is what the thread asks for."""
        self._lock = threading.Lock()
        self._open: WeakSet[socket.socket] = WeakSet()
        self.pools = self._pool_classes()

    def stop(self) -> None:
        """Let all reading and writing end, now and later."""
        with self._lock:
            self.stopped.set()
            for sock in self._open:
                self._shut(sock)

    def _add(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
            if self.stopped.is_set():
                self._shut(sock)

    def _connect(self, new: Callable[[], socket.socket]) -> socket.socket:
        """Look up and connect, which nothing else can interrupt; keep the socket."""
        _connecting.add = self._add
        sock = apart(new, lambda: self.stopped.is_set() or is_asked_to_end(), socket.socket.close)
        self._add(sock)
        return sock

    def _shut(self, sock: socket.socket) -> None:
        with suppress(OSError):  # the other side was faster, or a TLS socket has taken its place
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _as_it_came(self, target: str) -> str:
        """Return what is asked for without urllib3's changes; a proxy is asked for a whole URL."""
        url: Url = self.sending.url
        return url.target if target.startswith("/") else str(url)

    def _pool_classes(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        """Return urllib3's pools of connections, by scheme, with sockets that are known."""
        connect, as_it_came = self._connect, self._as_it_came

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(super()._new_conn)

            def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
                super().request(method, as_it_came(url), *args, **kwargs)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(super()._new_conn)

            def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
                super().request(method, as_it_came(url), *args, **kwargs)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}
