"""Squash every image of an index, and write a new index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache

from lamella.errors import MalformedImage, UsageError
from lamella.merge.causes import Dropped
from lamella.operations.merge_layers import Prepared, reason_against
from lamella.operations.referrers import Attached
from lamella.operations.request import Request
from lamella.operations.restating import check_index, documents_of, index_changes, kept_values
from lamella.operations.result import Result
from lamella.operations.squash import Job, Made
from lamella.progress import Progress
from lamella.restate.annotations import for_images, for_index
from lamella.rewrite import new_entry, new_index
from lamella.selection import Selection
from lamella.spec.changes import FieldChange
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import INDEXES
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.index import (
    Artifact,
    HasIndex,
    IndexWriter,
    TakesIndex,
    images_of,
    is_image,
    only_one,
)
from lamella.waiting import finish, published

__all__ = ["squash_every_platform"]

_AT_ONCE = 3
"""Images that are read and planned at the same time."""


def squash_every_platform(request: Request, env: Environment, stack: ExitStack) -> Result:
    """Squash each image of the index that the request's location names.

    Every image is selected, read and planned before one is written, and all are written before the
    index is: what can't be done for one platform is not done for any.

    Raises:
        LamellaError: as for one image, and it tells the platform.
        UsageError: source or destination keeps images of one platform.
    """
    source = stack.enter_context(request.location.open_source(None, env))
    if not isinstance(source, HasIndex):
        raise UsageError(
            f"{request.location}: an engine provides the image of one platform only; "
            "give `platform` OS/ARCH"
        )
    index = source.index()
    if index is None:
        return Job(request, env, stack, source).run()
    return _EveryPlatform(request, env, stack, source, index).run()


@dataclass(frozen=True)
class _One:
    """One image of the index."""

    descriptor: Descriptor
    source: Source
    job: Job

    def prepare(self, selection: Selection) -> Prepared:
        return self.job.prepare(selection)


class _EveryPlatform:
    def __init__(
        self,
        request: Request,
        env: Environment,
        stack: ExitStack,
        source: HasIndex,
        index: Index,
    ) -> None:
        self._request, self._env, self._stack = request, env, stack
        self._source, self._index = source, index
        self._started = time.monotonic()
        self._destination: IndexWriter | None = None
        if not request.dry_run:
            opened = stack.enter_context(request.output.open_destination(env))
            if not isinstance(opened, TakesIndex):
                raise only_one(str(request.output))
            self._destination = opened.open_index()
        # Before the jobs, so that it is waited for after they have stopped what it does.
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lamella-platform")
        stack.callback(finish, self._pool)
        self._nested = cache(source.nested)  # it is asked for more than once
        self._left_out: list[str] = []
        self._artifacts: dict[Digest, Artifact] = {}
        self._new: dict[Digest, Made] = {}
        self._attached = Attached(request.referrers, env.progress)
        self._annotations = for_index(request.annotations)
        self._secrets: frozenset[str] = frozenset()
        self._wanted = request.changes

    def run(self) -> Result:
        if self._destination is not None:
            stored = self._destination.stored_index(self._index)
            check_index(self._annotations, stored, str(self._request.location))
        ones = list(self._images())
        if not ones:
            raise MalformedImage(str(self._request.location), "no image of its index is here")
        self._share_secrets(ones)
        selections = list(self._pool.map(self._select, ones))
        prepared = list(self._pool.map(_One.prepare, ones, selections))
        rewritten = {
            str(one.descriptor.digest): _name(one.descriptor)
            for one, it in zip(ones, prepared, strict=True)
            if it.plans or one.job.restating(it.image).renews or self._changes(it)
        }
        self._judge(self._index, rewritten)
        self._attached.look(self._source, self._index)
        self._attached.judge(complete=not any(it.edited.left_out for it in prepared))
        if self._destination is None:
            done = [one.job.planned(it) for one, it in zip(ones, prepared, strict=True)]
            return self._result(done, None)
        made = [one.job.write(it) for one, it in zip(ones, prepared, strict=True)]
        done = [one.job.publish(it) for one, it in zip(ones, made, strict=True)]
        self._new = {one.descriptor.digest: it for one, it in zip(ones, made, strict=True)}
        renewed = self._renew(self._index, self._destination, self._annotations)
        index = self._annotated(self._destination.stored_index(renewed))
        self._attached.carry(self._destination, index)
        self._destination.commit_index(index, self._request.tags)
        published()
        if self._request.cleanup:
            self._env.progress.note("`cleanup`: images of several platforms are left alone")
        return self._result(done, index)

    def _share_secrets(self, ones: list[_One]) -> None:
        """Let what is a secret in one document be one in all of them."""
        if self._wanted.redaction.is_none:
            return
        documents: list[object] = [self._index.value]
        of_index = self._index.value, {"annotations": self._annotations}
        kept: set[str] = set()
        images = list(self._pool.map(lambda one: one.source.describe(), ones))
        for one, described in zip(ones, images, strict=True):
            documents += documents_of(described)
            kept |= kept_values(described, self._request, one.job.allowed, of_index)
        self._wanted = self._wanted.keeping(frozenset(kept))
        self._secrets = self._wanted.redaction.values_in(documents)
        for one in ones:
            one.job.secrets, one.job.kept = self._secrets, frozenset(kept)

    def _told(self) -> Iterator[FieldChange]:
        """Yield which annotations of the index change."""
        new = self._annotated(self._index)
        return index_changes(self._index, new, self._wanted, self._secrets)

    def _annotated(self, index: Index) -> Index:
        """Return an index with the annotations, if its dialect has any, and without secrets."""
        new = new_index(index, lambda entry: entry, self._annotations)
        return self._wanted.index(new, self._secrets)

    def _images(self) -> Iterator[_One]:
        where = str(self._request.location)
        for descriptor in images_of(self._index, self._nested, where):
            source = self._source.image_of(descriptor)
            if source is None:
                self._leave_out(f"{_name(descriptor)}: listed in the index, but missing")
            else:
                yield _One(descriptor, source, self._job(descriptor, source))

    def _job(self, descriptor: Descriptor, source: Source) -> Job:
        name = _name(descriptor)
        request = replace(
            self._request,
            output=self._request.output.unnamed(),
            tags=(),
            annotations=for_images(self._request.annotations),
            platform=Platform.of(descriptor.platform) if descriptor.platform else None,
            cleanup=False,
        )
        env = replace(self._env, progress=_TaggedJob(self._env.progress, name))
        return Job(request, env, self._stack, source, self._destination)

    def _select(self, one: _One) -> Selection:
        reason = reason_against(one.source.describe())
        if not reason:
            return one.job.select()
        self._env.progress.note(f"{_name(one.descriptor)}: left as it is: {reason}")
        return Selection(())

    def _changes(self, prepared: Prepared) -> bool:
        """Whether the destination keeps the manifest in other words than the source."""
        manifest = prepared.image.manifest
        if self._destination is None or manifest is None:
            return False
        return self._destination.stored_manifest(manifest) != manifest

    # -- what is no image

    def _judge(self, index: Index, rewritten: dict[str, str]) -> None:
        """Find out what stays beside the images: not what is about an image as it was."""
        for descriptor in index.manifests:
            if descriptor.media_type in INDEXES:
                nested = self._nested(descriptor)
                if nested is None:
                    self._leave_out(f"{_name(descriptor)}: listed in the index, but missing")
                else:
                    self._judge(nested, rewritten)
            elif not is_image(descriptor):
                self._judge_artifact(descriptor, rewritten)

    def _judge_artifact(self, descriptor: Descriptor, rewritten: dict[str, str]) -> None:
        artifact = self._source.artifact(descriptor)
        kind = "attestation" if descriptor.is_attestation else "artifact"
        if artifact is None:
            self._leave_out(f"{kind} {descriptor.digest.short}: listed in the index, but missing")
        elif artifact.subject in rewritten:
            platform = rewritten[artifact.subject]
            self._leave_out(f"{platform}: its {kind} describes the image as it was before")
        else:
            self._artifacts[descriptor.digest] = artifact

    def _leave_out(self, what: str) -> None:
        self._left_out.append(what)
        self._env.progress.note(f"{what}; left out of the new index")

    # -- the new index

    def _renew(
        self,
        index: Index,
        destination: IndexWriter,
        annotations: Mapping[str, str] | None = None,
    ) -> Index:
        def entry_of(descriptor: Descriptor) -> Descriptor | None:
            if descriptor.media_type in INDEXES:
                return self._nested_entry(descriptor, destination)
            if is_image(descriptor):
                made = self._new.get(descriptor.digest)
                return _entry(descriptor, made.manifest, made.base) if made else None
            artifact = self._artifacts.get(descriptor.digest)
            if artifact is None:
                return None
            destination.put_artifact(descriptor, artifact)
            return descriptor

        bases = [made.base for made in self._new.values()]
        base = bases[0] if all(one == bases[0] for one in bases) else {}
        renewed = new_index(index, entry_of, annotations, base)
        return self._wanted.index(renewed, self._secrets)

    def _nested_entry(self, descriptor: Descriptor, destination: IndexWriter) -> Descriptor | None:
        nested = self._nested(descriptor)
        renewed = self._renew(nested, destination) if nested else None
        if renewed is None or not renewed.manifests:
            return None
        renewed = destination.stored_index(renewed)
        destination.put_nested(renewed)
        return _entry(descriptor, renewed)

    def _result(self, done: list[Result], index: Index | None) -> Result:
        def total(of: Callable[[Result], int]) -> int:
            return sum(of(one) for one in done)

        digest = str(index.digest) if index else ""
        return Result(
            source=str(self._request.location),
            source_id="",
            source_digest=str(self._index.digest),
            destination=str(self._request.output),
            tags=self._request.names,
            layers_before=total(lambda one: one.layers_before),
            layers_after=total(lambda one: one.layers_after),
            bytes_before=total(lambda one: one.bytes_before),
            bytes_after=total(lambda one: one.bytes_after),
            kept=total(lambda one: one.kept),
            kept_bytes=total(lambda one: one.kept_bytes),
            kept_name="",
            referrers=self._attached.outcomes,
            asked=self._request.asked(),
            ranges=(),
            dropped=sum((one.dropped for one in done), Dropped()),
            id=digest,
            digest=digest,
            reference=self._request.output.pin(digest) if digest else "",
            dry_run=self._request.dry_run,
            verified=self._request.check and not self._request.dry_run,
            seconds={"total": time.monotonic() - self._started},
            platforms=tuple(done),
            left_out=tuple(self._left_out),
            config_changes=tuple(self._told()),
        )


def _entry(
    old: Descriptor, document: Manifest | Index, base: Mapping[str, str] | None = None
) -> Descriptor:
    return old if document.digest == old.digest else new_entry(old, document, base)


def _name(descriptor: Descriptor) -> str:
    if descriptor.platform:
        return str(Platform.of(descriptor.platform))
    return descriptor.digest.short


@dataclass(frozen=True)
class _TaggedJob:
    """Progress of one of several images at once; a `progress.Progress`."""

    all: Progress
    name: str

    def phase(self, name: str, total: int | None = None) -> None:
        self.all.phase(f"{self.name}: {name}", total)

    def advance(self, amount: int) -> None:
        self.all.advance(amount)

    def note(self, message: str) -> None:
        self.all.note(f"{self.name}: {message}")

    def debug(self, message: str) -> None:
        self.all.debug(f"{self.name}: {message}")
