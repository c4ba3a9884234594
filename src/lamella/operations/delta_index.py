"""A delta for each image of an index, and the index of these."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from lamella.errors import MalformedImage, UsageError
from lamella.operations.clock import Clock
from lamella.operations.delta_job import DeltaJob, DeltaRequest, about_base
from lamella.operations.delta_result import DeltaResult
from lamella.operations.pairs import open_pair, source_by_platform
from lamella.rewrite import index_of, new_entry
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Index
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.index import HasIndex, IndexWriter, TakesIndex, images_of, only_one
from lamella.waiting import published

__all__ = ["delta_every_platform"]


def delta_every_platform(request: DeltaRequest, env: Environment, stack: ExitStack) -> DeltaResult:
    """Make a delta for each image of the new index.

    All are planned before one is written, and all are written before the index is.

    Raises:
        LamellaError: as for one image.
        UsageError: a place keeps images of one platform, or there is no old image of a platform.
    """
    old, new = open_pair((request.old, request.new), None, env, stack)
    index = new.index() if isinstance(new, HasIndex) else None
    if index is None or not isinstance(new, HasIndex):
        return DeltaJob(request, env, stack, (old, new)).run()
    clock = Clock()
    writer = None if request.dry_run else _writer(request, env, stack)
    descriptors = images_of(index, new.nested, str(request.new))
    pairs = _pairs(request, old, new, descriptors)
    if len(index.manifests) > len(pairs):
        env.progress.note(f"{request.new}: only images are in the new index, no attestations")
    asked = replace(request, output=request.output.unnamed(), tags=())
    jobs = [
        DeltaJob(replace(asked, platform=Platform.of(one.platform)), env, stack, pair, writer)
        for one, pair in pairs
    ]
    ready = [job.prepare() for job in jobs]
    if writer is None:
        done = [job.planned(one) for job, one in zip(jobs, ready, strict=True)]
        return _result(request, done, clock)
    made = [job.write(one) for job, one in zip(jobs, ready, strict=True)]
    done = [job.publish(one) for job, one in zip(jobs, made, strict=True)]
    entries = [
        new_entry(descriptor, one.manifest, {})
        for (descriptor, _), one in zip(pairs, made, strict=True)
    ]
    stored = writer.stored_index(index_of(index, entries, about_base("", _digest(old))))
    writer.commit_index(stored, request.tags)
    published()
    return _result(request, done, clock, stored)


def _writer(request: DeltaRequest, env: Environment, stack: ExitStack) -> IndexWriter:
    opened = stack.enter_context(request.output.open_destination(env))
    if not isinstance(opened, TakesIndex):
        raise only_one(str(request.output))
    return opened.open_index()


def _pairs(
    request: DeltaRequest, old: Source, new: HasIndex, descriptors: list[Descriptor]
) -> list[tuple[Descriptor, tuple[Source, Source]]]:
    """Return each image of the new index that is there, with the old one of its platform."""
    olds = source_by_platform(old, str(request.old))
    found: list[tuple[Descriptor, tuple[Source, Source]]] = []
    for descriptor in descriptors:
        source = new.image_of(descriptor)
        if source is None:
            continue
        platform = str(Platform.of(descriptor.platform))
        below = olds.get(platform)
        if below is None:
            raise UsageError(f"{request.old} has no image for {platform}; {request.new} has one")
        found.append((descriptor, (below, source)))
    if not found:
        raise MalformedImage(str(request.new), "no image of its index is here")
    return found


def _digest(source: Source) -> str:
    index = source.index() if isinstance(source, HasIndex) else None
    return str(index.digest) if index else ""


def _result(
    request: DeltaRequest, done: list[DeltaResult], clock: Clock, index: Index | None = None
) -> DeltaResult:
    """Return sums over all platforms."""
    clock.lap("total")
    ignored: dict[str, int] = {}
    for one in done:
        for word, count in one.ignored.items():
            ignored[word] = ignored.get(word, 0) + count
    digest = str(index.digest) if index else ""
    return DeltaResult(
        old=str(request.old),
        new=str(request.new),
        old_id="",
        new_id="",
        destination=str(request.output),
        tags=request.output.names(request.tags),
        platform="",
        shared_layers=sum(one.shared_layers for one in done),
        layers=sum(one.layers for one in done),
        old_bytes=sum(one.old_bytes for one in done),
        delta_bytes=sum(one.delta_bytes for one in done),
        entries=sum(one.entries for one in done),
        whiteouts=(),
        ignored=ignored,
        stored=sum(one.stored for one in done),
        id=digest,
        digest=digest,
        reference=request.output.pin(digest) if digest else "",
        verified=all(one.verified for one in done),
        dry_run=request.dry_run,
        seconds=clock.seconds,
        platforms=tuple(done),
    )
