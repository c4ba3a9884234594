"""Docker daemons started by hand, each in a folder and in namespaces of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.engines.namespace import Namespace, wait_until
from tests.engines.process import DEFAULT_TIMEOUT, CommandError, run, run_bytes

START_TIMEOUT = 180.0

# Debian 12's client: it has the builder that needs no buildx, and speaks to newer engines too.
DOCKER_CLI = Path("/usr/bin/docker")

CLASSIC_SCRIPT = """
work=$1
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
exec docker-init -- dockerd --config-file "$work/daemon.json"
"""

# The chroot is seen through an overlay, so nothing is ever written to the cached one. The work
# folder has the same path inside as outside: what the engine says of its data root is true for all.
CHROOT_SCRIPT = """
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
exec chroot "$root" docker-init -- dockerd --config-file "$work/daemon.json"
"""


_STARTS = 5
_GAVE_UP = "timeout waiting for containerd to start"


class EngineUnavailableError(Exception):
    """An engine could not be started; the message says why and what would help."""


@dataclass(frozen=True)
class Engine:
    """A running Docker daemon."""

    name: str
    work: Path
    namespace: Namespace
    containerd_store: bool

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.work / "docker.sock"

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.socket}"

    @property
    def data_root(self) -> Path:
        """Where it keeps its images."""
        return self.work / "data"

    @property
    def environment(self) -> dict[str, str]:
        """What points a Docker client at this daemon, and away from the user's own settings."""
        return {
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": os.fspath(self.work / "client"),
            "DOCKER_BUILDKIT": "0",
        }

    def docker(
        self,
        *args: str | Path,
        input: bytes | None = None,  # noqa: A002 - as subprocess calls it
        timeout: float = DEFAULT_TIMEOUT,
    ) -> str:
        """Run the docker command against this daemon and give back its stdout.

        Raises:
            CommandError: it failed; the message has its stderr.
        """
        return self.docker_bytes(*args, input=input, timeout=timeout).decode()

    def docker_bytes(
        self,
        *args: str | Path,
        input: bytes | None = None,  # noqa: A002 - as subprocess calls it
        timeout: float = DEFAULT_TIMEOUT,
    ) -> bytes:
        """Do what `docker` does, for a command that writes bytes: `save`, `export`."""
        command = [DOCKER_CLI, *args]
        return run_bytes(command, stdin=input, env=self.environment, timeout=timeout)

    def api(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask the daemon directly: status and body of the answer."""
        return _ask(self.socket, method, path, body, headers)

    def inspect(self, image: str) -> dict[str, object]:
        """Give what `GET /images/NAME/json` says.

        Raises:
            LookupError: the daemon has no such image.
        """
        status, body = self.api("GET", f"/images/{image}/json")
        if status != http.HTTPStatus.OK:
            raise LookupError(f"{self.name}: {image}: {body.decode(errors='replace').strip()}")
        answer: dict[str, object] = json.loads(body)
        return answer

    def inside(self, *command: str | Path, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Run a command beside the daemon, where its mounts are: in the chroot, if it has one."""
        return run(self.namespace.enter(command), timeout=timeout)


@contextlib.contextmanager
def docker_classic_daemon() -> Iterator[Engine]:
    """Run this machine's own Docker (Debian 12: 20.10) with its classic image store.

    Raises:
        EngineUnavailableError: it can't be started here.
    """
    with _daemon("docker-classic", CLASSIC_SCRIPT, [], {"storage-driver": "overlay2"}) as engine:
        yield engine


@contextlib.contextmanager
def docker_modern_daemon() -> Iterator[Engine]:
    """Run the chroot's Docker (25 or later) with its classic image store.

    Raises:
        EngineUnavailableError: it can't be started here.
    """
    config = {"storage-driver": "overlay2", "features": {"containerd-snapshotter": False}}
    with _daemon("docker-modern", CHROOT_SCRIPT, [find_chroot()], config) as engine:
        yield engine


@contextlib.contextmanager
def docker_containerd_daemon() -> Iterator[Engine]:
    """Run the chroot's Docker (25 or later) with the containerd image store.

    Raises:
        EngineUnavailableError: it can't be started here.
    """
    config = {"features": {"containerd-snapshotter": True}}
    with _daemon("docker-containerd", CHROOT_SCRIPT, [find_chroot()], config) as engine:
        yield engine


def find_chroot() -> Path:
    """Find the newer Debian that install.sh made.

    Raises:
        EngineUnavailableError: there is none.
    """
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = os.environ.get("LAMELLA_TEST_CACHE") or Path(user_cache) / "lamella-test"
    chroot = Path(cache) / "modern"
    if not (chroot / "etc/lamella-test-recipe").exists():
        raise EngineUnavailableError(f"no chroot in {chroot}: run tests/engines/install.sh")
    return chroot


@contextlib.contextmanager
def _daemon(
    name: str, script: str, arguments: list[Path], config: Mapping[str, object]
) -> Iterator[Engine]:
    _check_machine()
    with tempfile.TemporaryDirectory(prefix=f"lamella-{name}-") as folder:
        work = Path(folder)
        _write_config(work, config)
        namespace = _started(script, work, arguments)
        try:
            engine = Engine(name, work, namespace, "storage-driver" not in config)
            yield engine
            _remove_containers(engine)
        finally:
            namespace.stop()


def _started(script: str, work: Path, arguments: list[Path]) -> Namespace:
    """Start a daemon. It gives up if its containerd takes 15 s, as it may on a busy machine."""
    for further in reversed(range(_STARTS)):
        namespace = Namespace.start(script, work, *arguments, log=work / "dockerd.log")
        try:
            wait_for_engine(work / "docker.sock", namespace)
        except BaseException as error:
            namespace.stop()
            if not further or _GAVE_UP not in str(error):
                raise
        else:
            return namespace
        (work / "docker.pid").unlink(missing_ok=True)
        shutil.rmtree(work / "exec", ignore_errors=True)
    raise AssertionError("unreachable")


def _check_machine() -> None:
    if os.geteuid():
        raise EngineUnavailableError("has to be started as root")
    for program in ("dockerd", "docker-init", "unshare", "setpriv", "nsenter", DOCKER_CLI):
        if shutil.which(program) is None:
            raise EngineUnavailableError(f"no {program}: run tests/engines/install.sh")


def _write_config(work: Path, config: Mapping[str, object]) -> None:
    settings = {
        "hosts": [f"unix://{work}/docker.sock"],
        "data-root": f"{work}/data",
        "exec-root": f"{work}/exec",
        "pidfile": f"{work}/docker.pid",
        # Containers of the tests have no network: no bridge, no change to the machine's firewall.
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        **config,
    }
    (work / "daemon.json").write_text(json.dumps(settings))
    (work / "client").mkdir()


def wait_for_engine(path: Path, namespace: Namespace) -> None:
    """Wait until the engine in `namespace` answers on its socket.

    Raises:
        EngineUnavailableError: it ended, or did not answer in time.
    """

    def answered() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return _ask(path, "GET", "/_ping")[0] == http.HTTPStatus.OK
        return False

    wait_until(lambda: answered() or not namespace.is_running(), timeout=START_TIMEOUT)
    if not answered():
        state = "did not answer in time" if namespace.is_running() else "ended at once"
        raise EngineUnavailableError(f"it {state}; its last words:\n{namespace.tail()}")


def _remove_containers(engine: Engine) -> None:
    """Remove them in good order, so that their control groups go too."""
    with contextlib.suppress(CommandError):
        if containers := engine.docker("ps", "--all", "--quiet").split():
            engine.docker("rm", "--force", *containers)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEFAULT_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _ask(
    path: Path,
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    with contextlib.closing(_UnixConnection(path)) as connection:
        connection.request(method, url, body, dict(headers or {}))
        with connection.getresponse() as response:
            return response.status, response.read()
