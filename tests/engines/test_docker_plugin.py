"""`docker squash`, typed to real docker commands: Debian's 20.10, and that of the newer chroot."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.engines.daemon import DOCKER_CLI, Engine, EngineUnavailableError, find_chroot
from tests.engines.namespace import wait_until
from tests.support.demo import put_demo

pytestmark = pytest.mark.engine

LAMELLA = Path(sys.executable).with_name("lamella")
NOWHERE = "unix:///nowhere/docker.sock"
IMAGE = "lamella-demo:latest"
_PATH = 7

Docker = Callable[..., "subprocess.CompletedProcess[bytes]"]


def find_command(name: str) -> Path:
    """Find a docker command of that age."""
    if name == "20.10":
        return DOCKER_CLI
    try:
        return find_chroot() / "usr/bin/docker"  # needs nothing of the chroot but its own file
    except EngineUnavailableError as error:
        pytest.skip(f"newer docker command is not available: {error}")


@pytest.fixture(params=["20.10", "newer"])
def command(request: pytest.FixtureRequest) -> Path:
    """Each docker command."""
    return find_command(request.param)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The folder of docker's settings."""
    return tmp_path / "settings"


@pytest.fixture
def variables(tmp_path: Path, command: Path, config: Path) -> Mapping[str, str]:
    """What the shell of somebody has whose docker command is that one, and who has no engine."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").symlink_to(command)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "SOURCE_DATE"))}
    return {
        **kept,
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "DOCKER_CONFIG": str(config),
        "DOCKER_HOST": NOWHERE,
    }


@pytest.fixture
def docker(variables: Mapping[str, str]) -> Docker:
    """The docker command, with the plugin installed; `env` changes its environment."""

    def call(
        *args: str | Path,
        env: Mapping[str, str | None] | None = None,
        code: int = 0,
        stdin: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        wanted = {**variables, **(env or {})}
        done = subprocess.run(
            ["docker", *args],
            env={key: value for key, value in wanted.items() if value is not None},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stderr.decode()
        return done

    subprocess.run([LAMELLA, "plugin", "install"], env=variables, capture_output=True, check=True)
    return call


@pytest.fixture
def loaded(docker_classic: Engine, tmp_path: Path) -> Engine:
    """An engine with the demo's image of ten layers."""
    put_demo(tmp_path / "demo.tar")
    docker_classic.docker("load", input=(tmp_path / "demo.tar").read_bytes())
    return docker_classic


def layers_of(engine: Engine, image: str) -> int:
    """Count the layers of an image."""
    return len(json.loads(engine.docker("image", "inspect", image))[0]["RootFS"]["Layers"])


def test_docker_lists_the_plugin(docker: Docker) -> None:
    """In its help and in what it says of itself, without asking an engine."""
    assert "  squash*  " in docker("--help").stdout.decode()
    asked = docker("info", "--format", "{{json .ClientInfo.Plugins}}")
    (plugin,) = [one for one in json.loads(asked.stdout) if one["Name"] == "squash"]
    assert plugin["Vendor"] == "lamella"
    assert "Err" not in plugin


def test_lamella_knows_that_docker_lists_it(
    docker: Docker, variables: Mapping[str, str], config: Path, tmp_path: Path
) -> None:
    """`status` asks the docker command, also for what stands in the way."""

    def status() -> str:
        return subprocess.run(
            [LAMELLA, "plugin", "status"], env=variables, capture_output=True, check=True
        ).stdout.decode()

    plugin, command = config / "cli-plugins/docker-squash", tmp_path / "bin/docker"
    assert f"docker  {command} runs {plugin} as `docker squash`\n" in status()
    plugin.chmod(0o644)
    assert f"docker  {command} can't use {plugin}: " in status()
    plugin.unlink()
    assert f"docker  {command} has no command `docker squash`\n" in status()
    (config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(tmp_path)]}))
    other = tmp_path / "docker-squash"
    other.write_text('#!/bin/sh\necho \'{"SchemaVersion":"0.1.0","Vendor":"others"}\'\n')
    other.chmod(0o755)
    assert f"docker  {command} runs another file as `docker squash`: {other}\n" in status()


