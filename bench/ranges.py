#!/usr/bin/env python3
"""Really squash every range of an image's layers, and hold that against what `analyze` said of it.

    .venv/bin/python bench/ranges.py                    16 layers, 1.5 GB, 120 squashes: minutes
    .venv/bin/python bench/ranges.py --part 50          the same, so many times smaller
    .venv/bin/python bench/ranges.py --archive app.tar  another image: a docker-archive

Each new archive is read by Python's tarfile, not by lamella. Its layers must have the sizes of the
old ones, but for a single one that takes the place of the range and has the size that was told; so
the sums differ by what was told, and so do the files, but for the documents in them. An archive is
deleted before the next one is made. The exit code is 1 if anything is not as it was told.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import images
from lamella import __version__

BLOCK = 512


class Archive(NamedTuple):
    """The sizes of a docker-archive, in bytes."""

    layers: list[int]
    """Of each layer's tar, base first."""
    others: int
    """Of all that is no layer: documents, headers, padding, the end."""
    file: int
    """Of the file, as the file system says."""


def measure(path: Path) -> Archive:
    """Read the headers of an archive that is not compressed."""
    with tarfile.open(path, "r:") as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        names = json.load(manifest)[0]["Layers"]
        members = {member.name: member for member in tar}
    sizes = {name: member.size for name, member in members.items()}
    whole = sum(m.offset_data - m.offset + -(-m.size // BLOCK) * BLOCK for m in members.values())
    layers = [sizes[name] for name in names]
    return Archive(layers, whole + 2 * BLOCK - sum(layers), path.stat().st_size)


def lamella(*words: str | Path) -> str:
    """Run it; return its standard output."""
    command = [Path(sys.executable).with_name("lamella"), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def findings(old: Archive, new: Archive, told: dict[str, Any]) -> list[str]:
    """Return what is not as it was told."""
    first, last, saved = told["first"], told["last"], told["saved"]
    wanted = [*old.layers[: first - 1], told["bytes_after"], *old.layers[last:]]
    seen = sum(old.layers) - sum(new.layers)
    found = []
    if new.layers != wanted:
        found.append(f"the layers' sizes are {new.layers}, not {wanted}")
    if sum(old.layers[first - 1 : last]) != told["bytes_before"]:
        found.append(f"the layers have other than {told['bytes_before']} bytes before")
    if seen != saved:
        found.append(f"the layers are {seen} bytes smaller, not {saved}")
    if old.file - new.file != saved + old.others - new.others:
        found.append(
            f"the file is {old.file - new.file} bytes smaller, which {saved} don't explain"
        )
    return found


def squash_all(archive: Path, squashes: Sequence[dict[str, Any]]) -> int:
    """Squash each range, one after another; return how many were not as told."""
    old, target, wrong = measure(archive), archive.with_name("squashed.tar"), 0
    for told in squashes:
        layers = f"{told['first']}-{told['last']}"
        lamella("squash", archive, "--layers", layers, "-o", f"docker-archive:{target}", "-q")
        new = measure(target)
        target.unlink()
        found = findings(old, new, told)
        wrong += bool(found)
        result = "; ".join(found) or "so it is"
        print(f"  {layers:7} told {told['saved']:>13,}   {result}", flush=True)
    return wrong


def main() -> None:
    """Squash, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--part", type=int, default=1, help="so many times smaller")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="squash the image in this one")
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name, "image.tar")
        if arguments.archive:
            archive.symlink_to(arguments.archive.resolve())
        else:
            images.write_image(archive, images.half_dead(arguments.part))
        analysis = json.loads(lamella("analyze", archive, "--json", "--no-secrets-scan"))
        squashes = analysis["squashes"]
        wrong = squash_all(archive, squashes)
    count, entries = len(analysis["layers"]), sum(x["entries"] for x in analysis["layers"])
    saved = [told["saved"] for told in squashes]
    print(
        f"lamella {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{time.strftime('%Y-%m-%d')}\n"
        f"{count} layers, {entries} entries, {analysis['bytes']['total'] / 1e6:.0f} MB; "
        f"{len(squashes)} of {count * (count - 1) // 2} ranges squashed in "
        f"{time.monotonic() - begin:.0f} s, saving {min(saved):,} to {max(saved):,} bytes: "
        f"{wrong} not as told"
    )
    raise SystemExit(wrong > 0 or len(squashes) != count * (count - 1) // 2)


if __name__ == "__main__":
    main()
