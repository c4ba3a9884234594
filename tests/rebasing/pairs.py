"""Images over two bases, each made for one kind of conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.tars import MTIME, Spec, entry, folder, layer, link, opaque, symlink, whiteout

__all__ = ["PAIRS", "Pair"]


@dataclass(frozen=True)
class Pair:
    """An old base, a new one, and what lies above."""

    kind: str
    where: str
    """The path, or the field of the config."""
    old: Sequence[Spec] = ()
    new: Sequence[Spec] = ()
    own: Sequence[Spec] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the image."""
    old_config: Mapping[str, Any] = field(default_factory=dict)
    new_config: Mapping[str, Any] = field(default_factory=dict)

    def tars(self) -> tuple[bytes, bytes, bytes]:
        """Return the three layers."""
        return layer(*self.old, _KEPT), layer(*self.new, _KEPT), layer(*self.own, ("own", b"own"))


_KEPT = entry("kept", b"kept")
_OLD, _NEW, _OWN = b"old", b"newer", b"the image's own"
_USERS, _MORE = b"root:x:0:0::/:/bin/sh\n", b"www:x:33:33::/:/bin/sh\n"


def _stack(*specs: Spec) -> list[Spec]:
    return list(specs)


def _hidden(kind: str, path: str) -> Pair:
    """A file that all have, in a directory that has an entry everywhere."""
    names = path.split("/")[:-1]
    above = [folder("/".join(names[: n + 1]) + "/") for n in range(len(names))]
    old, new, own = (_stack(*above, (path, content)) for content in (_OLD, _NEW, _OWN))
    return Pair(kind, f"/{path}", old, new, own)


def _set(kind: str, name: str, mine: object, old: object, new: object) -> Pair:
    """A setting of the image and of its bases; None: it is not there."""
    top = name.partition(".")[0]

    def settings(value: object) -> dict[str, Any]:
        if value is None:
            return {}
        if top == "Env":
            return {"Env": [f"{name[4:]}={value}"]}
        return {top: {name[7:]: value}} if top == "Labels" else {top: value}

    configs = (settings(value) for value in (mine, old, new))
    return Pair(kind, name, [], [], [], *configs)


_DIR, _DIR_OTHER = folder("d/"), folder("d/", mode=0o700)

