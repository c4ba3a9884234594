"""Whether what a container starts with is there over the new base."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamella.merge.nodes import Folder, Node
from lamella.rebasing.accounts import run_as_conflicts
from lamella.rebasing.conflicts import Conflict
from lamella.rebasing.trees import Both, Overlaid
from lamella.spec.config import Config
from lamella.tar.entry import clean

__all__ = ["startup_conflicts"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines take where no PATH is set."""


def startup_conflicts(both: Both, config: Config, old: Config) -> Iterator[Conflict]:
    """Yield what the new config names, and what the new base has not, or hides.

    Args:
        both: the layers over both bases.
        config: of the new image.
        old: of the image as it is.
    """
    settings: Mapping[str, Any] = config.value.get("config") or {}
    before: Mapping[str, Any] = old.value.get("config") or {}
    yield from run_as_conflicts(both, settings.get("User") or "")
    yield from _program(both, settings, before)
    folder = settings.get("WorkingDir") or ""
    was, now = (view.led_to(os.fsencode(folder)) for view in (both.old, both.new))
    if isinstance(was, Folder) and not isinstance(now, Folder):
        yield Conflict("workdir-gone", field="WorkingDir", detail=folder)
    yield from _volumes(
        both, (settings.get("Volumes") or {}).keys() - (before.get("Volumes") or {}).keys()
    )


def _program(
    both: Both, settings: Mapping[str, Any], before: Mapping[str, Any]
) -> Iterator[Conflict]:
    field = "Entrypoint" if settings.get("Entrypoint") else "Cmd"
    command = settings.get(field)
    if not (isinstance(command, list) and command and isinstance(command[0], str) and command[0]):
        return  # text is for a shell, which engines put before it
    had = _found(both.old, command[0], _path_of(before))
    if had and not _found(both.new, command[0], _path_of(settings)):
        yield Conflict("command-gone", field=field, detail=command[0])


def _path_of(settings: Mapping[str, Any]) -> str:
    lines: Sequence[str | None] = settings.get("Env") or ()
    found = [line[5:] for line in lines if line and line.startswith("PATH=")]
    return found[-1] if found else _PATH


def _found(view: Overlaid, program: str, path: str) -> bool:
    if "/" in program:
        return not program.startswith("/") or _is_file(view.led_to(os.fsencode(program)))
    return any(
        _is_file(view.led_to(os.fsencode(f"{folder}/{program}"))) for folder in path.split(":")
    )


def _is_file(node: Node) -> bool:
    return node is not None and not isinstance(node, Folder)


def _volumes(both: Both, volumes: set[str]) -> Iterator[Conflict]:
    for volume in sorted(volumes):
        path = clean(os.fsencode(volume))
        own = both.new.root
        for name in path.split(b"/"):
            node = own.kids.get(name)
            if not isinstance(node, Folder):
                break
            own = node
        else:
            if any(node is not None for node in own.kids.values()):
                yield Conflict("volume-hides", path, detail=f"VOLUME {volume}")
