"""One image of many, as a pure task: a value that any process can do, and the outcome.

Neither has credentials: the process that does the task finds its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from lamella.api import squash
from lamella.errors import EngineError, ImageError, ImageNotFound, LamellaError, UsageError
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.operations.created import created_text
from lamella.operations.editing import allow_texts, edits_of
from lamella.operations.request import Request
from lamella.operations.result import FORMAT_VERSION, Result
from lamella.restate.changes import Changes
from lamella.rewrite import Wording
from lamella.spec.changes import FieldChange
from lamella.spec.digest import Digest
from lamella.spec.json import format_json
from lamella.spec.platform import Platform
from lamella.transport.engine.location import EngineLocation
from lamella.transport.environment import Environment, used
from lamella.transport.location import Glimpse, Location
from lamella.transport.transports import parse_location

__all__ = [
    "PLAN",
    "SOURCE",
    "Noted",
    "Outcome",
    "State",
    "Task",
    "check_options",
    "failure",
    "run_task",
]

SOURCE = "dev.lamella.source.digest"
"""The annotation with the digest of the source that a result was made from."""
PLAN = "dev.lamella.plan.digest"
"""The annotation with the digest of the options that it was made with."""
_MAKING = 1
"""To be increased if the same options give other bytes: then every result is made again."""

State = Literal["squashed", "changed", "copied", "unchanged", "planned", "passed over", "failed"]
"""``copied``: there was nothing to squash; ``changed``: nor that, but its documents are others.
``unchanged``: the result was there already. ``passed over``: the image is older than asked for."""


@dataclass(frozen=True)
class Noted:
    """What a journal says of a result: for places that keep no annotations."""

    source_digest: str
    plan: str
    digest: str
    """Of the result, as its place tells it."""


@dataclass(frozen=True)
class Task:
    """What is to be done with one image. All of it can be said in JSON."""

    source: str
    destination: str
    layer: str | None = None
    """As LAYER of ``lamella squash``."""
    base: str = ""
    """Digest of the image that `layer` names; empty: it names none."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of `lamella.squash` that say what is made: as text, numbers or lists of these."""
    check: bool = False
    dry_run: bool = False
    image_id: str = ""
    """The ID that the image must have, because a plan was made for that one; empty: any."""
    since: str = ""
    """RFC 3339: images that were created before are passed over."""
    known: Noted | None = None

    @property
    def plan(self) -> str:
        """The digest of all that says what is made of a source.

        A name that may come to stand for something else counts by what it stands for now.
        """
        options = sorted(self.options.items())  # in which order they were given is no matter
        chosen = {name: value for name, value in options if value not in (None, ())}
        value = {"making": _MAKING, "layer": self.layer, "options": chosen}
        if self.base:
            value["base"] = self.base
        return str(Digest.of(format_json(value)))


@dataclass(frozen=True)
class Outcome:
    """What came of a task."""

    source: str
    destination: str
    state: State
    source_digest: str = ""
    digest: str = ""
    """Of the new image, as its place tells it: of its manifest, or its ID."""
    plan: str = ""
    reason: str = ""
    """Why nothing was squashed."""
    layers_before: int = 0
    layers_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    seconds: float = 0.0
    tries: int = 1
    exit_code: int = 0
    message: str = ""
    """Of the error."""
    verified: bool = False
    config_changes: tuple[FieldChange, ...] = ()
    """Fields of the image's documents that are changed, or would be, beside the squash itself."""
    may_pass: bool = False
    """Whether it failed for what another try may not meet: an engine, a registry; no login."""

    def to_json(self) -> dict[str, Any]:
        """Return the line of ``lamella batch --json`` (see docs/json.md)."""
        value = asdict(self)
        del value["may_pass"]
        value["seconds"] = round(self.seconds, 3)
        return {"version": FORMAT_VERSION, **value}


def check_options(task: Task) -> None:
    """See to it that what is asked for makes sense for any image, before one is looked for.

    Raises:
        UsageError: it does not.
    """
    options = task.options
    names = ("change", "unset_env", "unset_label", "redact_names")
    changes = (options.get(name) or () for name in names)
    Request(
        EngineLocation("", ""),
        EngineLocation("", ""),
        base=task.layer,
        last=options.get("last"),
        ranges=tuple(options.get("layers") or ()),
        max_layers=options.get("max_layers"),
        auto=options.get("auto", False),
        include_base=options.get("include_base", False),
        remove_secrets=options.get("remove_secrets", False),
        allow=allow_texts(options.get("allow") or ()),
        wording=Wording(message=options.get("message") or ""),
        annotations=options.get("annotations") or {},
        changes=Changes.parse(*changes, redact=options.get("redact", False)),
    )
    created_text(options.get("created"), None)
    edits_of(options.get("exclude") or (), options.get("clamp_mtime"), None)
    if compression := options.get("compression"):
        Compression.parse(compression)
    if (platform := options.get("platform")) not in {None, "all"}:
        Platform.parse(str(platform))
    if task.since:
        _check_time(task.since)


