"""What can be otherwise when layers lie on another base: the table of all kinds.

``error``: an engine can't unpack the image, or engines unpack it differently. ``warning``: what a
container does may change, or a change of the new base has no effect. ``note``: worth knowing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lamella.tar.entry import path_text

__all__ = ["KINDS", "Conflict", "Meaning", "Severity"]

Severity = Literal["error", "warning", "note"]


class Meaning(NamedTuple):
    """One kind of conflict."""

    severity: Severity
    about: str
    """What the image does there, in a sentence without its subject."""


KINDS: Mapping[str, Meaning] = {
    # files of the layers above
    "file-changed": Meaning("warning", "replaces a file that the new base changed"),
    "file-attributes": Meaning(
        "warning", "replaces a file of which the new base changed owner or mode"
    ),
    "file-touched": Meaning("note", "replaces a file that has the same size, but another time"),
    "file-added": Meaning("warning", "adds a file that the new base has, too"),
    "file-redundant": Meaning("note", "has a file that is the same in the new base"),
    "file-removed": Meaning("note", "replaces a file that the new base no longer has"),
    "file-retyped": Meaning("warning", "replaces what is of another type in the new base"),
    "file-over-directory": Meaning("warning", "has a file where the new base has a directory"),
    "file-hides-new": Meaning("warning", "replaces a directory in which the new base added files"),
    "file-hides-changed": Meaning(
        "note", "replaces a directory in which the new base changed files"
    ),
    "packages-hidden": Meaning(
        "warning", "replaces the list of packages that the new base changed"
    ),
    "certificates-hidden": Meaning("warning", "replaces certificates that the new base changed"),
    "libraries-hidden": Meaning(
        "warning", "replaces the cache of libraries that the new base changed"
    ),
    "release-hidden": Meaning(
        "warning", "replaces the file that names the release of the new base"
    ),
    # directories
    "directory-attributes": Meaning(
        "warning", "sets owner and mode of a directory where the new base changed them"
    ),
    "directory-inherits": Meaning("note", "inherits another owner or mode of a directory"),
    "directory-removed": Meaning("note", "has a directory where the new base has nothing now"),
    "directory-merged": Meaning(
        "warning", "has a directory that now also has files of the new base"
    ),
    "directory-over-file": Meaning("warning", "has a directory where the new base has a file"),
    "directory-over-symlink": Meaning(
        "warning", "has a directory where the new base has a symlink"
    ),
    "parent-missing": Meaning("warning", "has no entry for a directory that the new base lacks"),
    "parent-is-file": Meaning(
        "error", "has no entry for a directory that is a file in the new base"
    ),
    "parent-is-symlink": Meaning(
        "error", "has no entry for a directory that is a symlink in the new base"
    ),
    # deletions
    "whiteout-nothing": Meaning("note", "deletes what the new base does not have"),
    "whiteout-changed": Meaning("note", "deletes a file that the new base changed"),
    "whiteout-hides-new": Meaning(
        "warning", "deletes a directory in which the new base added files"
    ),
    "whiteout-hides-changed": Meaning(
        "note", "deletes a directory in which the new base changed files"
    ),
    "whiteout-retyped": Meaning("warning", "deletes what is of another type in the new base"),
    "whiteout-hits-new": Meaning("warning", "deletes what only the new base has"),
    "whiteout-parent-missing": Meaning("warning", "deletes in a directory that the new base lacks"),
    "whiteout-parent-file": Meaning(
        "error", "deletes in a directory that is a file in the new base"
    ),
    "whiteout-parent-symlink": Meaning(
        "error", "deletes in a directory that is a symlink in the new base"
    ),
    "opaque-hides-new": Meaning("warning", "hides a directory in which the new base added files"),
    "opaque-hides-changed": Meaning(
        "note", "hides a directory in which the new base changed files"
    ),
    "opaque-nothing": Meaning("note", "hides a directory that the new base does not have"),
    # links
    "link-missing": Meaning("error", "has a hard link to a file that the new base lacks"),
    "link-changed": Meaning("error", "has a hard link to a file that the new base changed"),
    "link-directory": Meaning("error", "has a hard link to what is a directory in the new base"),
    "link-into-base": Meaning("note", "has a hard link to a file of the base; Docker refuses that"),
    "symlink-dangles": Meaning("warning", "has a symlink that leads to nothing now"),
    "symlink-resolves": Meaning("note", "has a symlink that led to nothing before"),
    "symlink-retyped": Meaning("warning", "has a symlink that leads to what is of another type"),
    "symlink-elsewhere": Meaning("note", "has a symlink that leads to another path"),
    # users and groups
    "user-lost": Meaning("warning", "replaces the list of users: one of the new base is not in it"),
    "user-other-id": Meaning("warning", "replaces the list of users: one has another ID"),
    "group-lost": Meaning(
        "warning", "replaces the list of groups: one of the new base is not in it"
    ),
    "group-other-id": Meaning("warning", "replaces the list of groups: one has another ID"),
    "owner-renamed": Meaning("warning", "has files of a user ID that means another user now"),
    "user-unknown": Meaning("warning", "runs as a user that is not in /etc/passwd"),
    "user-renumbered": Meaning("warning", "runs as a user that has another ID now"),
    "group-unknown": Meaning("warning", "runs with a group that is not in /etc/group"),
    # config
    "env-both": Meaning("warning", "sets a variable that the new base changed"),
    "env-added": Meaning("warning", "sets a variable that the new base sets otherwise"),
    "env-unset": Meaning("note", "lacks a variable that the new base sets"),
    "env-orphan": Meaning("note", "sets a variable anew that the new base no longer has"),
    "env-inherits": Meaning("note", "inherits another value of a variable"),
    "env-inherits-new": Meaning("note", "inherits a variable that the old base did not have"),
    "env-lost": Meaning("warning", "no longer inherits a variable"),
    "path-lacks": Meaning("warning", "sets PATH without a directory of the new base"),
    "label-both": Meaning("note", "sets a label that the new base changed"),
    "label-inherits": Meaning("note", "inherits another value of a label"),
    "command-both": Meaning("note", "sets a command that the new base changed"),
    "command-inherits": Meaning("warning", "inherits another command"),
    "command-under-entrypoint": Meaning("warning", "sets Cmd, but inherits another Entrypoint"),
    "command-gone": Meaning("warning", "starts a program that is not there now"),
    "user-inherits": Meaning("warning", "inherits another user"),
    "workdir-inherits": Meaning("warning", "inherits another working directory"),
    "workdir-gone": Meaning("warning", "starts in a directory that is not there now"),
    "volume-hides": Meaning("warning", "has files where the new base declares a volume"),
    "setting-both": Meaning("note", "sets what the new base changed"),
    "setting-inherits": Meaning("note", "inherits another setting"),
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
