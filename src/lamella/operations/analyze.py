"""Where the bytes of an image go: opens the image wherever it is, and takes it apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from lamella.analysis.browse import Contents
from lamella.analysis.compare import Comparison, compare
from lamella.analysis.facts import Label, dead_shares, take_apart
from lamella.analysis.lifetimes import Laid
from lamella.analysis.model import Analysis
from lamella.analysis.savings import check_layers
from lamella.analysis.sharing import shared_layers
from lamella.errors import MalformedImage
from lamella.image import Image
from lamella.layer.opener import LayerOpener, is_near
from lamella.layer.protocols import LayerTar
from lamella.layer_list import LayerLine, layer_lines
from lamella.operations.find_base import base_here
from lamella.spec.platform import Platform
from lamella.transport.base import Source, fetch_all
from lamella.transport.environment import Environment
from lamella.transport.transports import locate

__all__ = [
    "Explored",
    "analyze_source",
    "compare_sources",
    "explore_source",
    "is_all_near",
    "with_dead_shares",
]


class Explored(NamedTuple):
    """What there is to say of an image, and all that is in it."""

    analysis: Analysis
    contents: Contents
    image: Image | None = None
    tars: Sequence[LayerTar] = ()
    """Of all layers, base first."""


def analyze_source(
    reference: str, platform: Platform | None, env: Environment, *, secrets: bool
) -> Analysis:
    """Analyze an image.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    with _taken_apart(reference, platform, env, secrets=secrets) as (analysis, _, _, _):
        return analysis


def compare_sources(
    a: str, b: str, platform: Platform | None, env: Environment, *, secrets: bool
) -> Comparison:
    """Analyze two images, and find out what only one of them has.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    with _taken_apart(a, platform, env, secrets=secrets) as (ours, our_tree, _, _):
        pass
    with _taken_apart(b, platform, env, secrets=secrets) as (theirs, their_tree, _, _):
        return compare((ours, our_tree), (theirs, their_tree))


@contextmanager
def explore_source(
    reference: str, platform: Platform | None, env: Environment
) -> Iterator[Explored]:
    """Analyze an image for one who will walk through it; its files can be read meanwhile.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    with _taken_apart(reference, platform, env, secrets=True) as (analysis, laid, image, tars):
        yield Explored(analysis, Contents(laid), image, tars)


@contextmanager
def _taken_apart(
    reference: str, platform: Platform | None, env: Environment, *, secrets: bool
) -> Iterator[tuple[Analysis, Laid, Image, list[LayerTar]]]:
    location = locate(reference, env)
    with location.open_source(platform, env) as source, LayerOpener(env.spool) as opener:
        image = source.describe()
        if not image.layers:
            raise MalformedImage(image.name, "it has no layers")
        check_layers(len(image.layers))
        if image.history_gap:
            env.progress.note(image.history_gap)
        if platform is None and image.platforms:
            env.progress.note(image.choice)
        labels = [Label(line.id, line.command, line.tags) for line in layer_lines(image)]
        # With all content: some of it will be compared, and nothing should be fetched twice.
        image = fetch_all(source)
        with opener.explaining():
            analysis, laid = take_apart(image, opener, labels, env.progress, secrets=secrets)
        env.progress.phase("verify layers")
        opener.verify()
        others = source.tags_by_chain()
        base = base_here(source, location, env, others)
        analysis = replace(analysis, shared=shared_layers(image, others), base=base)
        yield analysis, laid, image, opener.open_headers(image.layers)


def is_all_near(image: Image) -> bool:
    """Whether its layers can be scanned in no time: nothing must be fetched or unpacked first."""
    return all(map(is_near, image.layers))


def with_dead_shares(
    source: Source, lines: Sequence[LayerLine], env: Environment
) -> list[LayerLine]:
    """Tell of each layer which part of it is dead; only headers are read.

    Raises:
        LamellaError: a layer can't be read, or is malformed.
    """
    image = source.fetch(frozenset(), frozenset(range(len(lines))))
    if not is_all_near(image):
        env.progress.phase("read layers")
    with LayerOpener(env.spool) as opener, opener.explaining():
        shares = dead_shares(image, opener)
    return [replace(line, dead=share) for line, share in zip(lines, shares, strict=True)]
