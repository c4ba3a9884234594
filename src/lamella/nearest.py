"""Similar words, for messages about an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]

_MOST = 2000
"""Words that are looked at: a message must not keep anybody waiting."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the nearest of some words; empty if none is near.

    Args:
        word: what was typed.
        known: what there is, the likeliest first.
    """
    import difflib  # noqa: PLC0415 - only who mistypes has to wait for it

    words = [text for text, _ in zip(known, range(_MOST), strict=False) if text != word]
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=0.7)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'app:1'?``, to end a message with; empty if no word is near."""
    found = nearest(word, known)
    return f"; did you mean {found!r}?" if found else ""
