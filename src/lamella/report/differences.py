"""Differences of two images, as they may be shown: without the values of secrets."""

from __future__ import annotations

from dataclasses import replace

from lamella.analysis.hidden import hide_field
from lamella.rootfs import Difference

__all__ = ["without_secrets"]


def without_secrets(difference: Difference) -> Difference:
    """Return a difference in which values of a config that look like secrets are hidden."""
    of, _, name = difference.what.partition(" ")
    if of != "config":
        return difference
    ours, theirs = (hide_field(name, value) for value in (difference.ours, difference.theirs))
    return replace(difference, ours=ours, theirs=theirs)
