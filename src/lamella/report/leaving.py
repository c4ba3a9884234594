"""Paths that a user may leave out of the new image: how the page and `explore` name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lamella.analysis.advice import Advice, AdviceKind
from lamella.analysis.caches import cache_of
from lamella.analysis.model import Analysis, Secret, Usage
from lamella.merge.patterns import pattern_of
from lamella.report.text import printable
from lamella.tar.entry import join, path_text

__all__ = ["exclude_patterns", "marks", "own_pattern"]


def exclude_patterns(paths: Iterable[bytes]) -> list[str]:
    """Return the patterns that leave out these paths, in order."""
    return [pattern_of(path) for path in sorted(paths)]


def own_pattern(path: bytes) -> str:
    """Return the pattern of a path if that isn't what the path is shown as; else nothing."""
    pattern = pattern_of(path)
    return "" if pattern == _shown(path) else pattern


def marks(analysis: Analysis, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return what the page's script needs for paths that are no places of its map.

    Each is a list: path as it is shown, live bytes by layer, its own pattern.

    Args:
        analysis: what was found.
        advice: what is advised; some of it is about caches.
    """
    found = list(_caches(analysis.root, b""))
    wanted = [one.cache if one.kind is AdviceKind.LIVE_CACHE else "" for one in advice]
    return {
        "advice": [
            [_mark(path, place.layers) for path, place, cache in found if cache == name]
            for name in wanted
        ],
        "secrets": [_secret(secret) for secret in analysis.secrets or ()],
    }


def _caches(place: Usage, path: bytes) -> Iterator[tuple[bytes, Usage, str]]:
    """Yield the caches of package managers that the image shows, and whose each is."""
    cache = cache_of(path)
    if cache:
        if place.live:
            yield path, place, cache
        return
    for kid in place.kids:
        yield from _caches(kid, join(path, kid.name))


def _secret(secret: Secret) -> list[object] | None:
    """Return None of one that a layer deletes: merging both removes it."""
    return None if secret.removed_by else _mark(secret.path, ((secret.layer, 0),))


def _mark(path: bytes, layers: Sequence[tuple[int, int]]) -> list[object]:
    return [_shown(path), layers, own_pattern(path)]


def _shown(path: bytes) -> str:
    return printable(path_text(path))
