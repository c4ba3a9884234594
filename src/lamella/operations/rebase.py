"""An image over another base: its own layers stay as they are, and what that changes is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from lamella.errors import ImageError, UsageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.merge.gc_pause import collector_paused
from lamella.operations.conversion import conversion
from lamella.operations.created import created_text
from lamella.operations.find_base import find_base
from lamella.operations.merge_layers import Prepared, write
from lamella.operations.planning import Edited
from lamella.operations.rebase_result import Rebase
from lamella.operations.request import Name, reference_text
from lamella.operations.stacked import Stacked
from lamella.operations.target import target_of
from lamella.rebasing.accounts import account_conflicts
from lamella.rebasing.config import rebased_config, setting_conflicts
from lamella.rebasing.conflicts import KINDS, Conflict
from lamella.rebasing.files import file_conflicts
from lamella.rebasing.startup import startup_conflicts
from lamella.rebasing.trees import Both
from lamella.restate.changes import texts_of
from lamella.rewrite import Wording, new_manifest
from lamella.selection import AUTO, Selection
from lamella.spec.annotation import BASE_DIGEST, BASE_NAME
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import codec_of, oci_type
from lamella.spec.platform import Platform
from lamella.transport.base import Destination, LayersMissing, NewImage, Source, fetch_all
from lamella.transport.environment import Environment, used
from lamella.transport.location import Location
from lamella.transport.transports import locate
from lamella.waiting import published

__all__ = ["rebase"]


@dataclass(frozen=True)
class _Asked:
    """What is asked for."""

    location: Location
    old: str
    """The base of the image: its name, or `AUTO`."""
    new: str
    output: Location
    tags: tuple[str, ...] = ()
    platform: Platform | None = None
    created: str | None = None
    files: bool = True
    """Tell what becomes of files, for which headers of layers are read."""
    dry_run: bool = False


@dataclass(frozen=True)
class _BothBases:
    """Both bases, and where the new one is."""

    old: Image
    new: Image
    place: Location
    source: Source


def rebase(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    image: Name,
    old_base: Name,
    new_base: Name,
    tag: str | Sequence[str] = (),
    *,
    output: Name | None = None,
    platform: str | Platform | None = None,
    created: datetime | str | None = None,
    files: bool = True,
    dry_run: bool = False,
    env: Environment | None = None,
) -> Rebase:
    """Put the layers of an image above its base over another base.

    Args:
        image: reference of the image.
        old_base: its base, whose layers are its lowest ones; ``auto``: whatever that is.
        new_base: the base that takes its place.
        tag: names of the new image.
        output: where the new image goes; None: where `image` came from.
        platform: ``OS/ARCH[/VARIANT]``, of images for several.
        created: as for `squash`.
        files: report on files, too, for which the headers of all layers are read.
        dry_run: only report.
        env: as for `squash`.

    Returns:
        What was done, and what the layers hide, delete or inherit differently.

    Raises:
        UsageError: the image is not built on `old_base`, or `new_base` is of another platform.
        ImageError: an engine could not unpack the new image, or one is malformed.
        LamellaError: an image can't be read, or the new one can't be written.
    """
    with used(env) as world, ExitStack() as stack:
        location = locate(reference_text(image), world)
        target, tags = target_of(location, output, dry_run=dry_run).named(texts_of(tag))
        request = _Asked(
            location,
            reference_text(old_base),
            reference_text(new_base),
            target,
            tags,
            Platform.parse(platform)
            if isinstance(platform, str) and platform
            else platform or None,
            created_text(created, world.source_date_epoch),
            files=files,
            dry_run=dry_run,
        )
        return _rebase(request, world, stack)


def _rebase(request: _Asked, env: Environment, stack: ExitStack) -> Rebase:
    source = stack.enter_context(request.location.open_source(request.platform, env))
    image = source.describe()
    if request.platform is None and image.platforms:
        env.progress.note(f"{image.choice} only")
    bases = _bases(request, source, env, stack)
    _check(image, bases)
    about = dict(_about_base(bases))
    config = rebased_config(image, bases.old, bases.new, about, request.created)
    stacked = Stacked(source, len(bases.old.diff_ids), bases.source, config)
    destination = None
    if not request.dry_run:
        destination = stack.enter_context(request.output.open_destination(env))
    opener = stack.enter_context(LayerOpener(env.spool))
    needed = frozenset[int]()
    if destination is not None:
        needed = destination.needs(stacked.describe(), (), stacked)
    env.progress.phase("read layers")
    upper, lower = stacked.fetch_parts(needed, listed=request.files)
    conflicts = [*setting_conflicts(upper, bases.old, bases.new)]
    if request.files:
        conflicts += _file_conflicts(upper, lower, len(bases.old.diff_ids), config, opener)
    result = _result(request, upper, bases, conflicts)
    if destination is None:
        opener.verify()
        return result
    _refuse(result)
    new = stacked.stacked(upper, lower)
    return _Publishing(request, env, opener, stacked, destination).publish(new, bases, result)


def _bases(request: _Asked, source: Source, env: Environment, stack: ExitStack) -> _BothBases:
    old = _old_base(request, source, env)
    place = _beside(request.new, request.location, env)
    opened = stack.enter_context(place.open_source(_platform(request, source), env))
    return _BothBases(old, opened.describe(), place, opened)


def _platform(request: _Asked, source: Source) -> Platform | None:
    """Return of which platform the bases are to be."""
    platform = Platform.of(source.describe().config.value)
    return platform if platform.os and platform.architecture else request.platform


def _old_base(request: _Asked, source: Source, env: Environment) -> Image:
    if request.old != AUTO:
        place = _beside(request.old, request.location, env)
        with place.open_source(_platform(request, source), env) as opened:
            return opened.describe()
    found = find_base(source, request.location, env)
    if found.image is None:
        raise UsageError(
            f"OLDBASE {AUTO}: {found.base} is only known by its layers; expected the name of an "
            "image, which also tells its config"
        )
    env.progress.note(f"{found.base}")
    return found.image


def _beside(name: str, location: Location, env: Environment) -> Location:
    """Return where a base is: a bare name is one of the image's own place, as in a squash."""
    place = locate(name, env)
    return location.beside(name) if place.is_bare and not location.is_stream else place


