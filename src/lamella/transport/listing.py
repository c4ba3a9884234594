"""Which images a pattern means: of a registry, an engine, a layout or a folder of archives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from lamella.errors import ImageNotFound, UsageError
from lamella.transport.environment import Environment
from lamella.transport.file.location import is_archive_name, is_layout

__all__ = ["expand", "is_pattern", "matcher"]

_MARKS = frozenset("*?[")
_REGISTRY = "docker://"
_ENGINES = {"docker-daemon:": False, "podman:": True, "containers-storage:": True}
"""Whether it is Podman."""


def is_pattern(text: str) -> bool:
    """Whether a reference may mean several images."""
    return not _MARKS.isdisjoint(text)


def matcher(pattern: str) -> re.Pattern[str]:
    """Return what matches as a shell would: ``*`` and ``?`` no slash, ``**`` any, ``[a-z]``.

    Raises:
        UsageError: a bracket is not closed.
    """
    parts = re.findall(r"\*\*|\*|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[", pattern)
    if "[" in parts:
        raise UsageError(f"pattern {pattern!r}: expected ] after [")
    return re.compile("".join(map(_as_regex, parts)))


def _as_regex(part: str) -> str:
    match part:
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if part.startswith("["):
        inner = part[1:-1].replace("\\", r"\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(part)


def expand(text: str, env: Environment) -> list[str]:
    """Return the references that a pattern means, in an order that does not change.

    A folder that is no layout stands for the archives in it; what is no pattern stands for itself.

    Raises:
        ImageNotFound: nothing matches.
        UsageError: the pattern makes no sense.
        EngineError: the place can't be asked.
    """
    found = list(_iter_matches(text, env))
    if not found:
        raise ImageNotFound(f"no image matches {text!r}")
    return found


def _iter_matches(text: str, env: Environment) -> Iterator[str]:
    if text.startswith(_REGISTRY) and is_pattern(text):
        return _of_registry(text.removeprefix(_REGISTRY), env)
    if text.startswith("oci:") and is_pattern(text):
        return _of_layout(text)
    for prefix, podman in _ENGINES.items():
        if text.startswith(prefix) and is_pattern(text):
            return _of_engine(prefix, text.removeprefix(prefix), env, podman=podman)
    if _is_folder_of_archives(text):
        return _of_folder(text)
    if is_pattern(text):
        raise UsageError(
            f"pattern {text!r}: expected a transport before it: docker://, docker-daemon:, podman: "
            "or oci:; names of files are for the shell to expand"
        )
    return iter([text])


def _of_registry(text: str, env: Environment) -> Iterator[str]:
    """Yield ``docker://HOST/REPOSITORY:TAG``; a pattern without a tag means every tag."""
    # Few calls need HTTP.
    from lamella.transport.registry.catalog import iter_repositories, iter_tags  # noqa: PLC0415
    from lamella.transport.registry.connect import registry_of  # noqa: PLC0415
    from lamella.transport.registry.repository import Repository  # noqa: PLC0415

    host, slash, rest = text.partition("/")
    if not slash or is_pattern(host):
        raise UsageError(f"pattern 'docker://{text}': expected docker://HOST/PATTERN, HOST in full")
    names, _, tags = rest.partition(":")
    wanted = matcher(tags or "*")
    with env.connections.used():
        registry = registry_of(host, env)
        repositories = [names]
        gone: AbstractContextManager[None] = nullcontext()
        if is_pattern(names):
            fits, gone = matcher(names), suppress(ImageNotFound)  # deleted since it was listed
            repositories = [name for name in iter_repositories(registry) if fits.fullmatch(name)]
        for name in sorted(repositories):
            with gone:
                for tag in sorted(filter(wanted.fullmatch, iter_tags(Repository(registry, name)))):
                    yield f"docker://{host}/{name}:{tag}"


def _of_engine(prefix: str, pattern: str, env: Environment, *, podman: bool) -> Iterator[str]:
    """Yield images by each of their names; a pattern without a tag means every tag."""
    from dataclasses import replace  # noqa: PLC0415 - as below

    from lamella.transport.engine.connect import client_of  # noqa: PLC0415 - few calls need HTTP

    whole = pattern if ":" in pattern.rpartition("/")[2] else f"{pattern}:*"
    fits = matcher(whole)
    with env.connections.used():
        client = client_of(replace(env.engine, podman=podman), env)
        names = {name for image in client.images() for name in image.get("RepoTags") or ()}
    for name in sorted(names - {"<none>:<none>"}):
        if fits.fullmatch(name.removeprefix("localhost/")) or fits.fullmatch(name):
            yield f"{prefix}{name}"


def _of_layout(text: str) -> Iterator[str]:
    """Yield the images of a layout by their names."""
    from lamella.transport.file.oci_layout import FolderFiles, tags_of  # noqa: PLC0415 - as above

    folder, _, pattern = text.removeprefix("oci:").partition(":")
    if is_pattern(folder) or not pattern:
        raise UsageError(f"pattern {text!r}: expected oci:DIR:PATTERN, DIR in full")
    fits = matcher(pattern)
    with FolderFiles(Path(folder)) as files:
        for tag in sorted(filter(fits.fullmatch, tags_of(files))):
            yield f"oci:{folder}:{tag}"


def _is_folder_of_archives(text: str) -> bool:
    return os.path.isdir(text) and not is_layout(text)  # noqa: PTH112 - a plain question about any text


def _of_folder(text: str) -> Iterator[str]:
    for path in sorted(Path(text).iterdir()):
        if path.is_file() and is_archive_name(path.name):
            yield os.fspath(path) if os.path.isabs(text) else f"./{os.path.normpath(path)}"  # noqa: PTH117 - of the text
