"""Analyses made by hand: names that would do harm, and as much as there can be."""

from __future__ import annotations

from typing import Literal

from lamella.analysis.model import Analysis, Dead, LayerFacts, Saving, Secret, Usage, Waste
from lamella.merge.causes import Cause, Dropped
from lamella.operations.diff import FileChange, FileContent, ImageDiff
from lamella.rootfs import Difference

__all__ = ["HOSTILE", "changed", "hostile", "large", "make_analysis", "make_layer", "much_advice"]

KINDS: tuple[Literal["added", "removed", "changed"], ...] = ("added", "removed", "changed")

# File names, and how each is shown.
HOSTILE = {
    b"<script>document.harm=1</script>": "<script>document.harm=1</script>",
    b"</script><script>document.harm=1</script>": "</script><script>document.harm=1</script>",
    b"<!--<script>": "<!--<script>",
    b"<img src=x onerror=document.harm=1>": "<img src=x onerror=document.harm=1>",
    b"\"' onfocus=document.harm=1 autofocus x='": "\"' onfocus=document.harm=1 autofocus x='",
    b"{{ 7 * 7 }}{% raw %}${7*7}": "{{ 7 * 7 }}{% raw %}${7*7}",
    b"&lt;b&gt;&amp;": "&lt;b&gt;&amp;",
    b"two\nlines\tand\x1b[31mred\x00": "two\\nlines\\tand\\x1b[31mred\\x00",
    b"not \xff\xfe UTF-8": "not \\xff\\xfe UTF-8",
    "sl\u2028ash \u202egnp.exe\u2066 \u200f".encode(): "sl\\u2028ash \\u202egnp.exe\\u2066 \\u200f",
    "\u6587\u4ef6 \u05d0\u05d1.txt".encode(): "\u6587\u4ef6 \u05d0\u05d1.txt",
    b"l" * 255: "l" * 255,
    b"__proto__": "__proto__",
}


def changed() -> ImageDiff:
    """Return what changed in an image with harmful names, values and contents."""
    changes = []
    for n, name in enumerate(HOSTILE):
        kind = KINDS[n % 3]
        path = b"d/" + name
        why = (Difference(path, f"xattr {HOSTILE[name]}", name, None),) if n % 3 == 2 else ()
        changes.append(FileChange(path, kind, "file", 99 * n, 9_999 * n, why))
    fields = tuple(Difference(b"", f"config Labels.{v}", v, v * 2) for v in HOSTILE.values())
    contents = tuple(FileContent(b"c/" + name, None, name * 2 + b"\n") for name in HOSTILE)
    return ImageDiff("a", "b", "linux/amd64", 2, tuple(changes), fields, contents)


def make_layer(number: int, live: int, dead: Dropped = Dropped(), command: str = "") -> LayerFacts:  # noqa: B008 - a value
    """Return a layer; what is not told here is made up."""
    return LayerFacts(
        number=number,
        id=f"{number:064x}",
        diff_id=f"sha256:{number:064x}",
        command=command,
        tags=(),
        entries=10 * number,
        whiteouts=number % 3,
        size=live + dead.total + 1024,
        stored=(live + dead.total) // 2,
        live=live,
        dead=dead,
    )


def make_analysis(layers: list[LayerFacts], root: Usage, **more: object) -> Analysis:
    """Return an analysis of which a squash of more than two layers saves half of the dead bytes."""
    savings = {}
    for first in layers:
        before = dead = 0
        for last in layers[first.number - 1 :]:
            before, dead = before + last.size, dead + last.dead.total
            span = last.number - first.number
            after = before + 700 if span == 1 else before - dead // 2 if span else before
            savings[first.number, last.number] = Saving(first.number, last.number, before, after)
    facts = {
        "reference": "app:latest",
        "id": f"sha256:{7:064x}",
        "platform": "linux/amd64",
        "tags": ("app:latest",),
        "dead": (),
        "secrets": (),
        "efficiency": 0.9,
        "wasted": 1 << 20,
        **more,
    }
    return Analysis(layers=tuple(layers), savings=savings, root=root, **facts)  # type: ignore[arg-type]


def hostile() -> Analysis:
    """An image of which every name and command was chosen by somebody who means harm."""
    names = list(HOSTILE)
    layers = [
        make_layer(n, 4000 * n, Dropped(deleted=512 * n), HOSTILE[name])
        for n, name in enumerate(names, 1)
    ]
    files = [Usage(name, 900 * n, 300 * n, n, ()) for n, name in enumerate(names, 1)]
    folders = [Usage(name, 90_000, 30_000, 90, tuple(files)) for name in names]
    root = Usage(
        b"", 90_000 * len(names) + 512, 30_000 * len(names), 90 * len(names), tuple(folders)
    )
    return make_analysis(
        layers,
        root,
        reference="'</title><script>document.harm=1</script>\udcff",
        tags=("<b>tag</b>", "\u202eetsal"),
        platform='linux/"><script>document.harm=1</script>',
        dead=tuple(
            Dead(b"a/" + name, n % 2 == 0, 99_999 // n, n, n, n + 1, Cause.DELETED)
            for n, name in enumerate(names[:-1], 1)
        ),
        secrets=tuple(Secret(b"root/" + name, "private key", 1, 2) for name in names),
    )


def large() -> Analysis:
    """As many layers as an image can have, and as many places and dead paths as are told."""
    layers = [
        make_layer(
            n,
            (n * 7919 % 101) ** 3 * 512,
            Dropped((n * 31 % 97) ** 3 * 256, 512 * (n % 5), 1024 * (n % 3), 512 * (n % 2)),
            f"RUN step-{n} --with a-long-option-that-is-not-short && clean up after it",
        )
        for n in range(1, 128)
    ]

    def place(name: bytes, size: int, depth: int) -> Usage:
        kids = [] if size < 1 << 20 or not depth else [size // 2, *[size // 50] * 23]
        inside = tuple(place(b"part-%d" % n, kid, depth - 1) for n, kid in enumerate(kids))
        return Usage(name, size * 2 // 3, size - size * 2 // 3, max(1, size // 4096), inside)

    return make_analysis(
        layers,
        place(b"", 1 << 30, 8),
        dead=tuple(
            Dead(
                b"usr/lib/%d/%s" % (n, b"deep/" * (n % 9)),
                True,
                1 << 30 >> n // 5,
                n,
                1 + n % 60,
                62 + n % 60,
                Cause.METADATA_ONLY,
            )
            for n in range(100)
        ),
        secrets=None,
        shared=3,
    )


def much_advice() -> Analysis:
    """An image of which every other layer replaces what the layer below it has."""
    size = 1 << 20
    layers = [
        make_layer(n, size * (1 - n % 2), Dropped(overwritten=size * (n % 2)), f"RUN step-{n}")
        for n in range(1, 61)
    ]
    return make_analysis(
        layers,
        Usage(b"", 30 * size, 30 * size, 60, ()),
        wastes=tuple(
            Waste(n, n + 1, Cause.OVERWRITTEN, "", b"srv/%d" % n, size, 1) for n in range(1, 60, 2)
        ),
    )