FILES = [
    _hidden("file-changed", "d/f"),
    Pair(
        "file-attributes",
        "/d/f",
        [_DIR, ("d/f", _OLD)],
        [_DIR, entry("d/f", _OLD, mode=0o4755)],
        [_DIR, ("d/f", _OWN)],
    ),
    Pair(
        "file-touched",
        "/d/f",
        [_DIR, ("d/f", _OLD)],
        [_DIR, entry("d/f", _OLD, mtime=MTIME + 10**9)],
        [_DIR, ("d/f", _OWN)],
    ),
    Pair("file-added", "/d/f", [_DIR], [_DIR, ("d/f", _NEW)], [_DIR, ("d/f", _OWN)]),
    Pair("file-redundant", "/d/f", [_DIR], [_DIR, ("d/f", _OWN)], [_DIR, ("d/f", _OWN)]),
    Pair("file-removed", "/d/f", [_DIR, ("d/f", _OLD)], [_DIR], [_DIR, ("d/f", _OWN)]),
    Pair(
        "file-retyped",
        "/d/f",
        [_DIR, ("d/f", _OLD)],
        [_DIR, symlink("d/f", "g")],
        [_DIR, ("d/f", _OWN)],
    ),
    Pair("file-over-directory", "/f", [], [folder("f/"), ("f/x", _NEW)], [("f", _OWN)]),
    Pair(
        "file-hides-new",
        "/f",
        [folder("f/"), ("f/a", _OLD)],
        [folder("f/"), ("f/a", _OLD), ("f/b", _NEW)],
        [("f", _OWN)],
    ),
    Pair(
        "file-hides-changed",
        "/f",
        [folder("f/"), ("f/a", _OLD)],
        [folder("f/"), ("f/a", _NEW)],
        [("f", _OWN)],
    ),
    _hidden("packages-hidden", "var/lib/dpkg/status"),
    _hidden("certificates-hidden", "etc/ssl/certs/ca-certificates.crt"),
    _hidden("libraries-hidden", "etc/ld.so.cache"),
    _hidden("release-hidden", "etc/os-release"),
]
DIRECTORIES = [
    Pair("directory-attributes", "/d", [_DIR], [_DIR_OTHER], [_DIR, ("d/f", _OWN)]),
    Pair("directory-inherits", "/d", [_DIR], [_DIR_OTHER], [("d/f", _OWN)]),
    Pair("directory-removed", "/d", [_DIR], [], [_DIR, ("d/f", _OWN)]),
    Pair("directory-merged", "/d", [], [_DIR, ("d/a", _NEW)], [_DIR, ("d/f", _OWN)]),
    Pair("directory-over-file", "/d", [], [("d", _NEW)], [_DIR, ("d/f", _OWN)]),
    Pair("directory-over-symlink", "/d", [_DIR], [symlink("d", "e")], [_DIR, ("d/f", _OWN)]),
    Pair("parent-missing", "/d", [_DIR], [], [("d/f", _OWN)]),
    Pair("parent-is-file", "/d", [_DIR], [("d", _NEW)], [("d/f", _OWN)]),
    Pair("parent-is-symlink", "/d", [_DIR], [symlink("d", "e")], [("d/f", _OWN)]),
]
_FULL: list[Spec] = [_DIR, ("d/f", _OLD)]
DELETIONS = [
    Pair("whiteout-nothing", "/d/f", _FULL, [_DIR], [_DIR, whiteout("d/f")]),
    Pair("whiteout-changed", "/d/f", _FULL, [_DIR, ("d/f", _NEW)], [_DIR, whiteout("d/f")]),
    Pair("whiteout-hides-new", "/d", _FULL, [*_FULL, ("d/g", _NEW)], [whiteout("d")]),
    Pair("whiteout-hides-changed", "/d", _FULL, [_DIR, ("d/f", _NEW)], [whiteout("d")]),
    Pair("whiteout-retyped", "/d", _FULL, [symlink("d", "e")], [whiteout("d")]),
    Pair("whiteout-hits-new", "/d/f", [_DIR], _FULL, [_DIR, whiteout("d/f")]),
    Pair("whiteout-hits-new", "/d/f", [], _FULL, [whiteout("d/f")]),
    Pair("whiteout-parent-missing", "/d/f", _FULL, [], [whiteout("d/f")]),
    Pair("whiteout-parent-file", "/d/f", _FULL, [("d", _NEW)], [whiteout("d/f")]),
    Pair("whiteout-parent-symlink", "/d/f", _FULL, [symlink("d", "e")], [whiteout("d/f")]),
    Pair("opaque-hides-new", "/d", _FULL, [*_FULL, ("d/g", _NEW)], [_DIR, opaque("d")]),
    Pair("opaque-hides-changed", "/d", _FULL, [_DIR, ("d/f", _NEW)], [_DIR, opaque("d")]),
    Pair("opaque-nothing", "/d", _FULL, [], [_DIR, opaque("d"), ("d/own", _OWN)]),
]
LINKS = [
    Pair("link-missing", "/l", _FULL, [_DIR], [link("l", "d/f")]),
    Pair("link-changed", "/l", _FULL, [_DIR, ("d/f", _NEW)], [link("l", "d/f")]),
    Pair("link-directory", "/l", _FULL, [_DIR, folder("d/f/")], [link("l", "d/f")]),
    Pair("link-into-base", "/l", _FULL, _FULL, [link("l", "d/f")]),
    Pair("symlink-dangles", "/s", _FULL, [_DIR], [symlink("s", "d/f")]),
    Pair("symlink-resolves", "/s", [_DIR], _FULL, [symlink("s", "/d/f")]),
    Pair("symlink-retyped", "/s", _FULL, [_DIR, folder("d/f/")], [symlink("s", "d/f")]),
    Pair(
        "symlink-elsewhere",
        "/s",
        [("f1", _OLD), symlink("f", "f1")],
        [("f2", _OLD), symlink("f", "f2")],
        [symlink("s", "f")],
    ),
]
_ETC = folder("etc/")


