"""What changed from one image to another: each path, the fields of the config, some contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Literal

from lamella.errors import NoSuchFile, UsageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.merge.overlay import Folder, Link, Node
from lamella.operations.ignoring import NOTHING_IGNORED, Ignoring
from lamella.operations.pairs import (
    Pair,
    fetch_pair,
    locate_pair,
    open_pair,
    platform_pairs,
    read_pair,
)
from lamella.operations.verify import only_one
from lamella.rootfs import Difference, RootFs, compare_configs, compare_rootfs
from lamella.selection import select
from lamella.spec.platform import Platform
from lamella.tar.entry import REGULAR, SPARSE, SYMLINK, TYPE_NAMES, Member, clean, path_text
from lamella.tar.reader import iter_content
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.transports import locate

__all__ = ["MOST_CONTENT", "DiffRequest", "FileChange", "FileContent", "ImageDiff", "diff_images"]

MOST_CONTENT = 1 << 19
"""Bytes of a file whose content is shown."""

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class FileChange:
    """A path that two images do not have alike."""

    path: bytes
    kind: Kind
    """``added``: only the second image has it; ``removed``: only the first; ``changed``: both."""
    type: str
    """What it is: in the second image, unless it is removed."""
    before: int = 0
    """Bytes of the file in the first image; 0 for all else, and for further names of a file."""
    after: int = 0
    differences: tuple[Difference, ...] = ()
    """Of a path that both have."""


@dataclass(frozen=True)
class FileContent:
    """The content of a path in both images, as far as it can be shown."""

    path: bytes
    before: bytes | None
    """None: the first image has no such path, or it can't be shown."""
    after: bytes | None
    note: str = ""
    """Why it can't be shown."""


@dataclass(frozen=True)
class ImageDiff:
    """What changed from one image to another."""

    a: str
    b: str
    platform: str = ""
    """``OS/ARCH[/VARIANT]``; empty for several."""
    shared_layers: int = 0
    """How many of the lowest layers are the same."""
    changes: tuple[FileChange, ...] = ()
    """By path."""
    config: tuple[Difference, ...] = ()
    """The fields of the config that differ; and an image that only one of two indexes has."""
    contents: tuple[FileContent, ...] = ()
    """Those that were asked for."""
    ignored: Mapping[str, int] | None = None
    """By word, how many differences do not count."""
    platforms: tuple[ImageDiff, ...] = ()
    """One for each platform, if all were compared."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs that counts."""
        if self.changes or self.config:
            return False
        return all(one.equal for one in self.platforms)


@dataclass(frozen=True)
class DiffRequest:
    """What is compared, and how."""

    names: tuple[str, str]
    """References of both; the second is empty where layers of the first are compared."""
    layers: tuple[str, ...] = ()
    """One range ``A-B``: the image below these layers with the image that has them, too."""
    platform: Platform | None = None
    every_platform: bool = False
    ignoring: Ignoring = NOTHING_IGNORED
    contents: tuple[bytes, ...] = ()
    """Paths of files whose content is wanted."""

    def __post_init__(self) -> None:
        """Check what does not depend on the images.

        Raises:
            UsageError: it makes no sense.
        """
        if bool(self.names[1]) == bool(self.layers):
            raise UsageError("expected two images, or one image and `layers`")
        if len(self.layers) > 1:
            raise UsageError("`layers`: expected one range of layers")
        if self.layers and self.every_platform:
            raise UsageError("`layers` compares layers of one image: `platform` can't be all")


def diff_images(request: DiffRequest, env: Environment) -> ImageDiff:
    """Find out what changed from one image to another.

    Raises:
        UsageError: the request makes no sense for these images.
        NoSuchFile: neither has a path whose content is wanted.
        LamellaError: one of them can't be read, or is malformed.
    """
    with ExitStack() as stack:
        if request.layers:
            source = stack.enter_context(
                locate(request.names[0], env).open_source(request.platform, env)
            )
            return _diff(request, _stacks(source, request.layers), env)
        opened = open_pair(locate_pair(request.names, env), request.platform, env, stack)
        if not request.every_platform:
            return _diff(request, fetch_pair(*opened), env)
        found = list(_every_platform(request, opened, env))
        return ImageDiff(*request.names, platforms=tuple(found))


