"""Podman as a plain user runs it: storage of the user's own, IDs mapped by a user namespace.

The user is made up: names and ranges of IDs are bound over /etc in a mount namespace, so that
nothing of the machine changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines import walk
from tests.engines.daemon import EngineUnavailableError, wait_for_engine
from tests.engines.namespace import Namespace
from tests.engines.process import DEFAULT_TIMEOUT, CommandError, run
from tests.engines.rootfs import Node, nodes_of
from tests.engines.tools import CONTAINERS_CONF, STORAGE_CONF, Tool

USER = 54321
SUBORDINATE = "lamella:1000000:65536\n"
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nlamella:x:{user}:{user}::{work}/home:/bin/sh\n",
    "group": "root:x:0:\nlamella:x:{user}:\n",
    "subuid": SUBORDINATE,
    "subgid": SUBORDINATE,
}

# What the user has to see may lie in a folder that others may not enter (Python in root's home):
# there the folder is covered by an empty one, with only this in it.
SCRIPT = """
work=$1 closed=$2
shift 2
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
for name in passwd group subuid subgid; do
    mount --bind "$work/etc/$name" "/etc/$name"
done
if [ -n "$closed" ]; then
    n=0
    for folder in "$@"; do
        n=$((n + 1))
        mkdir "$work/shown$n"
        mount --bind "$folder" "$work/shown$n"
    done
    mount -t tmpfs -o mode=755 tmpfs "$closed"
    n=0
    for folder in "$@"; do
        n=$((n + 1))
        mkdir -p "$folder"
        mount --bind "$work/shown$n" "$folder"
    done
fi
exec docker-init -- setpriv --reuid "$LAMELLA_USER" --regid "$LAMELLA_USER" --clear-groups \
    podman system service --time 0 "unix://$XDG_RUNTIME_DIR/podman/podman.sock"
"""


@dataclass(frozen=True)
class RootlessPodman:
    """Podman of a plain user, with its service running where a user's service listens."""

    work: Path
    namespace: Namespace

    @property
    def runtime(self) -> Path:
        """What XDG_RUNTIME_DIR is for the user."""
        return self.work / "run"

    def __call__(self, *args: str | Path, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Run `podman ARGS` as the user.

        Raises:
            CommandError: it failed; the message has its stderr.
        """
        return self.inside("podman", *args, timeout=timeout)

    def inside(
        self,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> str:
        """Run a command as the user; `env` is added to the user's environment."""
        user = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups")
        words = self.namespace.enter([*user, *command])
        return run(words, env={**_environment(self.work), **(env or {})}, timeout=timeout)

    def export_rootfs(self, image: str) -> dict[str, Node]:
        """Read the file system of `image` as the user's containers see it."""
        script = 'exec "$1" -B "$2" "$(podman image mount "$3")"'
        command = ("podman", "unshare", "sh", "-euc", script, "walk", sys.executable, walk.__file__)
        try:
            return nodes_of(json.loads(self.inside(*command, image)))
        finally:
            self("unshare", "podman", "image", "unmount", image)


@contextlib.contextmanager
def rootless_podman() -> Iterator[RootlessPodman]:
    """Run this machine's Podman as a plain user.

    Raises:
        EngineUnavailableError: it can't be run here.
    """
    _check_machine()
    with tempfile.TemporaryDirectory(prefix="lamella-rootless-") as folder:
        work = Path(folder)
        _write_files(work)
        shown = _shown()
        closed = next((str(path) for path in map(_closed_parent, shown) if path), "")
        hidden = [path for path in shown if closed and path.is_relative_to(closed)]
        log = work / "podman.log"
        namespace = Namespace.start(SCRIPT, work, closed, *hidden, log=log, env=_environment(work))
        try:
            wait_for_engine(work / "run/podman/podman.sock", namespace)
            podman = RootlessPodman(work, namespace)
            _check_user(podman)
            yield podman
            with contextlib.suppress(CommandError):
                podman("rm", "--all", "--force", "--time", "0")
        finally:
            namespace.stop()


def _check_machine() -> None:
    if os.geteuid():
        raise EngineUnavailableError("has to be started as root, to become another user")
    for program in ("podman", "newuidmap", "docker-init", "unshare", "setpriv", "nsenter"):
        Tool.find(program)
    limit = Path("/proc/sys/user/max_user_namespaces")
    if limit.exists() and not int(limit.read_text()):
        raise EngineUnavailableError("the kernel allows no user namespaces here")
    if missing := [name for name in ETC if not Path("/etc", name).exists()]:
        raise EngineUnavailableError(f"no /etc/{missing[0]}: run tests/engines/install.sh")


def _check_user(podman: RootlessPodman) -> None:
    try:
        rootless = podman("info", "--format", "{{.Host.Security.Rootless}}").strip()
        podman.inside(sys.executable, "-c", "import lamella")
    except CommandError as error:
        raise EngineUnavailableError(f"a plain user can't run it: {error}") from error
    if rootless != "true":
        raise EngineUnavailableError("Podman does not call itself rootless")


def _write_files(work: Path) -> None:
    work.chmod(0o755)
    (work / "storage.conf").write_text(STORAGE_CONF.format(work=work / "home"))
    (work / "containers.conf").write_text(CONTAINERS_CONF.format(work=work / "home"))
    (work / "etc").mkdir()
    for name, text in ETC.items():
        (work / "etc" / name).write_text(text.format(user=USER, work=work))
    for name in ("home", "run", "run/podman", "tmp"):
        (work / name).mkdir(mode=0o700)
        os.chown(work / name, USER, USER)


def _shown() -> Sequence[Path]:
    """Folders that lamella is run from."""
    repository = Path(__file__).resolve().parents[2]
    return tuple(dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), repository)))


def _closed_parent(path: Path) -> Path | None:
    """Find the folder above that a plain user may not enter."""
    above = [*reversed(path.resolve().parents), path.resolve()]
    return next((folder for folder in above if not folder.stat().st_mode & 0o001), None)


def _environment(work: Path) -> dict[str, str]:
    return {
        "HOME": os.fspath(work / "home"),
        "TMPDIR": os.fspath(work / "tmp"),
        "XDG_RUNTIME_DIR": os.fspath(work / "run"),
        "CONTAINERS_STORAGE_CONF": os.fspath(work / "storage.conf"),
        "CONTAINERS_CONF": os.fspath(work / "containers.conf"),
        "LAMELLA_USER": str(USER),
    }