_ROOT_WWW, _ROOT, _WWW = b"root:x:0:\nwww:x:33:\n", b"root:x:0:a\n", b"www:x:7:\n"
_ROOT_ALONE = b"root:x:0:\n"


def _accounts(kind: str, old: bytes, new: bytes, own: bytes) -> Pair:
    """A list that all replace."""
    path = "etc/group" if kind.startswith("group") else "etc/passwd"
    was, now, mine = (_stack(_ETC, (path, content)) for content in (old, new, own))
    return Pair(kind, f"/{path}", was, now, mine)


def _run_as(kind: str, user: str, path: str, old: bytes, new: bytes) -> Pair:
    was, now = (_stack(_ETC, (path, content)) for content in (old, new))
    settings = {"User": user}
    return Pair(kind, "User", was, now, [], settings, settings, settings)


ACCOUNTS = [
    _accounts("user-lost", _USERS, _USERS + _MORE, _USERS + b"app:x:1000:0::/:\n"),
    _accounts("user-other-id", _USERS, _USERS + _MORE, _USERS + b"www:x:100:0::/:\n"),
    _accounts("group-lost", _ROOT_ALONE, _ROOT_WWW, _ROOT),
    _accounts("group-other-id", _ROOT_ALONE, _ROOT_WWW, _WWW),
    Pair(
        "owner-renamed",
        "/data",
        [_ETC, ("etc/passwd", _USERS + _MORE)],
        [_ETC, ("etc/passwd", _USERS + b"mail:x:33:33::/:\n")],
        [entry("data", _OWN, uid=33)],
    ),
    _run_as("user-unknown", "www", "etc/passwd", _USERS + _MORE, _USERS),
    _run_as("user-renumbered", "www", "etc/passwd", _USERS + _MORE, b"www:x:82:82::/:\n"),
    _run_as("group-unknown", "0:www", "etc/group", _ROOT_WWW, _ROOT),
]
CONFIG = [
    _set("env-both", "Env.V", "mine", "old", "new"),
    _set("env-added", "Env.V", "mine", None, "new"),
    _set("env-unset", "Env.V", None, "old", "new"),
    _set("env-orphan", "Env.V", "mine", "old", None),
    _set("env-inherits", "Env.V", "old", "old", "new"),
    _set("env-inherits-new", "Env.V", None, None, "new"),
    _set("env-lost", "Env.V", "old", "old", None),
    _set("path-lacks", "Env.PATH", "/app:/bin", "/bin", "/bin:/opt/bin"),
    _set("label-both", "Labels.v", "mine", "old", "new"),
    _set("label-inherits", "Labels.v", "old", "old", "new"),
    _set("command-both", "Cmd", ["mine"], ["old"], ["new"]),
    _set("command-inherits", "Cmd", ["old"], ["old"], ["new"]),
    _set("command-inherits", "Entrypoint", ["old"], ["old"], ["new"]),
    Pair(
        "command-under-entrypoint",
        "Cmd",
        config={"Entrypoint": ["a"], "Cmd": ["mine"]},
        old_config={"Entrypoint": ["a"], "Cmd": ["old"]},
        new_config={"Entrypoint": ["b"], "Cmd": ["old"]},
    ),
    Pair("command-gone", "Cmd", [("bin/p", _OLD)], [], [], {"Cmd": ["/bin/p"]}),
    Pair("command-gone", "Entrypoint", [("bin/p", _OLD)], [], [], {"Entrypoint": ["p", "-v"]}),
    _set("user-inherits", "User", "1", "1", "2"),
    _set("workdir-inherits", "WorkingDir", "/a", "/a", "/b"),
    Pair("workdir-gone", "WorkingDir", [_DIR], [], [], {"WorkingDir": "/d"}),
    Pair(
        "volume-hides",
        "/d",
        [_DIR],
        [_DIR],
        [_DIR, ("d/f", _OWN)],
        new_config={"Volumes": {"/d": {}}},
    ),
    _set("setting-both", "StopSignal", "INT", "TERM", "QUIT"),
    _set("setting-inherits", "StopSignal", "TERM", "TERM", "QUIT"),
]
PAIRS = [*FILES, *DIRECTORIES, *DELETIONS, *LINKS, *ACCOUNTS, *CONFIG]
