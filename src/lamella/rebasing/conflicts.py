"""What can be otherwise when layers lie on another base: the table of all kinds.

``error``: an engine can't unpack the image, or engines unpack it differently. ``warning``: what a
container does may change, or a change of the new base has no effect. ``note``: worth knowing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lamella.tar.entry import path_text

__all__ = ["KINDS", "Conflict", "Severity", "Told"]

Severity = Literal["error", "warning", "note"]


class Told(NamedTuple):
    """One kind of conflict."""

    severity: Severity
    about: str
    """What the image does there, in a sentence without its subject."""


KINDS: Mapping[str, Told] = {
    # files of the layers above
    "file-changed": Told("warning", "replaces a file that the new base changed"),
    "file-attributes": Told(
        "warning", "replaces a file of which the new base changed owner or mode"
    ),
    "file-touched": Told("note", "replaces a file that has the same size, but another time"),
    "file-added": Told("warning", "adds a file that the new base has, too"),
    "file-redundant": Told("note", "has a file that is the same in the new base"),
    "file-removed": Told("note", "replaces a file that the new base no longer has"),
    "file-retyped": Told("warning", "replaces what is of another type in the new base"),
    "file-over-directory": Told("warning", "has a file where the new base has a directory"),
    "file-hides-new": Told("warning", "replaces a directory in which the new base added files"),
    "packages-hidden": Told("warning", "replaces the list of packages that the new base changed"),
    "certificates-hidden": Told("warning", "replaces certificates that the new base changed"),
    "libraries-hidden": Told(
        "warning", "replaces the cache of libraries that the new base changed"
    ),
    "release-hidden": Told("warning", "replaces the file that names the release of the new base"),
    # directories
    "directory-attributes": Told(
        "warning", "sets owner and mode of a directory where the new base changed them"
    ),
    "directory-inherits": Told("note", "inherits another owner or mode of a directory"),
    "directory-removed": Told("note", "has a directory that the new base no longer has"),
    "directory-merged": Told("warning", "has a directory that now also has files of the new base"),
    "directory-over-file": Told("warning", "has a directory where the new base has a file"),
    "directory-over-symlink": Told("warning", "has a directory where the new base has a symlink"),
    "parent-missing": Told("warning", "has no entry for a directory that the new base lacks"),
    "parent-is-file": Told("error", "has no entry for a directory that is a file in the new base"),
    "parent-is-symlink": Told(
        "error", "has no entry for a directory that is a symlink in the new base"
    ),
    # deletions
    "whiteout-nothing": Told("note", "deletes what the new base does not have"),
    "whiteout-changed": Told("note", "deletes a file that the new base changed"),
    "whiteout-hides-new": Told("warning", "deletes a directory in which the new base added files"),
    "whiteout-retyped": Told("warning", "deletes what is of another type in the new base"),
    "whiteout-hits-new": Told("warning", "deletes what only the new base has"),
    "whiteout-parent-missing": Told("warning", "deletes in a directory that the new base lacks"),
    "whiteout-parent-file": Told("error", "deletes in a directory that is a file in the new base"),
    "whiteout-parent-symlink": Told(
        "error", "deletes in a directory that is a symlink in the new base"
    ),
    "opaque-hides-new": Told("warning", "hides a directory in which the new base added files"),
    "opaque-hides-changed": Told("note", "hides a directory in which the new base changed files"),
    "opaque-nothing": Told("note", "hides a directory that the new base does not have"),
    # links
    "link-missing": Told("error", "has a hard link to a file that the new base lacks"),
    "link-changed": Told("error", "has a hard link to a file that the new base changed"),
    "link-directory": Told("error", "has a hard link to what is a directory in the new base"),
    "link-into-base": Told("note", "has a hard link to a file of the base; Docker refuses that"),
    "symlink-dangles": Told("warning", "has a symlink that leads to nothing now"),
    "symlink-resolves": Told("note", "has a symlink that led to nothing before"),
    "symlink-retyped": Told("warning", "has a symlink that leads to what is of another type"),
    "symlink-elsewhere": Told("note", "has a symlink that leads to another path"),
    # users and groups
    "user-lost": Told("warning", "replaces the list of users: one of the new base is not in it"),
    "user-other-id": Told("warning", "replaces the list of users: one has another ID"),
    "group-lost": Told("warning", "replaces the list of groups: one of the new base is not in it"),
    "group-other-id": Told("warning", "replaces the list of groups: one has another ID"),
    "owner-renamed": Told("warning", "has files of a user ID that means another user now"),
    "user-unknown": Told("warning", "runs as a user that is not in /etc/passwd"),
    "user-renumbered": Told("warning", "runs as a user that has another ID now"),
    "group-unknown": Told("warning", "runs with a group that is not in /etc/group"),
    # config
    "env-both": Told("warning", "sets a variable that the new base changed"),
    "env-added": Told("warning", "sets a variable that the new base sets otherwise"),
    "env-unset": Told("note", "lacks a variable that the new base sets"),
    "env-orphan": Told("note", "sets a variable anew that the new base no longer has"),
    "env-inherits": Told("note", "inherits another value of a variable"),
    "env-inherits-new": Told("note", "inherits a variable that the old base did not have"),
    "env-lost": Told("warning", "no longer inherits a variable"),
    "path-lacks": Told("warning", "sets PATH without a directory of the new base"),
    "label-both": Told("note", "sets a label that the new base changed"),
    "label-inherits": Told("note", "inherits another value of a label"),
    "command-both": Told("note", "sets a command that the new base changed"),
    "command-inherits": Told("warning", "inherits another command"),
    "command-under-entrypoint": Told("warning", "sets Cmd, but inherits another Entrypoint"),
    "command-gone": Told("warning", "starts a program that is not there now"),
    "user-inherits": Told("warning", "inherits another user"),
    "workdir-inherits": Told("warning", "inherits another working directory"),
    "workdir-gone": Told("warning", "starts in a directory that is not there now"),
    "volume-hides": Told("warning", "has files where the new base declares a volume"),
    "setting-both": Told("note", "sets what the new base changed"),
    "setting-inherits": Told("note", "inherits another setting"),
}
"""All kinds, by name."""


@dataclass(frozen=True)
class Conflict:
    """One thing that is otherwise over the new base."""

    kind: str
    """A key of `KINDS`."""
    path: bytes | None = None
    """None: it is about a field of the config."""
    field: str = ""
    """As `verify` names it."""
    layer: int | None = None
    """Number of the layer of the image that does it, from 1; None: the config does."""
    detail: str = ""
    """Before and after, for people."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.kind].severity

    @property
    def where(self) -> str:
        """The path, or the field of the config."""
        return self.field if self.path is None else f"/{path_text(self.path)}"

    def to_json(self) -> dict[str, object]:
        """Return it as documents have it (see docs/json.md)."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "path": None if self.path is None else path_text(self.path),
            "field": self.field,
            "layer": self.layer,
            "detail": self.detail,
        }
