"""What to do about dead bytes and secrets: facts in, advice out.

Each entry belongs to one piece of advice at the most, so their bytes can be added up; but a squash
takes the dead bytes away as all the others do, after the build instead of in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lamella.analysis.caches import CACHES
from lamella.analysis.instruction import instruction
from lamella.analysis.model import Analysis, LiveCache, Saving, Secret, Waste
from lamella.merge.causes import Cause
from lamella.tar.entry import path_text

__all__ = ["Advice", "AdviceKind", "advise"]


class AdviceKind(StrEnum):
    """What is advised."""

    SECRET = "secret"  # noqa: S105 - a word
    SSH = "ssh"
    CHOWN = "chown"
    CHMOD = "chmod"
    METADATA = "metadata"
    CACHE = "cache"
    LIVE_CACHE = "live-cache"
    LEFT_OUT = "leave-out"
    SAME_RUN = "same-run"
    BASE = "base"
    UPDATE = "update-base"
    OVERWRITTEN = "overwritten"
    DUPLICATE = "duplicate"
    SQUASH = "squash"


@dataclass(frozen=True)
class Advice:
    """One thing to do."""

    kind: AdviceKind
    saved: int
    """Bytes it brings: no longer in the image once it is built like that."""
    layers: tuple[int, ...]
    """The steps it is about, by the layers that they made; the last takes away, if any does."""
    text: str
    """What to do, in one line."""
    why: str
    """What is behind it, in a sentence or two."""
    code: str = ""
    """What to write into the Dockerfile; empty: nothing that would hold for all."""
    cache: str = ""
    """Of which package manager it is about the cache, as in `analysis.caches`; empty: of none."""


_WORDS: Mapping[AdviceKind, tuple[str, str, str]] = {
    AdviceKind.SECRET: (
        "replace the secret {paths} ({made}); mount it in the build",
        (
            "It ships with every copy of the image, even if a later step deletes it. A mounted "
            "secret is in no layer."
        ),
        "RUN --mount=type=secret,id={name},target=/{path} …",
    ),
    AdviceKind.SSH: (
        "replace the key {paths} ({made}); mount it in the build",
        (
            "It ships with every copy of the image, even if a later step deletes it. With a "
            "mounted SSH agent no layer gets the key."
        ),
        "RUN --mount=type=ssh …",
    ),
    AdviceKind.CHOWN: (
        "use COPY --chown{owner} in {made} instead of RUN chown in {by}",
        "A change of owner stores every file a second time.",
        "{copy}",
    ),
    AdviceKind.CHMOD: (
        "use COPY --chmod{mode} in {made} instead of RUN chmod in {by}",
        "A change of mode stores every file a second time.",
        "{copy}",
    ),
    AdviceKind.METADATA: (
        "set owner, mode and time in {made}, not in {by}",
        (
            "The later step changes only those, and stores every file in {place} a second time. Do "
            "it in the step that makes the files."
        ),
        "",
    ),
    AdviceKind.CACHE: (
        "delete the cache of {cache} in the RUN of {made}, not in {by}",
        (
            "A later step can't remove it from the layer that has it. With a cache mount it is "
            "kept for the next build, and is not in the image."
        ),
        "{cure}\nRUN --mount=type=cache,target={mount} …",
    ),
    AdviceKind.LIVE_CACHE: (
        "empty the cache of {cache} in the RUN of {made}",
        (
            "It is still visible in {place}; a container rarely needs it. With a cache mount it is "
            "kept for the next build, and is not in the image."
        ),
        "{cure}\nRUN --mount=type=cache,target={mount} …",
    ),
    AdviceKind.SAME_RUN: (
        "delete {place} in the RUN of {made}, not in {by}",
        "A later step can't remove it from the layer that has it.",
        "RUN … && rm -rf {whole}",
    ),
    AdviceKind.LEFT_OUT: (
        "don't copy {place} in {made}; it is deleted in {by}",
        (
            "Name it in .dockerignore, copy only what is needed, or build in a stage of its own "
            "and copy the result."
        ),
        "",
    ),
    AdviceKind.BASE: (
        "use a base without {place} ({by} deletes it)",
        (
            "A step can't remove anything from the base image. Use another base, or a squash that "
            "includes the base."
        ),
        "",
    ),
    AdviceKind.UPDATE: (
        "use a newer base image: {by} replaces files of it in {place}",
        "Both versions ship. With a base that has the newer one there is nothing to replace.",
        "",
    ),
    AdviceKind.OVERWRITTEN: (
        "write {place} once: {made} makes it, {by} replaces it",
        "Both versions ship. Drop the first, or make the change in the step that writes it.",
        "",
    ),
    AdviceKind.DUPLICATE: (
        "write {place} once: {by} stores the same as {made}",
        "The very same files are stored twice. Drop one of the two steps, or narrow it.",
        "",
    ),
    AdviceKind.SQUASH: (
        "squash layers {first}-{last}: {count} layers become {left}",
        (
            "It needs no new build, and also removes what the steps above can't. It saves the same "
            "bytes as the advice above for these layers; don't add them up."
        ),
        "",
    ),
}
"""What to do, why, and what to write; all words are here."""

_LEAST = 1000
"""Less than this part of the image is not worth a line."""
_LONGEST = 32
"""Of a path in a sentence, letters; its end says more."""
_OWNER = re.compile(r"\bchown\s+(?:-\S+\s+){0,9}([\w.${}-]+(?::[\w.${}-]*)?|:[\w.${}-]+)\s")
_MODE = re.compile(r"\bchmod\s+(?:-\S+\s+){0,9}([0-7]{3,4})\s")
_COPY = re.compile(r"(COPY|ADD) ")


def advise(analysis: Analysis, squash: Saving | None) -> tuple[Advice, ...]:
    """Return what to do, most pressing first: secrets, then what brings most, then a squash.

    Args:
        analysis: what was found.
        squash: the one that saves most, if any does.
    """
    least = analysis.total // _LEAST
    advising = _Advising(analysis)
    about = (*advising.about_waste(), *advising.about_caches())
    found = sorted(about, key=lambda advice: -advice.saved)
    secrets = _about_secrets(analysis.secrets or ())
    squashes = [_about_squash(analysis, squash)] if squash else []
    return (*secrets, *(one for one in found if one.saved > least), *squashes)


def _say(kind: AdviceKind, saved: int, layers: Sequence[int], **facts: object) -> Advice:
    text, why, code = (words.format_map(facts) for words in _WORDS[kind])
    return Advice(kind, saved, tuple(layers), text, why, code, str(facts.get("cache", "")))


def _about_secrets(secrets: Sequence[Secret]) -> Iterator[Advice]:
    by_layer: defaultdict[tuple[int, bool], list[Secret]] = defaultdict(list)
    for secret in secrets:
        by_layer[secret.layer, b".ssh" in secret.path.split(b"/")].append(secret)
    for (layer, ssh), here in by_layer.items():
        path = path_text(here[0].path)
        more = f" and {len(here) - 1} more" if len(here) > 1 else ""
        name = path.rpartition("/")[2].lstrip(".")
        layers = sorted({layer, *(secret.removed_by or layer for secret in here)})
        kind = AdviceKind.SSH if ssh else AdviceKind.SECRET
        facts = {
            "paths": f"{_shortened(f'/{path}')}{more}",
            "path": path,
            "name": name,
            "made": f"layer {layer}",
        }
        yield _say(kind, 0, layers, **facts)


def _about_squash(analysis: Analysis, squash: Saving) -> Advice:
    count = len(analysis.layers)
    facts = {"count": count, "left": count - squash.last + squash.first}
    both = (squash.first, squash.last)
    return _say(AdviceKind.SQUASH, squash.saved, both, first=both[0], last=both[1], **facts)


class _Advising:
    def __init__(self, analysis: Analysis) -> None:
        self.kept = analysis.kept
        self.steps = ["", *(instruction(layer.command) for layer in analysis.layers)]
        self.wastes, self.caches = analysis.wastes, analysis.caches
        self.copied_from = {
            waste.by: waste.layer for waste in self.wastes if waste.cause is Cause.METADATA_ONLY
        }
        """By a layer that changes owners or modes: the one whose files those are."""

    def about_waste(self) -> Iterator[Advice]:
        groups: defaultdict[tuple[AdviceKind, str], list[Waste]] = defaultdict(list)
        for waste in self.wastes:
            kind = self._kind(waste)
            if kind is AdviceKind.CACHE:
                groups[kind, waste.cache].append(waste)
            elif kind in {AdviceKind.OVERWRITTEN, AdviceKind.DUPLICATE}:
                groups[kind, f"{waste.layer} {waste.by}"].append(waste)
            else:
                groups[kind, str(waste.by)].append(waste)
        for (about, _), wastes in groups.items():
            yield self._about(about, wastes)

    def about_caches(self) -> Iterator[Advice]:
        by_name: defaultdict[str, list[LiveCache]] = defaultdict(list)
        for live in self.caches:
            if not self._is_base(live.layer):
                by_name[live.cache].append(live)
        for name, here in by_name.items():
            layers = [live.layer for live in here]
            biggest = max(here, key=lambda live: live.size)
            facts = {
                "cache": name,
                "made": _numbers(layers),
                "place": f"/{path_text(biggest.path)}/",
                "cure": CACHES[name].cure,
                "mount": CACHES[name].mount,
            }
            yield _say(AdviceKind.LIVE_CACHE, sum(live.size for live in here), layers, **facts)

    def _kind(self, waste: Waste) -> AdviceKind:
        maker = self.steps[self._maker(waste)]
        if waste.cause is Cause.METADATA_ONLY:
            return self._metadata_kind(maker, self.steps[waste.by])
        if self._is_base(waste.layer):
            return AdviceKind.BASE if waste.cause is Cause.DELETED else AdviceKind.UPDATE
        if waste.cause is Cause.OVERWRITTEN:
            return AdviceKind.OVERWRITTEN
        if waste.cause is Cause.DUPLICATE:
            return AdviceKind.DUPLICATE
        if waste.cache:
            return AdviceKind.CACHE
        return AdviceKind.LEFT_OUT if _COPY.match(maker) else AdviceKind.SAME_RUN

    def _maker(self, waste: Waste) -> int:
        """Return the layer whose step should be changed."""
        first = self.copied_from.get(waste.layer, waste.layer)
        return first if waste.cause is Cause.DELETED else waste.layer

    def _metadata_kind(self, maker: str, by: str) -> AdviceKind:
        if _COPY.match(maker) and "chown" in by:
            return AdviceKind.CHOWN
        return AdviceKind.CHMOD if _COPY.match(maker) and "chmod" in by else AdviceKind.METADATA

    def _is_base(self, number: int) -> bool:
        """Whether a layer is what the Dockerfile begins with."""
        step = self.steps[number]
        return number <= self.kept or (number == 1 and step.startswith("ADD "))

    def _about(self, kind: AdviceKind, wastes: Sequence[Waste]) -> Advice:
        makers = sorted({*map(self._maker, wastes)})
        takers = sorted({waste.by for waste in wastes})
        by = self.steps[takers[0]]
        owner, mode = (
            found[1] if (found := pattern.search(by)) else "" for pattern in (_OWNER, _MODE)
        )
        flag = f"--chown={owner}" if kind is AdviceKind.CHOWN else f"--chmod={mode}"
        cache = CACHES.get(wastes[0].cache)
        return _say(
            kind,
            sum(waste.size for waste in wastes),
            sorted({*makers, *takers}),
            made=_numbers(makers),
            by=_numbers(takers),
            place=_shortened(_place(wastes)),
            whole=_place(wastes),
            owner=f"={owner}" if owner else "",
            mode=f"={mode}" if mode else "",
            copy=_with_flag(self.steps[makers[0]], flag),
            cache=wastes[0].cache,
            cure=cache.cure if cache else "",
            mount=cache.mount if cache else "",
        )


def _with_flag(step: str, flag: str) -> str:
    """Return a COPY with one more flag; empty if that has no value."""
    named = re.sub(r" (?:dir|file|multi):… ", " … ", step, count=1)
    return "" if flag.endswith("=") else _COPY.sub(rf"\g<1> {flag} ", named, count=1)


def _numbers(layers: Sequence[int]) -> str:
    first, *rest = map(str, layers)
    return f"layers {', '.join([first, *rest[:-1]])} and {rest[-1]}" if rest else f"layer {first}"


def _place(wastes: Sequence[Waste]) -> str:
    biggest = max(wastes, key=lambda waste: waste.size)
    path = path_text(biggest.path)
    return f"/{path}{'/' if path and biggest.entries > 1 else ''}"


def _shortened(path: str) -> str:
    return path if len(path) <= _LONGEST else f"…{path[1 - _LONGEST :]}"
