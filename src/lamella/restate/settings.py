"""The settings of a config with which containers start, to be changed."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from lamella.errors import MalformedImage

__all__ = ["Settings", "split_variable"]

_SHELL = ("/bin/sh", "-c")
_WINDOWS = "windows"
_WINDOWS_SHELL = ("cmd", "/S", "/C")


def split_variable(line: str) -> tuple[str, str]:
    """Return name and value of a line of ``Env``."""
    name, _, value = line.partition("=")
    return name, value


class Settings:
    """A copy of a config's ``config``; keys that are new come last."""

    def __init__(self, value: Mapping[str, Any] | None, system: str = "") -> None:
        self.value: dict[str, Any] = dict(value or {})
        self._system = system

    def put(self, key: str, value: Any) -> None:  # noqa: ANN401 - as the key says
        """Set a field; one that is empty is left out, unless it is there already."""
        if value or key in self.value:
            self.value[key] = value or None

    def lines(self, key: str) -> list[str]:
        """Return the lines of a list.

        Raises:
            MalformedImage: there is something else.
        """
        found = self.value.get(key) or []
        if not (isinstance(found, list) and all(isinstance(line, str) for line in found)):
            raise MalformedImage(f"config: {key}", "expected a list of texts")
        return list(found)

    def names(self, key: str) -> dict[str, Any]:
        """Return a copy of an object of any names; its type was checked when it was read."""
        return dict(self.value.get(key) or {})

    def variable(self, name: str) -> str:
        """Return the value of a variable; empty if there is none."""
        found = (split_variable(line) for line in self.value.get("Env") or ())
        return next((value for own, value in found if own == name), "")

    @property
    def shell(self) -> list[str]:
        """What runs a command that is a text."""
        default = _WINDOWS_SHELL if self._system == _WINDOWS else _SHELL
        return self.lines("Shell") or list(default)

    def folder(self, path: str) -> str:
        """Return a working directory: a relative one is below the present one."""
        if self._system == _WINDOWS or posixpath.isabs(path):
            return path
        below = posixpath.join("/", self.value.get("WorkingDir") or "", path)
        return "/" + posixpath.normpath(below).lstrip("/")

    def unset_variables(self, names: frozenset[str]) -> None:
        """Take variables out."""
        old = self.value.get("Env") or []
        left = [line for line in old if split_variable(line)[0] not in names]
        if len(left) != len(old):
            self.put("Env", left)

    def unset_labels(self, names: frozenset[str]) -> None:
        """Take labels out."""
        old = self.names("Labels")
        left = {name: value for name, value in old.items() if name not in names}
        if len(left) != len(old):
            self.put("Labels", left)
