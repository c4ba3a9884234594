#!/usr/bin/env python3
"""Measure what it takes to take an image apart, beside the least that it has to do.

    .venv/bin/python bench/analysis.py IMAGE.tar

That is to scan the headers, and to hash what must be compared: every file that a later layer
replaces by one of the same size and content, and that other file; less does not tell a copy.
Processor seconds of the one thread that does it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.scan import spans
from lamella.analysis.facts import Label, take_apart
from lamella.analysis.lifetimes import Laid, lay
from lamella.layer.blob import FileRange
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.causes import causes_of
from lamella.merge.changeset import read_changeset
from lamella.merge.gc_pause import collector_paused
from lamella.progress import SILENT
from lamella.transport.file.docker_archive import read_image
from lamella.transport.file.tarball import open_archive


@collector_paused()
def scanned(tars: list[FileRange]) -> tuple[float, Laid]:
    """Return seconds to scan all layers, and what becomes of their entries."""
    begin = time.thread_time()
    changesets = [read_changeset(tar, position) for position, tar in enumerate(tars)]
    seconds = time.thread_time() - begin
    return seconds, lay(changesets)


def hashed(tars: list[FileRange], laid: Laid) -> float:
    """Return seconds to read and hash all files that are copies of others, and those others."""
    pairs = [(member, by) for member, _, by in laid.dead()]
    told = zip(pairs, causes_of(pairs, dict(enumerate(tars))), strict=True)
    copies = [pair for pair, cause in told if cause in {"metadata_only", "duplicate"}]
    begin = time.thread_time()
    for one in (member for pair in copies for member in pair if member is not None):
        hashlib.sha256(tars[one.origin].read_at(one.data, one.size)).digest()
    return time.thread_time() - begin


def analyzed(path: Path) -> float:
    """Return seconds to find out all that `lamella analyze` tells."""
    archive = open_archive(path.open("rb"), str(path), Spool(), seekable=True)
    image = read_image(archive, "", str(path))
    labels = [Label(str(layer.diff_id), "", ()) for layer in image.layers]
    with LayerOpener(Spool()) as opener:
        begin = time.thread_time()
        take_apart(image, opener, labels, SILENT, secrets=True)
        return time.thread_time() - begin


def main() -> None:
    """Measure, and print JSON."""
    path = Path(sys.argv[1])
    tars = spans(path)
    scan, laid = scanned(tars)
    print(json.dumps({"scan": scan, "hash": hashed(tars, laid), "analysis": analyzed(path)}))


if __name__ == "__main__":
    main()
