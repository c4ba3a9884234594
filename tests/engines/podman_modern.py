"""The newer Podman of the chroot, with storage of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.engines.daemon import find_chroot
from tests.engines.tools import Podman, podman_store

# As for the chroot's Docker: what is cached stays as it is, and paths are the same inside.
SCRIPT = """
work=$1 chroot=$2 root=$1/root
mkdir -p "$root" "$work/upper" "$work/overlay"
mount -t overlay overlay "$root" \
    -o "lowerdir=$chroot,upperdir=$work/upper,workdir=$work/overlay"
mkdir -p "$root$work"
mount --bind "$work" "$root$work"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
exec chroot "$root" docker-init -- podman system service --time 0 "unix://$work/podman.sock"
"""


@contextlib.contextmanager
def podman_modern_store() -> Iterator[Podman]:
    """Run the chroot's Podman (5 or later).

    Raises:
        EngineUnavailableError: it can't be run here.
    """
    with podman_store(SCRIPT, find_chroot()) as podman:
        yield podman
