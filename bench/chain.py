#!/usr/bin/env python3
"""Squash an archive; print the processor time of the thread that scans, plans and writes, as JSON.

    .venv/bin/python bench/chain.py image.tar

All others wait for this thread in the end, so on many cores it is what bounds a squash. What it
takes to import modules is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lamella.operations.squash


def chain(source: Path) -> dict[str, float]:
    """Return the seconds."""
    result = source.with_name(f"{source.stem}-chain.tar")
    begin = time.thread_time()
    lamella.squash(str(source), output=f"docker-archive:{result}")
    seconds = time.thread_time() - begin
    result.unlink()
    return {"thread": seconds}


if __name__ == "__main__":
    print(json.dumps(chain(Path(sys.argv[1]))))
