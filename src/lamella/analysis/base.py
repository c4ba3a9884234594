"""Which of an image's layers are its base: what the last ``FROM`` of its Dockerfile brought.

No format says so, and a Dockerfile can't be had back from an image. What can be seen: another image
that ends there; or the history, for base images end with how they start (``CMD``, ``ENTRYPOINT``),
and are older than what is built on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lamella.analysis.instruction import instruction
from lamella.analysis.model import Base
from lamella.image import Image, Step
from lamella.spec.digest import Digest

__all__ = ["guess_base"]

_NAME = "org.opencontainers.image.base.name"
"""https://github.com/opencontainers/image-spec/blob/main/annotations.md"""
_LATER = timedelta(hours=1)
"""Longer than most builds take from one step to the next."""


def guess_base(image: Image, others: Mapping[tuple[Digest, ...], Sequence[str]]) -> Base | None:
    """Return what is most likely the base of an image; None: nothing speaks for any layers.

    Args:
        image: the image.
        others: the tags of other images of the same place, by their diff_ids.
    """
    below = [ids for ids in others if len(ids) < len(image.diff_ids) and _starts(image, ids)]
    if below:
        largest = max(below, key=len)
        return Base(len(largest), min(others[largest], default=""), "")
    ends = _ends(image.steps() or [])
    if not ends:
        return None
    name = _told(image)
    for end, after in reversed(ends):
        if (waited := _waited(end, after)) and waited >= _LATER:
            return Base(end.top + 1, name, f"the next layer was made {_words(waited)} later")
    return Base(ends[0][0].top + 1, name, f"{_kind(ends[0][0])} follows in the history")


def _starts(image: Image, ids: tuple[Digest, ...]) -> bool:
    return bool(ids) and image.diff_ids[: len(ids)] == ids


def _ends(steps: Sequence[Step]) -> list[tuple[Step, Step]]:
    """Return each step that says how a container starts, with the layer that was made next."""
    found: list[tuple[Step, Step]] = []
    after: Step | None = None
    for step in reversed(steps):
        if step.layer is not None:
            after = step
        elif after and step.top >= 0 and _kind(step):
            found.append((step, after))
    return found[::-1]


def _kind(step: Step) -> str:
    word = instruction(str(step.entry.get("created_by") or "")).partition(" ")[0].upper()
    return word if word in {"CMD", "ENTRYPOINT"} else ""


def _waited(end: Step, after: Step) -> timedelta | None:
    """Return how much time passed between two steps; None: the history does not say."""
    try:
        first, then = (datetime.fromisoformat(str(s.entry.get("created"))) for s in (end, after))
        return then - first
    except (ValueError, TypeError):  # no time, or only one of them with a time zone
        return None


def _words(waited: timedelta) -> str:
    hours = waited // timedelta(hours=1)
    count, unit = (waited.days, "day") if waited.days else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _told(image: Image) -> str:
    """Return what builders call the base: in an annotation, or in a label."""
    config: Mapping[str, Any] = image.config.value.get("config") or {}
    annotations = image.manifest.value.get("annotations") if image.manifest else None
    return str((annotations or {}).get(_NAME) or (config.get("Labels") or {}).get(_NAME) or "")
