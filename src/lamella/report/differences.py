"""Differences of two images, as they may be shown: without the values of secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lamella.analysis.hidden import hide_field
from lamella.rootfs import Difference
from lamella.tar.entry import path_text

__all__ = ["difference_details", "without_secrets"]


def without_secrets(difference: Difference) -> Difference:
    """Return a difference in which values of a config that look like secrets are hidden."""
    of, _, name = difference.what.partition(" ")
    if of != "config":
        return difference
    ours, theirs = (hide_field(name, value) for value in (difference.ours, difference.theirs))
    return replace(difference, ours=ours, theirs=theirs)


def difference_details(difference: Difference) -> dict[str, Any]:
    """Return a difference as JSON values (see docs/json.md)."""
    return {
        "path": path_text(difference.path),
        "what": difference.what,
        "ours": _plain(difference.ours),
        "theirs": _plain(difference.theirs),
        "platform": difference.platform,
    }


def _plain(value: object) -> object:
    return path_text(value) if isinstance(value, bytes) else value
