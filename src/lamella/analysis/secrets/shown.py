"""A secret as reports show it: enough to know it again, too little to use it."""

from __future__ import annotations

__all__ = ["shorten"]

_FIRST, _SHORT = 4, 12


def shorten(value: bytes | str) -> str:
    """Return the first characters of a secret and its length; of a short one, the length alone."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return f"{text[:_FIRST] if len(text) >= _SHORT else ''}… ({len(text)} characters)"
