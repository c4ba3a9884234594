"""Pytest fixtures: one real engine each, started at first use, stopped at the end of the run.

An engine that can't be had is never passed over in silence: its tests are skipped with the reason,
which the summary repeats; under CI they fail.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.engines.daemon import (
    Engine,
    EngineUnavailableError,
    docker_classic_daemon,
    docker_containerd_daemon,
    docker_modern_daemon,
)
from tests.engines.lamella_image import build_image
from tests.engines.rootless import RootlessPodman, rootless_podman
from tests.engines.tools import (
    Podman,
    Tool,
    find_cosign,
    find_crane,
    find_go,
    find_oras,
    find_skopeo,
    find_sshd,
    find_strace,
    find_umoci,
    podman_store,
)
from tests.support.shared import made_once

__all__ = [
    "cosign",
    "crane",
    "docker_classic",
    "docker_containerd",
    "docker_modern",
    "engine",
    "go",
    "lamella_image",
    "man",
    "mandoc",
    "oras",
    "podman",
    "podman_rootless",
    "pytest_terminal_summary",
    "skopeo",
    "sshd",
    "strace",
    "umoci",
]

T = TypeVar("T")

_UNAVAILABLE = " is not available: "  # what the reason of a skipped test has in it


@pytest.fixture(scope="session")
def docker_classic() -> Iterator[Engine]:
    """Docker 20.10 with its classic image store (overlay2)."""
    yield from started(docker_classic_daemon(), "docker-classic")


@pytest.fixture(scope="session")
def docker_modern() -> Iterator[Engine]:
    """Docker 25 or later with its classic image store (overlay2)."""
    yield from started(docker_modern_daemon(), "docker-modern")


@pytest.fixture(scope="session")
def docker_containerd() -> Iterator[Engine]:
    """Docker 25 or later with the containerd image store."""
    yield from started(docker_containerd_daemon(), "docker-containerd")


@pytest.fixture(params=["docker_classic", "docker_modern", "docker_containerd"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the three Docker engines in turn."""
    started = request.getfixturevalue(request.param)
    assert isinstance(started, Engine)
    return started


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Podman with storage of its own, and its Docker-compatible socket."""
    yield from started(podman_store(), "podman")


@pytest.fixture(scope="session")
def podman_rootless() -> Iterator[RootlessPodman]:
    """Podman of a plain user, with its service."""
    yield from started(rootless_podman(), "podman-rootless")


@pytest.fixture(scope="session")
def skopeo() -> Tool:
    """Call it as `skopeo("inspect", …)`."""
    return _attempt("skopeo", find_skopeo)


@pytest.fixture(scope="session")
def umoci() -> Tool:
    """Call it as `umoci("unpack", …)`."""
    return _attempt("umoci", find_umoci)


@pytest.fixture(scope="session")
def crane() -> Tool:
    """Call it as `crane("validate", …)`."""
    return _attempt("crane", find_crane)


@pytest.fixture(scope="session")
def oras() -> Tool:
    """Call it as `oras("discover", …)`."""
    return _attempt("oras", find_oras)


@pytest.fixture(scope="session")
def cosign() -> Tool:
    """Call it as `cosign("attest", …)`."""
    return _attempt("cosign", find_cosign)


@pytest.fixture(scope="session")
def go() -> Tool:
    """Call it as `go("build", …)`."""
    return _attempt("go", find_go)


@pytest.fixture(scope="session")
def sshd() -> Tool:
    """The ssh server; see `tests.engines.sshd`."""
    return _attempt("sshd", find_sshd)


@pytest.fixture(scope="session")
def strace() -> Tool:
    """Call it as `strace("-f", …)`."""
    return _attempt("strace", find_strace)


@pytest.fixture(scope="session")
def lamella_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both archives of lamella's own image."""
    return _attempt("lamella's image", lambda: made_once(tmp_path_factory, "image", build_image))


@pytest.fixture(scope="session")
def man() -> Tool:
    """Shows a page for `man` as users see it, by groff."""
    return _attempt("man", lambda: Tool.find("man"))


@pytest.fixture(scope="session")
def mandoc() -> Tool:
    """Shows one where there is no groff: macOS, Alpine, the BSDs."""
    return _attempt("mandoc", lambda: Tool.find("mandoc"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the engines that were not tested against, and why.

    What the reports tell is used: the tests may have run in other processes.
    """
    missing = {
        reason
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and _UNAVAILABLE in (reason := report.longrepr[2])
    }
    if not missing:
        return
    terminalreporter.section("engines NOT tested", red=True)
    for reason in sorted(missing):
        terminalreporter.line(reason.removeprefix("Skipped: "), red=True)


def started(starting: AbstractContextManager[T], name: str) -> Iterator[T]:
    """Hand out what `starting` starts, and end it after the last test."""
    with contextlib.ExitStack() as stack:
        yield _attempt(name, lambda: stack.enter_context(starting))


def _attempt(name: str, start: Callable[[], T]) -> T:
    try:
        return start()
    except EngineUnavailableError as error:
        reason = f"{name}{_UNAVAILABLE}{error}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
