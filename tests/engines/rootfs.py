"""The file system of an image as its engine's containers see it, read from a real mount.

`docker export` and `docker cp` lose what is at stake here (extended attributes, fractions of
seconds). So the layers are mounted as the engine would mount them, read-only, from its own folders.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.engines import walk
from tests.engines.daemon import Engine
from tests.engines.process import CommandError, run
from tests.engines.tools import Podman

# The empty folder goes to the bottom: the kernel refuses an overlay of a single folder.
MOUNT_SCRIPT = """
export LIBMOUNT_FORCE_MOUNT2=always  # the new mount calls take no more than 256 bytes of options
cd "$1"
mount -t overlay overlay -o "ro,lowerdir=$2:$3/empty" "$3/merged"
cd /
exec "$4" -B "$5" "$3/merged"
"""

SNAPSHOTS = re.compile(r"/snapshots/([0-9]+)/fs")


@dataclass(frozen=True)
class Node:
    """All that an image says about one path; `mtime` is in nanoseconds."""

    type: str
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    sha256: str | None
    target: str | None
    device: tuple[int, int] | None
    xattrs: tuple[tuple[str, str], ...]
    links: tuple[str, ...]


def export_rootfs(engine: Engine | Podman, image: str) -> dict[str, Node]:
    """Read the file system of `image`: path to attributes, the root folder being `/`.

    Names that are no UTF-8 are decoded as the `os` module does it. `links` has all names of a file
    that has more than one; `xattrs` are hexadecimal. The root folder has mtime 0: few layers say
    one, and for the others each engine takes the time at which it unpacked the layer.
    """
    folder, layers = _layer_folders(engine, image)
    with tempfile.TemporaryDirectory(prefix="lamella-rootfs-") as work:
        for name in ("empty", "merged"):
            (Path(work) / name).mkdir()
        lower = ":".join(layers)
        unshare = ("unshare", "--mount", "--propagation", "private", "sh", "-euc", MOUNT_SCRIPT)
        listing = run([*unshare, "mount", folder, lower, work, sys.executable, walk.__file__])
    return nodes_of(json.loads(listing))


def _layer_folders(engine: Engine | Podman, image: str) -> tuple[Path, list[str]]:
    """Give the folder that holds all layers, and below it those of the image, topmost first."""
    if isinstance(engine, Engine) and engine.containerd_store:
        return _snapshot_folders(engine, image)
    if isinstance(engine, Engine):
        driver = json.loads(engine.docker("image", "inspect", image))[0]["GraphDriver"]
        overlay = engine.data_root / "overlay2"
    else:
        driver = json.loads(engine("image", "inspect", image))[0]["GraphDriver"]
        overlay = engine.data_root / "overlay"
    lower = driver["Data"].get("LowerDir", "")
    folders = [driver["Data"]["UpperDir"], *filter(None, lower.split(":"))]
    # Each layer has a short name too: a mount takes no more than 4096 bytes of options.
    return overlay, [f"l/{(Path(path).parent / 'link').read_text()}" for path in folders]


def _snapshot_folders(engine: Engine, image: str) -> tuple[Path, list[str]]:
    chain = top_chain_id(engine, image)
    script = f"""
        {snapshots_command(engine)} view "$1" "$2" &&
        {snapshots_command(engine)} mounts /mnt "$1" && {snapshots_command(engine)} rm "$1"
    """
    for attempts_left in (2, 1, 0):
        try:
            mount = engine.inside("sh", "-c", script, "view", f"rootfs-{uuid.uuid4().hex}", chain)
            break
        except CommandError:
            # After a removal containerd's garbage collector may take our view with it.
            if not attempts_left:
                raise
    overlayfs = engine.data_root / "containerd/daemon/io.containerd.snapshotter.v1.overlayfs"
    return overlayfs / "snapshots", [f"{number}/fs" for number in SNAPSHOTS.findall(mount)]


def snapshots_command(engine: Engine) -> str:
    """Give the shell words that ask the engine's containerd about its snapshots."""
    address = engine.work / "exec/containerd/containerd.sock"
    return f"ctr --namespace moby --address {address} snapshots --snapshotter overlayfs"


def top_chain_id(engine: Engine, image: str) -> str:
    """Name the stack of all layers of `image`."""
    return chain_id(_diff_ids(engine, image))


def _diff_ids(engine: Engine, image: str) -> list[str]:
    rootfs = engine.inspect(image)["RootFS"]
    assert isinstance(rootfs, dict)
    return list(rootfs["Layers"])


def chain_id(diff_ids: Sequence[str]) -> str:
    """Name the stack of layers, as the image specification does."""
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()
    return chain


def nodes_of(listing: dict[str, dict[str, Any]]) -> dict[str, Node]:
    """Make nodes of what `walk` lists."""
    names = defaultdict(list)
    for path, facts in listing.items():
        if facts["inode"] is not None:
            names[facts["inode"]].append(path)
    nodes = {path: _node(facts, names[facts["inode"]]) for path, facts in listing.items()}
    return {**nodes, "/": replace(nodes["/"], mtime=0)}


def _node(facts: dict[str, Any], names: list[str]) -> Node:
    return Node(
        **{name: value for name, value in facts.items() if name not in _NOT_PLAIN},
        device=tuple(facts["device"]) if facts["device"] else None,
        xattrs=tuple(sorted(facts["xattrs"].items())),
        links=tuple(sorted(names)) if len(names) > 1 else (),
    )


_NOT_PLAIN = {"device", "xattrs", "inode"}
