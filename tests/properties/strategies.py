"""Layered images full of corner cases.

Few names, so that layers meet; every kind of entry under each of them; names, times and formats
spelled in every way that engines take. An image is drawn as numbers and then told what they mean in
its own context: a hard link finds a file that is there at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from tests.properties.reading import Read, read_tar
from tests.properties.reference import BrokenLayer, FileSystem
from tests.support.tars import MTIME, Entry, Format, folder, layer, opaque, symlink, whiteout

__all__ = ["KINDS", "PATHS", "Operation", "build", "layers", "operations", "tars_of"]

_LONG = b"long-" * 24
_COMMON = (b"a", b"a/a", b"a/b", b"b", b"b/a", b"a/a/a", b"a/a/b", b"b/b")
PATHS = (
    *(*_COMMON, *_COMMON, *_COMMON),
    *(b"c", b"d", b"a/c", b"c/a", b"c/s", b"a/s", b"s", b"s/a", b"s/b", b"a/s/a", b"s/a/b"),
    *(b"a/b/a", b"b/a/a", b"b/a/b", b"a/a/a/a", b"a/a/a/b", b"a/x.wh.y", b".why", b"wh..wh..opq"),
    *(_LONG, b"a/" + _LONG, _LONG + b"/a", b"caf\xe9/new\nline"),
)
_NAMES = (b"a", b"b", b"c", b"s", b"a/a")
_TARGETS = (b"a", b"b", b"../b", b"/a/a", b"nowhere", b".", b"a/../b", b"/", b"s", b"../../d")
KINDS = (
    *("file", "file", "folder", "folder", "folder", "symlink", "symlink", "link", "link"),
    *("whiteout", "whiteout", "opaque", "fifo", "device", "root", "leftover", "through"),
)
_LEFTOVERS = (b".wh..wh.plnk/17.3", b"a/.wh..wh.aufs", b".wh.b/a", b".wh..wh.orph/a/b")
_MODES = (0o644, 0o755, 0o4755, 0o1777, 0o0)
_OWNERS = (0, 1000, 2_097_152, 4_294_967_294)
_TIMES = (0, MTIME, MTIME + 123_456_789, 1 * 10**9, -1_500_000_000)
_XATTRS: tuple[dict[bytes, bytes], ...] = (
    *({}, {}, {b"user.note": b"x"}, {b"security.capability": b"\1\0\0\2\n=\xff"}),
    *({b"user.note": b""}, {b"trusted.overlay.opaque": b"y", b"user.b": b"1"}),
)
_SPELLINGS = (b"%s", b"%s", b"./%s", b"/%s", b".//%s", b"x/../%s")
_FORMATS: tuple[Format, ...] = ("pax", "pax", "ustar", "gnu", "v7")

Operation = tuple[str, int, int]
"""Kind, path, and a number that settles everything else."""

operations = st.tuples(
    st.sampled_from(KINDS), st.integers(0, len(PATHS) - 1), st.integers(0, 2**32)
)
_plans = st.lists(st.lists(operations, max_size=12), min_size=2, max_size=4)


def build(plan: Sequence[Sequence[Operation]]) -> list[list[Entry]]:
    """Make layers of what was drawn; what no engine would unpack is left out."""
    files = FileSystem()
    return [_build_layer(part, files) for part in plan]


layers = _plans.map(build)
"""Images as lists of lists of entries."""


def _build_layer(plan: Sequence[Operation], files: FileSystem) -> list[Entry]:
    """Make a layer, and lay it on the files."""
    made: list[Entry] = []
    members: list[Read] = []
    now = files.copy()
    now.begin()
    for kind, index, seed in plan:
        entries = _entries(kind, PATHS[index], seed, now)
        more = [*members, *(read_tar(entry.encode())[0][0] for entry in entries)]
        trial = files.copy()
        try:
            trial.apply_members(more)
        except BrokenLayer:
            continue
        made += entries
        members, now = more, trial
    files.nodes, files.aside = now.nodes, now.aside
    return made


def _entries(kind: str, path: bytes, seed: int, files: FileSystem) -> list[Entry]:
    """Return what an operation adds to a layer."""
    match kind:
        case "whiteout":
            return [_spelled(whiteout(path), seed)]
        case "opaque":
            return [_spelled(opaque(path if seed % 8 else b""), seed)]
        case "leftover":
            content = b"%d" % (seed % 1000)
            return [Entry(_LEFTOVERS[seed % len(_LEFTOVERS)], content=content)]
        case "through":
            return _through(path, seed)
        case _:
            entry = _entry(kind, path, seed, files)
            return [entry] if entry else []


def _through(link: bytes, seed: int) -> list[Entry]:
    """A symlink, what it leads to, and removals through it: as kaniko and usrmerge write them."""
    target = _TARGETS[seed // 8 % len(_TARGETS)]
    names = _NAMES[seed // 128 % len(_NAMES)], _NAMES[seed // 1024 % len(_NAMES)]
    beneath = link + b"/" + names[0]
    found = [symlink(link, target)]
    if seed % 2:
        found.append(folder(_COMMON[seed // 16 % len(_COMMON)]))
    found.append(opaque(link) if seed // 2 % 4 == 0 else whiteout(beneath))
    if seed // 4 % 2:
        found.append(Entry(link + b"/" + names[1], content=b"again"))
    return found[1:] + found[:1] if seed // 4096 % 5 == 0 else found


def _entry(kind: str, path: bytes, seed: int, files: FileSystem) -> Entry | None:
    match kind:
        case "file":
            entry = Entry(path, content=b"%d" % (seed % 5) * (seed % 700))
        case "folder":
            entry = Entry(path, type=b"5")
        case "symlink":
            entry = Entry(path, type=b"2", link=_TARGETS[seed % len(_TARGETS)])
        case "fifo":
            entry = Entry(path, type=b"6")
        case "device":
            entry = Entry(path, type=b"34"[seed % 2 :][:1], device=(seed % 7, 1 + seed % 300))
        case "root":
            entry = Entry(b".", type=b"5")
        case "link":
            path = _LEFTOVERS[0] + b"x" if seed % 16 == 0 else path
            return _link(path, seed, files)
        case _:
            return None
    return _spelled(_dressed(entry, seed), seed)


def _dressed(entry: Entry, seed: int) -> Entry:
    """Give attributes, in a format that can express them."""
    seed //= 700
    entry = replace(
        entry,
        mode=_MODES[seed % 5],
        uid=_OWNERS[seed // 5 % 4],
        gid=_OWNERS[seed // 7 % 4],
        mtime=_TIMES[seed // 11 % 5],
        xattrs=_XATTRS[seed // 13 % 6] if entry.type != b"2" else None,
    )
    return _in_format(entry, _FORMATS[seed // 17 % 5])


def _in_format(entry: Entry, name: Format) -> Entry:
    if name == "pax":
        return entry
    plain = replace(entry, format=name, xattrs=None, mtime=max(0, entry.mtime // 10**9 * 10**9))
    long = len(plain.name) > 90 or (name == "v7" and plain.type not in b"0125")
    if name == "v7" and plain.type == b"5":
        plain = replace(plain, name=plain.name + b"/")
    return replace(plain, format="gnu") if long else plain


def _spelled(entry: Entry, seed: int) -> Entry:
    spelling = _SPELLINGS[seed // 19 % len(_SPELLINGS)]
    slash = b"/" if entry.type == b"5" and seed % 3 and not entry.name.endswith(b"/") else b""
    return replace(entry, name=spelling % entry.name + slash)


def _link(path: bytes, seed: int, files: FileSystem) -> Entry | None:
    """A hard link to a file that is there, of this layer or another; or to what is set aside."""
    found = files.nodes | files.aside
    there = sorted(name for name, node in found.items() if node.type != b"5")
    if not there:
        return None
    target = there[seed % len(there)]
    node = found[target]
    same = seed // 64 % 4 != 0
    return Entry(
        path,
        type=b"1",
        link=_SPELLINGS[seed // 23 % 4] % target,
        mode=node.mode if same else 0o600,
        uid=node.uid,
        gid=node.gid,
        mtime=(node.mtime or 0) if same else MTIME,
        xattrs=dict(node.xattrs) if same else None,
    )


def tars_of(image: Sequence[Sequence[Entry]]) -> list[bytes]:
    """Return the layers' tars."""
    return [layer(*entries) for entries in image]