def _check_time(since: str) -> None:
    try:
        datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"`since` {since!r}: expected a time like 2026-01-31T12:00:00Z or 2026-01-31"
        ) from None


def run_task(task: Task, env: Environment) -> Outcome:
    """Do a task, unless its result is there; an error becomes the outcome.

    Where nothing is to be done a registry gets two requests: one for the digest of the source, one
    for the manifest of the result.
    """
    started = time.monotonic()
    outcome = Outcome(task.source, task.destination, "failed", plan=task.plan)
    try:
        with used(env) as world:
            outcome = _done(task, outcome, world)
    except LamellaError as error:
        outcome = failure(task, error)
    return replace(outcome, seconds=time.monotonic() - started)


def failure(task: Task, error: LamellaError) -> Outcome:
    """Return the outcome of a task that an error ended."""
    return Outcome(
        task.source,
        task.destination,
        "failed",
        plan=task.plan,
        exit_code=error.exit_code,
        message=str(error),
        may_pass=isinstance(error, EngineError) and error.may_pass,
    )


def _done(task: Task, outcome: Outcome, env: Environment) -> Outcome:
    source = parse_location(task.source)
    target = parse_location(task.destination, output=True, source=source)
    outcome = replace(outcome, source_digest=source.digest(env))
    there = _look(target, env)
    if there is not None and _is_made(task, outcome.source_digest, there):
        return replace(outcome, state="unchanged", digest=there.digest)
    source = source.pinned(outcome.source_digest)
    if task.since or task.image_id:
        image = _described(source, task, env)
        if task.image_id not in {"", str(image.id)}:
            raise ImageError(
                f"{task.source}: the plan is for image {task.image_id}, got {image.id}; plan again"
            )
        if age := _older(image, task):
            return replace(outcome, state="passed over", reason=age)
    given = dict(task.options)
    marks = {SOURCE: outcome.source_digest, PLAN: outcome.plan}
    result = squash(
        str(source),
        task.layer,
        output=task.destination,
        annotations={**given.pop("annotations", {}), **marks},
        check=task.check,
        dry_run="sizes" if task.dry_run else False,
        env=env,
        # What the variables of this process say must not count: its own may be others.
        **{"created": "source", **given},
    )
    return _told(outcome, result)


def _described(source: Location, task: Task, env: Environment) -> Image:
    platform = task.options.get("platform")
    wanted = Platform.parse(platform) if platform not in {None, "all"} else None
    with source.open_source(wanted, env) as opened:
        return opened.describe()


def _older(image: Image, task: Task) -> str:
    """Say that an image was created before the time that is asked for; empty: it was not."""
    if not task.since:
        return ""
    created = image.config.value.get("created") or ""
    return f"created {created}, before {task.since}" if _time(created) < _time(task.since) else ""


def _time(text: str) -> datetime:
    """Read a time; an image without a readable time counts as the oldest."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _look(target: Location, env: Environment) -> Glimpse | None:
    try:
        return target.look(env)
    except ImageNotFound:
        return None


def _is_made(task: Task, source_digest: str, there: Glimpse) -> bool:
    """Whether what is there is the result, by what it says of itself or by what a journal says."""
    if there.annotations.get(SOURCE) == source_digest:
        return there.annotations.get(PLAN) == task.plan
    return task.known == Noted(source_digest, task.plan, there.digest)


def _told(outcome: Outcome, result: Result) -> Outcome:
    kept: State = "changed" if result.restated else "copied"
    made: State = "squashed" if result.squashed else kept
    return replace(
        outcome,
        state="planned" if result.dry_run else made,
        digest=result.digest or result.id,
        reason=result.reason,
        layers_before=result.layers_before,
        layers_after=result.layers_after,
        bytes_before=result.bytes_before,
        bytes_after=result.bytes_after,
        verified=result.verified,
        config_changes=result.all_changes,
    )