def _check(image: Image, bases: _BothBases) -> None:
    old, new = bases.old, bases.new
    pairs = zip(image.diff_ids, old.diff_ids, strict=False)
    for number, (mine, theirs) in enumerate(pairs, 1):
        if mine != theirs:
            raise UsageError(
                f"{image.name} is not built on {old.name}: they differ from layer {number} on; "
                f"expected {theirs}, got {mine}"
            )
    if len(old.diff_ids) > len(image.diff_ids):
        raise UsageError(
            f"{image.name} is not built on {old.name}: they differ from layer "
            f"{len(image.diff_ids) + 1} on; expected {len(old.diff_ids)} layers or more, "
            f"got {len(image.diff_ids)}"
        )
    for field in ("os", "architecture"):
        wanted, got = (one.config.text(field) or "none" for one in (image, new))
        if wanted != got:
            raise UsageError(
                f"{new.name} is for another platform: expected {field} {wanted}, got {got}"
            )


def _file_conflicts(
    image: Image, new: Image, count: int, config: Config, opener: LayerOpener
) -> list[Conflict]:
    """Read the headers of all layers, and tell what becomes of files."""
    pairs = zip(image.diff_ids[:count], new.diff_ids, strict=False)
    shared = next((n for n, (a, b) in enumerate(pairs) if a != b), min(count, len(new.diff_ids)))
    layers = [*image.layers[:count], *new.layers[shared:], *image.layers[count:]]
    with opener.explaining(), collector_paused():
        tars = opener.open_headers(layers)
        parts = tars[:count], tars[count : len(tars) - len(image.layers) + count]
        own = tars[len(tars) - len(image.layers) + count :]
        both = Both(*parts, own, shared, [layer.diff_id for layer in layers])
        found = [*startup_conflicts(both, config, image.config), *account_conflicts(both)]
        return sorted([*found, *file_conflicts(both)], key=lambda one: one.path or b"")


def _refuse(result: Rebase) -> None:
    """Write nothing that engines can't unpack.

    Raises:
        ImageError: it is such an image.
    """
    errors = [one for one in result.conflicts if one.severity == "error"]
    if errors:
        first, more = (
            errors[0],
            f" (and {len(errors) - 1} more in the report)" if errors[1:] else "",
        )
        raise ImageError(
            f"{result.source} can't be put on {result.new_base}: layer {first.layer} "
            f"{KINDS[first.kind].about}: {first.where}{more}"
        )


def _result(
    request: _Asked, image: Image, bases: _BothBases, conflicts: Sequence[Conflict]
) -> Rebase:
    count = len(bases.old.diff_ids)
    return Rebase(
        source=image.name,
        old_base=bases.old.name,
        new_base=bases.new.name,
        platform=str(Platform.of(image.config.value)),
        old_layers=count,
        new_layers=len(bases.new.diff_ids),
        own_layers=len(image.diff_ids) - count,
        conflicts=tuple(conflicts),
        files=request.files,
        destination=str(request.output),
        tags=request.output.names(request.tags),
        dry_run=request.dry_run,
    )


@dataclass(frozen=True)
class _Publishing:
    request: _Asked
    env: Environment
    opener: LayerOpener
    source: Stacked
    destination: Destination

    def publish(self, image: Image, bases: _BothBases, result: Rebase) -> Rebase:
        """Write the new image: its layers are all there are, so none is made."""
        request, env = self.request, self.env
        new = NewImage(image, (), self.source, self.opener, advance=env.progress.advance)
        writer = self.destination.open_image(new)
        prepared = Prepared(image, Selection(()), self.opener, {}, {}, Edited())
        written = write(prepared, writer, Wording(), env.progress)
        about = dict(_about_base(bases))
        manifest = _manifest(image, written.descriptors, about)
        stored = self.destination.stored_manifest(manifest)
        self.source.recheck()
        env.progress.phase("publish")
        try:
            image_id = writer.commit(image.config, stored or manifest, request.tags)
        except LayersMissing:
            writer.supply(fetch_all(self.source))
            image_id = writer.commit(image.config, stored or manifest, request.tags)
        published()
        digest = str(stored.digest) if stored else ""
        return replace(
            result,
            id=image_id,
            digest=digest,
            reference=request.output.pin(digest or image_id),
            converted=conversion(image, written.kept, stored, unpacked=self.destination.unpacks),
        )


def _manifest(image: Image, layers: Sequence[Descriptor], about: Mapping[str, str]) -> Manifest:
    """Return the new manifest, in one dialect: Docker's has no name for zstd."""
    old = image.manifest
    if old is not None and any(codec_of(layer.media_type) == Codec.ZSTD for layer in layers):
        old = old.as_oci()
    if old is None or not old.is_docker:
        layers = [replace(layer, media_type=oci_type(layer.media_type)) for layer in layers]
    return new_manifest(old, image.config, layers, None, about)


def _about_base(bases: _BothBases) -> Iterator[tuple[str, str]]:
    """Yield the annotations about the new base; a digest is that of what its name stands for."""
    image = bases.new
    if name := bases.place.public_name(image):
        yield BASE_NAME, name
    digest = image.index or (image.manifest.digest if image.manifest else None)
    if digest is not None:
        yield BASE_DIGEST, str(digest)
