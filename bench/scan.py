#!/usr/bin/env python3
"""Index an archive's layers and plan the squash of all above the first; print seconds as JSON.

    .venv/bin/python bench/scan.py image.tar

A process of its own each time, as for a user: no other's memory is in the way; and the cycle
collector rests, as it does in a squash. The seconds are processor time: it is one thread that waits
for nothing, and what else runs here is left out so.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lamella.layer.blob import FileRange
from lamella.layer.spool import Spool
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.overlay import Tree
from lamella.merge.plan import Plan, make_plan

try:
    from lamella.merge.gc_pause import collector_paused
    from lamella.transport.file.docker_archive import read_image
    from lamella.transport.file.tarball import open_archive
except ModuleNotFoundError:
    # `against.py` runs this with older revisions, where they stood elsewhere.
    from lamella.merge.collector import (  # type: ignore[import-not-found, no-redef]
        collector_paused,
    )
    from lamella.transport.docker_archive import (  # type: ignore[import-not-found, no-redef]
        read_image,
    )
    from lamella.transport.tarball import (  # type: ignore[import-not-found, no-redef]
        open_archive,
    )

__all__ = ["collector_paused", "plan_top", "scan_all", "spans"]


def spans(path: Path) -> list[FileRange]:
    """The layers' tars of a docker-archive, where they lie."""
    archive = open_archive(path.open("rb"), str(path), Spool(), seekable=True)
    return [layer.blob for layer in read_image(archive, "", str(path)).layers]  # type: ignore[misc]


def scan_all(tars: Sequence[FileRange]) -> dict[int, Changeset]:
    """Read what each layer changes."""
    return {i: read_changeset(tar, i) for i, tar in enumerate(tars)}


def plan_top(changesets: Mapping[int, Changeset]) -> Plan:
    """Plan the squash of all layers above the first."""
    below = Tree()
    below.apply(changesets[0])
    tree = Tree(below)
    for changeset in list(changesets.values())[1:]:
        tree.apply(changeset)
    return make_plan(tree, changesets)


@collector_paused()
def scan_and_plan(source: Path) -> dict[str, float]:
    """Return the number of entries, and seconds to scan and to plan."""
    tars = spans(source)
    begin = time.process_time()
    changesets = scan_all(tars)
    scanned = time.process_time()
    plan_top(changesets)
    planned = time.process_time()
    entries = sum(len(c.entries) + len(c.whiteouts) + len(c.opaques) for c in changesets.values())
    return {"entries": entries, "scan": scanned - begin, "plan": planned - scanned}


if __name__ == "__main__":
    print(json.dumps(scan_and_plan(Path(sys.argv[1]))))
