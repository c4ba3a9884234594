"""From what a user names to tasks: one for each image, and no result is taken for a source."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from lamella.errors import Cancelled, ImageNotFound, LamellaError, UsageError
from lamella.fleet.bases import Bases
from lamella.fleet.plan_file import PlannedImage, read_plan
from lamella.fleet.shard import Shard
from lamella.fleet.task import Noted, Outcome, Task, check_options, failure
from lamella.fleet.template import fill
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.transport.transports import expand, parse_location

__all__ = ["Listed", "Work", "make_tasks", "read_list", "read_planned"]


class Listed(NamedTuple):
    """A line of a list: an image or a pattern, and what is special about it."""

    source: str
    layer: str | None = None
    """As LAYER of ``lamella squash``; None: as for all images."""
    destination: str | None = None
    """A template; None: as for all images."""
    planned: PlannedImage | None = None
    """What a plan says of it."""


@dataclass(frozen=True)
class Work:
    """What there is to do."""

    tasks: tuple[Task, ...]
    results: tuple[str, ...] = ()
    """Images that match, but are the results of others that do; they are left alone."""
    failed: tuple[Outcome, ...] = ()
    """Files that are not there, and images of which the base can't be looked up."""


def read_list(lines: Iterable[str], name: str) -> Iterator[Listed]:
    """Read a list: ``SOURCE [LAYER] [DEST]`` a line; blank lines and those after ``#`` don't count.

    A dash stands for a LAYER that is not given.

    Raises:
        UsageError: a line has more than three words.
    """
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 3:  # noqa: PLR2004 - see above
            raise UsageError(f"{name}, line {number}: expected SOURCE [LAYER] [DEST], got {line!r}")
        source, layer, destination = (*words, None, None)[:3]
        yield Listed(str(source), None if layer == "-" else layer, destination)


def read_planned(text: bytes, name: str) -> Iterator[Listed]:
    """Read a plan, as `lamella plan -o` writes it.

    Raises:
        UsageError: it is no plan, or one that is not understood.
    """
    for image in read_plan(text, name):
        yield Listed(image.image, planned=image)


def _chosen(one: Listed, common: Task) -> Task:
    """Return what all tasks have in common, with the layers that this image has of its own."""
    if one.planned is None:
        return replace(common, layer=one.layer or common.layer)
    # A layer alone is not squashed: so an image that stays as it is goes to its destination, too.
    ranges = list(one.planned.squash) or ["1-1"]
    options = {**common.options, "layers": ranges}
    return replace(common, options=options, image_id=one.planned.id)


def make_tasks(
    wanted: Sequence[Listed],
    common: Task,
    env: Environment,
    *,
    shard: Shard | None = None,
    known: Mapping[tuple[str, str], Noted] | None = None,
) -> Work:
    """Return a task for each image, in the order in which they are named.

    Args:
        wanted: images and patterns.
        common: what all tasks have in common; its destination is a template (see `template.fill`)
            for those whose line does not say where they go.
        env: how to reach registries and engines.
        shard: the part of the images that this process does.
        known: what a journal says was done, by source and destination.

    Raises:
        Cancelled: the work was cancelled.
        ImageNotFound: a pattern means nothing.
        UsageError: two images would have the same result, or one would replace itself.
    """
    chosen = [_chosen(one, common) for one in wanted]
    for task in (common, *chosen):
        check_options(task)
    failed: list[Outcome] = []
    tasks: dict[Hashable, _Placed] = {}
    by_destination: dict[Hashable, str] = {}
    for one, own in zip(wanted, chosen, strict=True):
        for source in expand(one.source, env):
            try:
                named = _named(source, own, one.destination or common.destination)
            except ImageNotFound as error:
                failed.append(failure(replace(own, source=source), error))
                continue
            first = by_destination.setdefault(named.target.identity(), source)
            if first != source:
                raise UsageError(
                    f"{source} and {first} would both go to {named.target}; let `to` tell them "
                    "apart"
                )
            tasks[named.location.identity()] = named
    results = [one.task.source for image, one in tasks.items() if image in by_destination]
    mine = [
        one
        for image, one in tasks.items()
        if image not in by_destination and (shard is None or one.task.source in shard)
    ]
    found = list(_with_bases(mine, known or {}, Bases(env)))
    failed = [one for one in failed if shard is None or one.source in shard]
    failed += [one for one in found if isinstance(one, Outcome)]
    return Work(tuple(one for one in found if isinstance(one, Task)), tuple(results), tuple(failed))


class _Placed(NamedTuple):
    """A task, and the places that its references mean."""

    task: Task
    location: Location
    target: Location


def _named(source: str, own: Task, destination: str) -> _Placed:
    if not destination:
        raise UsageError(f"{source}: no destination; give `to`, or one in the list")
    location = parse_location(source)
    filled = fill(destination, location.parts(), source)
    target = parse_location(filled, output=True, source=location)
    if target.identity() == location.identity():
        raise UsageError(f"{source}: would replace itself; give the result another name")
    return _Placed(replace(own, source=source, destination=filled), location, target)


def _with_bases(
    named: Iterable[_Placed], known: Mapping[tuple[str, str], Noted], bases: Bases
) -> Iterator[Task | Outcome]:
    """Yield tasks with what is known of them; the outcome, where the base can't be looked up."""
    for task, location, _ in named:
        try:
            base = bases.find(task.layer, location)
        except Cancelled:
            raise
        except LamellaError as error:
            yield failure(task, error)
            continue
        noted = known.get((task.source, task.destination))
        yield replace(task, layer=base.layer, base=base.digest, known=noted)
