"""Signals as STOPSIGNAL takes them."""

from __future__ import annotations

import re

__all__ = ["check_signal"]

# Those of Linux, https://man7.org/linux/man-pages/man7/signal.7.html, not of where this runs.
_NAMES = frozenset(
    {
        *("ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE"),
        *("HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE"),
        *("POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP"),
        *("SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "UNUSED"),
        *("URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"),
    }
)
_REAL_TIME = re.compile(r"RTM(?:IN(?:\+(?:[1-9]|1[0-5]))?|AX(?:-(?:[1-9]|1[0-4]))?)")
_NUMBER = re.compile(r"[1-9]|[1-5]\d|6[0-4]", re.ASCII)


def check_signal(text: str) -> str:
    """Return a signal as it was given.

    Raises:
        ValueError: there is no such signal.
    """
    name = text.upper().removeprefix("SIG")
    if not (name in _NAMES or _REAL_TIME.fullmatch(name) or _NUMBER.fullmatch(text)):
        message = f"expected a signal such as SIGTERM or 15, got {text!r}"
        raise ValueError(message)
    return text
