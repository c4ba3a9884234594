"""What the page shows otherwise than the analysis has it: names, folded rows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, metadata

from lamella.analysis.model import Analysis, Dead
from lamella.merge.causes import Cause

__all__ = ["DeadRow", "fold", "home", "title_of", "titles_of"]

_FOLDED = b"__pycache__"
_PATH = re.compile(r"(?!docker://)(?:[a-z-]+:)?(?:[./~]|.*\.(?:tar|tgz|tar\.\w+)(?::|$))")
_TRANSPORT = re.compile(r"[a-z-]+:(?=.*\.)")


@dataclass(frozen=True)
class DeadRow(Dead):
    """A line of the dead paths: one path, or several of the same name below one directory."""

    places: int = 1
    """How many paths."""


def fold(dead: Sequence[Dead]) -> list[DeadRow]:
    """Make one row of all ``__pycache__`` that share a layer and a fate; biggest first."""
    rows: list[DeadRow] = []
    groups: defaultdict[tuple[int, int, Cause], list[Dead]] = defaultdict(list)
    for one in dead:
        if _FOLDED in one.path.split(b"/"):
            groups[one.layer, one.by, one.cause].append(one)
        else:
            rows.append(_row(one))
    folded = [_together(group) if len(group) > 1 else _row(group[0]) for group in groups.values()]
    return sorted(rows + folded, key=lambda row: -row.size)


def _row(one: Dead) -> DeadRow:
    return DeadRow(**vars(one))


def _together(group: Sequence[Dead]) -> DeadRow:
    above = {one.path.split(_FOLDED)[0].rstrip(b"/") for one in group}
    common = _common(sorted(above))
    path = b"/".join(filter(None, (common, b"*" if len(above) > 1 else b"", _FOLDED)))
    return replace(
        _row(group[0]),
        path=path,
        directory=True,
        size=sum(one.size for one in group),
        entries=sum(one.entries for one in group),
        places=len(group),
    )


def _common(paths: Sequence[bytes]) -> bytes:
    """Return the directory that all of these sorted paths are in."""
    first, last = paths[0].split(b"/"), paths[-1].split(b"/")
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return b"/".join(first[: min(len(first), len(last)) if same is None else same])


def title_of(analysis: Analysis) -> str:
    """Return the image's name; the file's, without its folders, if it has none."""
    if analysis.reference in analysis.tags or not _PATH.match(analysis.reference):
        return analysis.reference
    return analysis.tags[0] if analysis.tags else _file_name(analysis.reference)


def titles_of(a: Analysis, b: Analysis) -> tuple[str, str]:
    """Return names of two images that tell one from the other, as short as there are."""
    files = _file_name(a.reference), _file_name(b.reference)
    for names in ((title_of(a), title_of(b)), files):
        if names[0] != names[1]:
            return names
    return a.reference, b.reference


def _file_name(reference: str) -> str:
    if not _PATH.match(reference):
        return reference
    return _TRANSPORT.sub("", reference, count=1).rstrip("/").rpartition("/")[2] or reference


def home() -> str:
    """Return the project's address, as the package has it; empty: it has none."""
    try:
        links = metadata("lamella").get_all("Project-URL") or ()
    except PackageNotFoundError:
        return ""
    known = dict(str(link).split(", ", 1) for link in links)
    return known.get("Homepage", "")
