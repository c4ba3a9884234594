"""Podman, and the tools that read what we wrote: skopeo, umoci, and crane from the chroot."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.engines.daemon import EngineUnavailableError, find_chroot, wait_for_engine
from tests.engines.namespace import Namespace, unmount_below
from tests.engines.process import DEFAULT_TIMEOUT, CommandError, run

PODMAN_SCRIPT = """
work=$1
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
exec docker-init -- podman system service --time 0 "unix://$work/podman.sock"
"""

STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{work}/storage"
runroot = "{work}/run"
"""

# Neither systemd nor a journal is asked for: the machine may have none. runc, unlike crun, works
# with control groups of both versions at once; the limits are such that everybody may set them.
CONTAINERS_CONF = """\
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
tmp_dir = "{work}/tmp"
"""


@dataclass(frozen=True)
class Tool:
    """A command line tool: call it with arguments, get what it wrote to stdout."""

    path: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Tool:
        """Find a tool on this machine; `arguments` go before all others.

        Raises:
            EngineUnavailableError: it is not installed.
        """
        path = shutil.which(name)
        if path is None:
            raise EngineUnavailableError(f"no {name}: run tests/engines/install.sh")
        return cls(Path(path), arguments, environment or {})

    def __call__(
        self, *args: str | Path, stdin: bytes | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> str:
        """Run the tool.

        Raises:
            CommandError: it failed; the message has its stderr.
        """
        command = [self.path, *self.arguments, *args]
        return run(command, stdin=stdin, env=self.environment, timeout=timeout)


def find_skopeo(*, environment: dict[str, str] | None = None) -> Tool:
    """Find skopeo; it asks for no signatures."""
    return Tool.find("skopeo", "--insecure-policy", environment=environment)


def find_umoci() -> Tool:
    """Find umoci."""
    return Tool.find("umoci")


def find_crane() -> Tool:
    """Find crane, which only newer Debians have; it needs nothing else of the chroot.

    Raises:
        EngineUnavailableError: the chroot has none, or it does not run here.
    """
    return _of_chroot("crane")


def find_oras() -> Tool:
    """Find oras, as `find_crane`."""
    return _of_chroot("oras")


def find_cosign() -> Tool:
    """Find cosign, as `find_crane`; its keys have an empty password."""
    return _of_chroot("cosign", environment={"COSIGN_PASSWORD": ""})


def _of_chroot(name: str, *, environment: dict[str, str] | None = None) -> Tool:
    found = shutil.which(name)
    tool = Tool(Path(found or find_chroot() / "usr/bin" / name), environment=environment or {})
    try:
        tool("version")
    except (OSError, CommandError) as error:
        raise EngineUnavailableError(f"the chroot's {name} does not run: {error}") from error
    return tool


def find_go() -> Tool:
    """Find Go, to which a program of one file is enough; Debian's packages of Go are at hand.

    What it has built of its library is kept between runs.

    Raises:
        EngineUnavailableError: it is not installed.
    """
    cache = os.environ.get("GOCACHE") or str(Path(tempfile.gettempdir()) / "lamella-go-cache")
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0"}
    places = {"GOCACHE": cache, "GOPATH": "/usr/share/gocode"}
    return Tool.find("go", environment=settings | places)


def find_strace() -> Tool:
    """Find strace, which lets system calls fail.

    Raises:
        EngineUnavailableError: it is not installed.
    """
    return Tool.find("strace")


def find_sshd() -> Tool:
    """Find the ssh server.

    Raises:
        EngineUnavailableError: it is not installed.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which("sshd", path=path)
    return Tool(Path(found)) if found else Tool.find("sshd")


@dataclass(frozen=True)
class Podman:
    """Podman with storage of its own, and a service that speaks Docker's API."""

    work: Path
    namespace: Namespace

    @property
    def socket(self) -> Path:
        """Where the service listens."""
        return self.work / "podman.sock"

    @property
    def host(self) -> str:
        """What DOCKER_HOST or CONTAINER_HOST has to be."""
        return f"unix://{self.socket}"

    @property
    def data_root(self) -> Path:
        """The storage: overlay, overlay-layers, overlay-images."""
        return self.work / "storage"

    @property
    def environment(self) -> dict[str, str]:
        """What points podman, skopeo and their kin at this storage."""
        return _environment(self.work)

    @property
    def client(self) -> dict[str, str]:
        """What points a Docker client at the service, and away from the user's own settings."""
        return {"DOCKER_HOST": self.host, "DOCKER_CONFIG": os.fspath(self.work / "client")}

    def __call__(
        self, *args: str | Path, stdin: bytes | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> str:
        """Run `podman ARGS` on this storage.

        Raises:
            CommandError: it failed; the message has its stderr.
        """
        return self.inside("podman", *args, stdin=stdin, timeout=timeout)

    def inside(
        self, *command: str | Path, stdin: bytes | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> str:
        """Run a command where the storage's mounts are."""
        words = self.namespace.enter(command)
        return run(words, stdin=stdin, env=self.environment, timeout=timeout)


@contextlib.contextmanager
def podman_store(script: str = PODMAN_SCRIPT, *arguments: Path) -> Iterator[Podman]:
    """Run this machine's Podman, or the one that a script starts.

    Raises:
        EngineUnavailableError: it can't be run here.
    """
    if os.geteuid():
        raise EngineUnavailableError("has to be started as root")
    for program in ("podman", "docker-init", "unshare", "setpriv", "nsenter"):
        Tool.find(program)
    with tempfile.TemporaryDirectory(prefix="lamella-podman-") as folder:
        work = Path(folder)
        (work / "storage.conf").write_text(STORAGE_CONF.format(work=work))
        (work / "containers.conf").write_text(CONTAINERS_CONF.format(work=work))
        log = work / "podman.log"
        namespace = Namespace.start(script, work, *arguments, log=log, env=_environment(work))
        try:
            podman = Podman(work, namespace)
            wait_for_engine(podman.socket, namespace)
            yield podman
            with contextlib.suppress(CommandError):
                podman("rm", "--all", "--force", "--time", "0")
        finally:
            namespace.stop()
            unmount_below(work)


def _environment(work: Path) -> dict[str, str]:
    return {
        "CONTAINERS_STORAGE_CONF": os.fspath(work / "storage.conf"),
        "CONTAINERS_CONF": os.fspath(work / "containers.conf"),
    }
