"""Which of an image's layers are its base: what the last ``FROM`` of its Dockerfile brought.

No format has to say so, and a Dockerfile can't be had back from an image. What can be seen: what
the image says of its base; another image that ends there; or the history, for base images end with
how they start (``CMD``, ``ENTRYPOINT``), and are older than what is built on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from lamella.analysis.instruction import instruction
from lamella.analysis.known_base import Base
from lamella.image import Image, Step
from lamella.spec.annotation import BASE_DIGEST, BASE_NAME
from lamella.spec.digest import Digest

__all__ = [
    "ToldBase",
    "base_of_others",
    "guess_base",
    "possible_bases",
    "told_by_image",
    "told_in",
]

_LATER = timedelta(hours=1)
"""Longer than most builds take from one step to the next."""


class ToldBase(NamedTuple):
    """What somebody says is the base of an image."""

    name: str
    """Empty: it has none."""
    digest: str
    """Of its manifest or its index; empty: it was not said."""
    where: str
    """Who says so."""


def told_in(annotations: Mapping[str, str], where: str) -> list[ToldBase]:
    """Return the base that annotations or labels tell, if they tell one."""
    told = ToldBase(annotations.get(BASE_NAME, ""), annotations.get(BASE_DIGEST, ""), where)
    return [told] if told.name or told.digest else []


def told_by_image(image: Image) -> list[ToldBase]:
    """Return the bases that an image's own documents tell.

    The manifest's comes first: labels are inherited, so they may tell the base of the base.
    """
    config: Mapping[str, Any] = image.config.value.get("config") or {}
    manifest = image.manifest.value.get("annotations") if image.manifest else None
    return [
        *told_in(manifest or {}, "annotation of its manifest"),
        *told_in(config.get("Labels") or {}, "label of its config"),
    ]


def base_of_others(image: Image, others: Mapping[tuple[Digest, ...], Sequence[str]]) -> Base | None:
    """Return the largest image whose layers are an image's lowest ones; None: there is none.

    Args:
        image: the image.
        others: the tags of other images of the same place, by their diff_ids.
    """
    below = [ids for ids in others if len(ids) < len(image.diff_ids) and _starts(image, ids)]
    if not below:
        return None
    largest = max(below, key=len)
    return Base(len(largest), min(others[largest], default=""), "", "image")


def guess_base(image: Image) -> Base | None:
    """Return what the history says is most likely the base of an image; None: it says nothing."""
    found = possible_bases(image)
    return next((base for base in found if base.found_by == "times"), found[-1] if found else None)


def possible_bases(image: Image) -> list[Base]:
    """Return what may be the base of an image as its history tells it, the largest first.

    The largest that is clearly older than what follows is the likely one; where the times say
    nothing, the smallest.
    """
    name = next((told.name for told in told_by_image(image)), "")
    ends = {end.top: (end, after) for end, after in _ends(image.steps() or [])}
    return [_base(*ends[top], name) for top in sorted(ends, reverse=True)]


def _base(end: Step, after: Step, name: str) -> Base:
    if (waited := _waited(end, after)) and waited >= _LATER:
        return Base(end.top + 1, name, f"the next layer was made {_words(waited)} later", "times")
    return Base(end.top + 1, name, f"{_kind(end)} follows in the history", "history")


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