def _every_platform(
    request: DiffRequest, opened: tuple[Source, Source], env: Environment
) -> Iterator[ImageDiff]:
    for platform, ours, theirs in platform_pairs(opened, request.names):
        if ours is None or theirs is None:
            yield ImageDiff(*request.names, platform, config=(only_one(platform, ours),))
        else:
            yield replace(_diff(request, fetch_pair(ours, theirs), env), platform=platform)


def _stacks(source: Source, layers: tuple[str, ...]) -> tuple[Image, Image]:
    """Return an image without the layers from a range on, and without those above the range."""
    described = source.describe()
    [positions] = select(described, layers=layers).ranges
    image = source.fetch(frozenset(positions), frozenset(range(positions.start)))
    lower, upper = image.layers[: positions.start], image.layers[: positions.stop]
    return replace(image, layers=lower), replace(image, layers=upper)


def _diff(request: DiffRequest, images: tuple[Image, Image], env: Environment) -> ImageDiff:
    if request.platform is None and not request.every_platform:
        for image in images[: 1 if request.layers else 2]:
            if image.platforms:
                env.progress.note(image.choice)
    env.progress.phase("read layers")
    with LayerOpener(env.spool) as opener:
        pair = read_pair(images, opener)
        env.progress.phase("compare")
        differing = [*compare_configs(*images), *compare_rootfs(*pair.files)]
        counting, ignored = request.ignoring.split(differing)
        contents = [_content(pair, path) for path in request.contents]
        opener.verify()
    return ImageDiff(
        images[0].name,
        images[1].name,
        str(Platform.of(images[1].config.value)),
        pair.shared,
        tuple(_changes(pair, (d for d in counting if d.path))),
        tuple(d for d in counting if not d.path),
        tuple(contents),
        ignored,
    )


def _changes(pair: Pair, differences: Iterable[Difference]) -> Iterator[FileChange]:
    ours, theirs = pair.files
    for path, found in groupby(differences, attrgetter("path")):
        one, other = ours.names.get(path), theirs.names.get(path)
        sizes = _size(ours, path, one), _size(theirs, path, other)
        if one is None or other is None:
            kind: Kind = "added" if one is None else "removed"
            yield FileChange(path, kind, _type_of(one or other), *sizes)
        else:
            yield FileChange(path, "changed", _type_of(other), *sizes, tuple(found))


def _type_of(node: Node) -> str:
    if node is None or isinstance(node, Folder):
        return "directory"
    return TYPE_NAMES[_inode(node).type]


def _inode(node: Member | Link) -> Member:
    return node.inode if isinstance(node, Link) else node


def _size(files: RootFs, path: bytes, node: Node) -> int:
    """Return the bytes of a file, under the first of its names."""
    if node is None or isinstance(node, Folder) or files.groups.get(path, path) != path:
        return 0
    member = _inode(node)
    return files.header(member).size if member.flags & SPARSE else member.size


def _content(pair: Pair, path: bytes) -> FileContent:
    path = clean(path)
    nodes = [files.names.get(path) for files in pair.files]
    if not any(nodes):
        raise NoSuchFile(f"neither image has /{path_text(path)}")
    sides = [_text_of(*one) if one[1] else None for one in zip(pair.files, nodes, strict=True)]
    reasons = [
        f"in the {which} image it is {side}"
        for side, which in zip(sides, ("first", "second"), strict=True)
        if isinstance(side, str)
    ]
    if reasons:
        return FileContent(path, None, None, ", ".join(reasons))
    before, after = (side for side in sides if not isinstance(side, str))
    return FileContent(path, before, after)


def _text_of(files: RootFs, node: Node) -> bytes | str:
    """Return the content of a small text file, or what it is instead."""
    if node is None or isinstance(node, Folder):
        return "a directory"
    member = _inode(node)
    header = files.header(member)
    if member.type == SYMLINK:
        return b"symlink to " + header.link + b"\n"
    if member.type != REGULAR:
        return f"a {TYPE_NAMES[member.type]}"
    if header.size > MOST_CONTENT:
        return f"too large to be shown: {header.size} bytes, at most {MOST_CONTENT}"
    content = b"".join(iter_content(files.tars[member.origin], member))
    return f"binary: {header.size} bytes" if b"\x00" in content else content
