#!/usr/bin/env python3
"""Count false alarms: what is taken for a secret in a Debian with Python and Node; prints JSON.

    .venv/bin/python bench/alarms.py                     as root: debootstrap makes one
    .venv/bin/python bench/alarms.py --root /srv/debian  what is there already

Nothing of a distribution is a secret, so every line is one alarm too many.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lamella.analysis.secrets.find import secrets_in
from lamella.layer.blob import FileRange
from lamella.merge.changeset import read_changeset

_PACKAGES = "python3,python3-pip,python3-venv,nodejs,npm"
_LEFT_OUT = ("./proc", "./sys", "./dev", "./debootstrap", "./var/cache/apt/archives")


def unpacked(folder: Path, suite: str, mirror: str) -> Path:
    """Return a file system with the packages, unpacked; they need not be able to run."""
    root = folder / "root"
    command = ["debootstrap", "--variant=minbase", "--foreign", f"--include={_PACKAGES}"]
    subprocess.run([*command, suite, str(root), *([mirror] if mirror else [])], check=True)
    for package in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return root


def looked_at(root: Path, folder: Path) -> dict[str, object]:
    """Look through all files."""
    target = folder / "root.tar"
    left_out = [f"--exclude={path}" for path in _LEFT_OUT]
    subprocess.run(["tar", "-C", str(root), *left_out, "-cf", str(target), "."], check=True)
    with target.open("rb") as file:
        tar = FileRange.whole(file)
        changeset = read_changeset(tar, 0)
        begin = time.monotonic()
        found = [
            (one.member.path.decode(errors="replace"), one.what, one.shown)
            for one in secrets_in(changeset.entries, tar)
        ]
        seconds = time.monotonic() - begin
    entries = len(changeset.entries)
    return {
        "entries": entries,
        "bytes": tar.size,
        "seconds": round(seconds, 2),
        "alarms": found,
    }


def main() -> None:
    """Look, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="a file system that is there already")
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--mirror", default="", help="default: debootstrap's own")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.root or unpacked(Path(folder), given.suite, given.mirror)
        print(json.dumps(looked_at(root, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
