"""Ports as EXPOSE takes them."""

from __future__ import annotations

import re

__all__ = ["expand_ports"]

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE | re.ASCII)
_LAST = 65535


def expand_ports(text: str) -> list[str]:
    """Return each port of a range: ``8000-8001/udp`` is ``8000/udp`` and ``8001/udp``.

    Raises:
        ValueError: it is none.
    """
    found = _PORTS.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
    if found is None or not first <= last <= _LAST:
        message = f"expected PORT or FIRST-LAST, and perhaps /tcp, /udp or /sctp, got {text!r}"
        raise ValueError(message)
    protocol = (found[3] or "tcp").lower()
    return [f"{port}/{protocol}" for port in range(first, last + 1)]
