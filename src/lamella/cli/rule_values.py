"""Sizes and shares, as people write them in options and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import click

from lamella.errors import UsageError

__all__ = ["bytes_option", "share_option", "to_bytes", "to_share"]

_Value = TypeVar("_Value", int, float)
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")
_POWERS = ("", "k", "m", "g", "t", "p")


def to_bytes(text: str) -> int:
    """Read a size: ``10MB``, ``1.5 GiB``, ``4096``.

    Raises:
        ValueError: it is none.
        OverflowError: it is too large.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    step = 1024 if match[3] else 1000
    return int(float(match[1]) * step ** _POWERS.index(match[2].lower()))


def to_share(text: str) -> float:
    """Read a part of something: ``5%``, or ``0.05``.

    Raises:
        ValueError: it is none.
    """
    match = _SHARE.fullmatch(text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1
    if not 0 <= share <= 1:
        raise ValueError(text)
    return share


def bytes_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    """Read the value of an option that is a size.

    Raises:
        UsageError: it is none.
    """
    del context
    return _convert(parameter, value, to_bytes, "a size like 10MB or 4096")


def share_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:
    """Read the value of an option that is a part of something.

    Raises:
        UsageError: it is none.
    """
    del context
    return _convert(parameter, value, to_share, "a share like 5% or 0.05")


def _convert(
    parameter: click.Parameter, value: str | None, read: Callable[[str], _Value], expected: str
) -> _Value | None:
    try:
        return None if value is None else read(value)
    except (ValueError, OverflowError):
        message = f"{parameter.opts[0]}: expected {expected}, got {value!r:.60}"
        if read is to_share and value and value.isdecimal():
            message += f"; did you mean {value}%?"
        raise UsageError(message) from None