def test_help_under_its_name(docker: Docker) -> None:
    """However docker is asked for it."""
    for words in (["squash", "--help"], ["help", "squash"]):
        assert docker(*words).stdout.startswith(b"Usage: docker squash [OPTIONS] IMAGE")


@pytest.mark.parametrize("how", ["-H", "--host=", "--context", "--config", "DOCKER_HOST"])
def test_image_is_squashed_where_docker_says(
    docker: Docker, loaded: Engine, config: Path, how: str
) -> None:
    """Docker's own options and variables say which engine; all others lead nowhere."""
    tag = f"plugin{how.strip('-=').lower()}:1"
    words, env = _say_engine(docker, loaded.host, config, how)
    done = docker(*words, "squash", IMAGE, "--last", "3", "-t", tag, "--verify", env=env)
    found = json.loads(loaded.docker("image", "inspect", tag))[0]["Id"]
    assert done.stdout.decode() == f"{found}\n"
    assert layers_of(loaded, tag) == layers_of(loaded, IMAGE) - 2


def _say_engine(
    docker: Docker, host: str, config: Path, how: str
) -> tuple[list[str], Mapping[str, str | None]]:
    """Return words and variables that name an engine in one of the ways there are."""
    if how == "DOCKER_HOST":
        return [], {how: host}
    if how == "-H":
        return [how, host], {}
    if how == "--host=":
        return [how + host], {}
    docker("context", "create", "there", "--docker", f"host={host}")
    if how == "--context":
        return [how, "there"], {}
    docker("context", "use", "there", env={"DOCKER_HOST": None})
    return [how, str(config)], {"DOCKER_HOST": None, "DOCKER_CONFIG": "/nowhere"}


def test_through_pipes(docker: Docker, loaded: Engine) -> None:
    """Standard input and output are the plugin's own."""
    saved = docker("-H", loaded.host, "save", IMAGE).stdout
    squashed = docker("squash", "-", "--last", "3", "-t", "plugin-pipe:1", "-o", "-", stdin=saved)
    docker("-H", loaded.host, "load", stdin=squashed.stdout)
    assert layers_of(loaded, "plugin-pipe:1") == layers_of(loaded, IMAGE) - 2


def test_exit_codes_come_through(docker: Docker, loaded: Engine) -> None:
    """Wrong usage, an engine that is not there, nothing to squash."""
    assert b"See `docker squash --help`" in docker("squash", "--nosuch", code=2).stderr
    assert NOWHERE.encode() in docker("squash", IMAGE, code=5).stderr
    one = ("-H", loaded.host, "squash", IMAGE, "--last", "1", "--exit-code", "-t", "plugin-one:1")
    docker(*one, code=3)


@pytest.mark.parametrize("command", ["newer"], indirect=True)
def test_docker_completes_images(docker: Docker, loaded: Engine) -> None:
    """The docker command asks the plugin."""
    said = docker("__complete", "squash", "lamella-d", env={"DOCKER_HOST": loaded.host}).stdout
    assert IMAGE in said.decode().splitlines()


@pytest.mark.parametrize("command", ["newer"], indirect=True)
def test_plugin_ends_with_docker(docker: Docker, variables: Mapping[str, str]) -> None:
    """A signal that only the docker command gets ends both, without a trace."""
    process = subprocess.Popen(
        ["docker", "squash", "-", "-o", "-"],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        wait_until(lambda: _has_caller(process.pid), timeout=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert said == b"lamella: interrupted; nothing was left behind\n"


def _has_caller(docker: int) -> bool:
    """Whether a plugin has come to the socket of a docker command."""
    held = set()
    for link in Path(f"/proc/{docker}/fd").iterdir():
        with contextlib.suppress(OSError):
            held.add(str(link.readlink()))
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    # columns of proc(5): the state, which is 03 where both sides are there, the inode and the path
    return any(
        words[5] == "03" and f"socket:[{words[6]}]" in held and "@docker_cli_" in words[_PATH]
        for words in sockets
        if len(words) > _PATH
    )
