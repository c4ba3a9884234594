"""Small images, each with one thing that a squash can get wrong."""

from __future__ import annotations

from tests.support.tars import (
    MTIME,
    device,
    entry,
    fifo,
    folder,
    layer,
    link,
    opaque,
    symlink,
    whiteout,
)

__all__ = ["CORNERS"]

_LONG = "long-" * 30
_BASE = layer("d/", ("d/old", b"old"), ("f", b"f"), ("g", b"g"))
_NOTE = {b"user.note": b"kept"}

CORNERS: dict[str, list[bytes]] = {
    "nothing at all": [layer(), layer(), layer()],
    "whiteout of a file": [_BASE, layer(whiteout("f")), layer("x")],
    "whiteout of a directory": [_BASE, layer(whiteout("d")), layer("x")],
    "added, then deleted": [_BASE, layer("x"), layer(whiteout("x"))],
    "changed, then deleted": [_BASE, layer(("f", b"2")), layer(whiteout("f"))],
    "deleted, then a file again": [_BASE, layer(whiteout("f")), layer(("f", b"2"))],
    "deleted, then a directory again": [_BASE, layer(whiteout("d")), layer("d/", "d/new")],
    "deleted and a directory again in one": [_BASE, layer("x"), layer(whiteout("d"), "d/", "d/n")],
    "deleted, then implied again": [_BASE, layer(whiteout("d")), layer("d/new")],
    "directory, file, directory": [_BASE, layer("d"), layer("d/", "d/new")],
    "directory, symlink, directory": [_BASE, layer(symlink("d", "g")), layer("d/", "d/new")],
    "directory, file, implied": [_BASE, layer("d"), layer("d/new")],
    "file in place of a directory": [_BASE, layer("x"), layer(("d", b"file"))],
    "directory in place of a file": [_BASE, layer("f/", "f/in"), layer("x")],
    "fifo in place of a directory": [_BASE, layer(fifo("d")), layer("x")],
    "device in place of a symlink": [layer(symlink("l", "f")), layer(device("l", 1, 3)), layer()],
    "whiteout and file, in either order": [
        _BASE,
        layer(whiteout("f"), ("f", b"2")),
        layer(("g", b"2"), whiteout("g")),
    ],
    "whiteout of nothing": [_BASE, layer(whiteout("no"), whiteout("d/no")), layer("x/", ".wh.y")],
    "whiteout in what was made above the base": [
        _BASE,
        layer("n/", "n/a", "n/b"),
        layer(whiteout("n/a")),
    ],
    "whiteout beneath a whiteout": [_BASE, layer(whiteout("d"), whiteout("d/old")), layer("x")],
    "opaque": [_BASE, layer("d/", opaque("d"), "d/new"), layer("x")],
    "opaque after its children": [_BASE, layer("d/new", "d/", opaque("d")), layer("d/more")],
    "opaque without an entry": [_BASE, layer(opaque("d")), layer("d/new")],
    "opaque over nothing": [layer("e/"), layer("e/", opaque("e"), "e/x"), layer(opaque("no"))],
    "opaque beside a whiteout": [_BASE, layer("d/", opaque("d"), whiteout("d/old")), layer("x")],
    "opaque twice": [_BASE, layer(opaque("d"), "d/a"), layer(opaque("d"), "d/b")],
    "opaque root": [_BASE, layer(opaque(""), "new"), layer("x")],
    "opaque root, then all again": [_BASE, layer(opaque("")), layer("d/", "d/old", "f")],
    "file hidden, made again": [_BASE, layer(opaque("d")), layer(("d/old", b"anew"))],
    "first name changed": [
        layer("base"),
        layer(("a", b"1"), link("b", "a"), link("c", "a")),
        layer(("a", b"2")),
    ],
    "first name deleted": [
        layer("base"),
        layer(("a", b"1"), link("b", "a"), link("c", "a")),
        layer(whiteout("a")),
    ],
    "all names but the last deleted": [
        layer(("a", b"1"), link("b", "a"), link("c", "a")),
        layer(whiteout("a")),
        layer(whiteout("b")),
    ],
    "further name deleted": [layer(("a", b"1"), link("b", "a")), layer(".wh.b"), layer("x")],
    "first name's directory deleted": [
        layer("base"),
        layer("p/", ("p/a", b"1"), link("b", "p/a", mode=0o644)),
        layer(whiteout("p")),
    ],
    "link to the layer below": [layer(("a", b"1")), layer(link("b", "a")), layer(link("c", "b"))],
    "link below, then its target deleted": [
        layer(("a", b"1")),
        layer(link("b", "a")),
        layer(whiteout("a")),
    ],
    "link to a group below": [
        layer(("a", b"1"), link("b", "a"), "p/", link("p/c", "a")),
        layer(link("d", "b")),
        layer(whiteout("b")),
    ],
    "link to the inode of another name": [
        layer(("a", b"1"), ("b", b"2")),
        layer(link("a", "b")),
        layer(link("c", "a"), ("a", b"3")),
    ],
    "link kept though its target is said twice": [
        layer("x"),
        layer(("a", b"1"), link("b", "a"), ("a", b"2"), link("c", "a")),
        layer(),
    ],
    "link to a symlink": [
        layer(symlink("s", "f"), link("t", "s", mode=0o777)),
        layer(whiteout("s")),
        layer(),
    ],
    "link with attributes of its own": [
        layer("x"),
        layer(entry("a", b"1", xattrs=_NOTE), link("b", "a", mode=0o600, mtime=0)),
        layer(),
    ],
    "link with slashes": [layer("x"), layer("d/", ("d/a", b"1"), link("b", "/d/a")), layer()],
    "symlinked directory of the layer": [
        _BASE,
        layer("e/", symlink("s", "e"), ("s/in", b"1")),
        layer(whiteout("e/in"), "y"),
    ],
    "symlink replaced through itself": [
        layer("x"),
        layer(symlink("s", "."), "s/s/", ("s/s/a", b"1")),
        layer(symlink("t", "t2"), "t2/", "t/x/", folder("t/x/../../t"), "t/y"),
    ],
    "symlinked directory of a layer below": [
        layer("e/", symlink("s", "e")),
        layer(("s/in", b"1")),
        layer("s/more"),
    ],
    "symlink whose target goes": [
        layer("e/", ("e/x", b"1")),
        layer(symlink("s", "e/x")),
        layer(whiteout("e")),
    ],
    "whiteout through a symlink of its layer": [
        _BASE,
        layer(symlink("s", "/d"), "d/", whiteout("s/old")),
        layer("x"),
    ],
    "opaque through a symlink of its layer": [
        layer("d/", ("d/old", b"old"), ("d/kept", b"k")),
        layer("d/", symlink("s", "d"), ("s/n1", b"1"), opaque("s"), ("s/n2", b"2")),
        layer("x"),
    ],
    "whiteout before its symlink": [_BASE, layer(whiteout("s/old"), symlink("s", "d"), "d/")],
    "usrmerge": [
        layer("usr/", "usr/bin/", ("usr/bin/x", b"x"), "usr/bin/y", symlink("bin", "usr/bin")),
        layer("usr/", "usr/bin/", symlink("bin", "usr/bin"), whiteout("bin/x")),
        layer("x"),
    ],
    "whiteout through a chain of symlinks": [
        _BASE,
        layer(symlink("p/r", "../q"), symlink("q", "./d/../d"), whiteout("p/r/old"), "d/"),
        layer(symlink("p/r", "nowhere"), whiteout("p/r/old")),
    ],
    "whiteout through a symlink that is replaced later": [
        layer("d/", ("d/old", b"1"), "e/", ("e/old", b"2"), "f/", ("f/old", b"3")),
        layer(symlink("s", "d"), whiteout("s/old"), symlink("s", "e"), whiteout("s/old"), "s/"),
        layer(symlink("t", "f"), folder("t"), whiteout("t/old")),
    ],
    "whiteout through a symlink that went with its directory": [
        _BASE,
        layer("p/", symlink("p/s", "../d"), ("p", b"file"), "p/", whiteout("p/s/old")),
        layer("x"),
    ],
    "whiteout through a hard link to a symlink": [
        _BASE,
        layer(symlink("s", "d"), link("t", "s", mode=0o777), whiteout("t/old")),
        layer("x"),
    ],
    "whiteout through a hard link to a lower symlink": [
        layer("d/", ("d/old", b"old"), symlink("s", "d")),
        layer(link("t", "s", mode=0o777), whiteout("t/old")),
        layer("x"),
    ],
    "whiteout of the symlink itself": [
        layer("d/", ("d/old", b"old"), symlink("s", "d")),
        layer(whiteout("s"), symlink("s", "d"), whiteout("s/old")),
        layer(symlink("s", "/d"), whiteout("s"), ("s/new", b"1")),
    ],
    "whiteout through a symlink, and the name again": [
        _BASE,
        layer("d/", symlink("s", "d"), whiteout("s/old"), ("s/old", b"anew")),
        layer(symlink("r", "d"), ("r/old", b"more"), whiteout("r/old")),
    ],
    "whiteout through a symlink to nothing": [
        _BASE,
        layer(symlink("s", "no/thing"), whiteout("s/old"), symlink("r", ".."), whiteout("r/g")),
        layer(symlink("l", "/"), whiteout("l/f"), symlink("s2", "f"), whiteout("s2/x")),
    ],
    "root emptied through a symlink": [
        _BASE,
        layer(symlink("r", "/"), opaque("r"), "new"),
        layer(),
    ],
    "whiteout through a lower symlink": [
        layer("d/", ("d/old", b"old"), symlink("s", "d")),
        layer(symlink("t", "s"), whiteout("t/old"), whiteout("s/old")),
        layer(opaque("s")),
    ],
    "whiteout through a symlink": [_BASE, layer(symlink("s", "d")), layer(whiteout("s/old"))],
    "no entries for directories": [layer(("p/q/a", b"1")), layer(("p/q/b", b"2")), layer("p/r/c")],
    "attributes of a directory of the base": [
        layer(folder("p", 0o700, uid=5, mtime=MTIME + 1), folder("p/q", 0o711, xattrs=_NOTE)),
        layer(("p/q/a", b"1")),
        layer(("p/q/b", b"1")),
    ],
    "attributes changed later": [
        layer(folder("p", 0o700), "p/a"),
        layer(folder("p", 0o755, uid=7)),
        layer(folder("p", 0o711, xattrs=_NOTE)),
    ],
    "said twice in one layer": [
        layer("x"),
        layer(("a", b"1"), ("./a", b"2"), "d/", "d/x", folder("d", 0o700)),
        layer(),
    ],
    "names in every spelling": [
        layer("./", "./d/", ("/d/a", b"1"), ("d//b", b"2"), ("d/./c", b"3")),
        layer((b"caf\xe9", b"4"), ("new\nline", b"5"), ("x/../y", b"6")),
        layer("d/.wh.a", "./d/.wh.b"),
    ],
    "names that only look reserved": [
        layer("a.wh.b", ".why", "wh.a", "d.wh./", ("d.wh./x", b"1"), "a", "b"),
        layer("d.wh./.wh.x", ".wh.a.wh.b"),
        layer("x"),
    ],
    "long names": [
        layer((_LONG, b"1"), f"{_LONG}d/", link("l", _LONG), symlink("s", _LONG)),
        layer(whiteout(_LONG)),
        layer(whiteout(f"{_LONG}d"), entry(f"{_LONG}2", b"2", format="gnu")),
    ],
    "old formats": [
        layer(entry("a", b"1", format="v7"), folder("p/", format="v7"), "p/x"),
        layer(entry("b" * 90 + "/" + "c" * 90, b"1", format="ustar")),
        layer(entry("g" * 150, b"2", format="gnu", uid=2**31), whiteout("a", format="gnu")),
    ],
    "times and attributes": [
        layer(entry("a", b"1", mtime=MTIME + 123_456_789, xattrs=_NOTE, uid=4_294_967_294)),
        layer(folder("d", mtime=MTIME + 1, xattrs=_NOTE), entry("d/x", mtime=-1_500_000_000)),
        layer(entry("b", xattrs={b"trusted.overlay.opaque": b"y", b"user.a": b"1"})),
    ],
    "left by storage drivers": [
        layer(".wh..wh.plnk/", (".wh..wh.plnk/1.2", b"1"), ".wh..wh.aufs"),
        layer("d/", "d/.wh..wh.orph/", "d/.wh..wh.orph/x", "d/a"),
        layer(whiteout("d/a")),
    ],
    "links to files that AUFS put aside": [
        layer("x"),
        layer(
            *(".wh..wh.plnk/", entry(".wh..wh.plnk/1.2", b"1", mode=0o600, xattrs=_NOTE)),
            *(link("a", "/.wh..wh.plnk/1.2"), link("d/b", ".wh..wh.plnk/1.2"), link("c", "a")),
        ),
        layer(whiteout("a")),
    ],
    "links among files that AUFS put aside": [
        layer("x"),
        layer(
            *(("a", b"1"), link(".wh..wh.plnk/1", "a"), ("a", b"2"), link("b", ".wh..wh.plnk/1")),
            *(link(".wh..wh.plnk/2", ".wh..wh.plnk/1"), link("c", ".wh..wh.plnk/2")),
        ),
        layer((".wh..wh.plnk/1", b"other"), link("b", ".wh..wh.plnk/1")),
    ],
    "equal layers": [layer(("a", b"1")), layer(whiteout("a")), layer(("a", b"1"))],
    "equal layers around a whiteout": [
        layer("d/", ("d/a", b"1")),
        layer(whiteout("d")),
        layer("d/", ("d/a", b"1")),
        layer(whiteout("d")),
    ],
    "directory moved away and back": [
        layer("d/", "d/e/", ("d/e/a", b"1")),
        layer(whiteout("d"), "m/", "m/e/", ("m/e/a", b"1")),
        layer(whiteout("m"), "d/", "d/e/", ("d/e/a", b"1")),
    ],
}
"""Layers, base first, by what is in them."""
