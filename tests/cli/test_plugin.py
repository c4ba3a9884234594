"""`lamella plugin`: the file that the docker command finds, and what it starts."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella import __version__
from lamella.cli.plugin import places
from lamella.cli.plugin.script import Script, make_script, parse_script
from tests.cli.conftest import Lamella
from tests.cli.running import Ran, environment, start
from tests.support.machine import slowness

NAME = "docker-squash"
METADATA = "docker-cli-plugin-metadata"
FOREIGN = "#!/bin/sh\necho mine\n"

Plugin = Callable[..., Ran]


@pytest.fixture
def config(work: Path) -> Path:
    """The folder of docker's settings; not there yet."""
    return work / "settings of docker"


@pytest.fixture
def plugin(lamella: Lamella, config: Path) -> Plugin:
    """Call `lamella plugin` with these settings, where there is no docker command."""

    def call(*args: str, env: dict[str, str] | None = None) -> Ran:
        settings = {"DOCKER_CONFIG": str(config), "PATH": str(config / "no programs")}
        return lamella("plugin", *args, env={**settings, **(env or {})})

    return call


@pytest.fixture
def installed(plugin: Plugin, config: Path) -> Path:
    """The plugin, as it was written."""
    path = config / "cli-plugins" / NAME
    assert plugin("install").worked().text == f"{path}\n"
    return path


def start_plugin(
    path: Path, *args: str, tmp: Path, before: tuple[str, ...] = (), **env: str
) -> Ran:
    """Start the plugin as the docker command does."""
    done = subprocess.run(
        [*before, path, *args],
        env=environment(tmp, env),
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def metadata(path: Path, tmp: Path) -> dict[str, object]:
    """Ask the plugin what it is."""
    document = json.loads(start_plugin(path, METADATA, tmp=tmp).worked().out)
    assert isinstance(document, dict)
    return document


def names(folder: Path) -> list[str]:
    """Name what is in a folder."""
    return [path.name for path in folder.iterdir()]


# --- What the file says and does ------------------------------------------------------------------


def test_plugin_says_what_it_is(installed: Path, tmp: Path) -> None:
    """In the words that the docker command expects; everybody may run it."""
    said = metadata(installed, tmp)
    assert said["SchemaVersion"] == "0.1.0"
    assert said["Vendor"] == "lamella"
    assert said["Version"] == __version__
    assert said["ShortDescription"]
    assert installed.stat().st_mode & 0o777 == 0o755


def test_plugin_says_it_without_python(installed: Path, tmp: Path) -> None:
    """The docker command asks each plugin whenever it shows its help."""
    installed.write_text(installed.read_text().replace(sys.executable, "/nowhere/python"))
    assert metadata(installed, tmp)["Version"] == __version__


def test_plugin_says_it_at_once(installed: Path, tmp: Path) -> None:
    """Within 60 ms, by the best of ten times, on a machine with nothing else to do."""

    def seconds() -> float:
        began = time.perf_counter()
        metadata(installed, tmp)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(10)) < 0.06 * max(1.0, slowness())


def test_plugin_starts_this_lamella(installed: Path, tmp: Path, work: Path, app: str) -> None:
    """Whatever is called lamella in the working folder; Docker's options come first."""
    (work / "lamella.py").write_text("print('not this')")
    before = ("env", "-C", str(work))
    done = start_plugin(
        installed,
        *("-D", "--config", str(work), "squash", app, "--last", "1", "-o", "-", "-q"),
        tmp=tmp,
        before=before,
    ).worked()
    assert b"manifest.json" in done.out


def test_plugin_whose_lamella_is_gone_says_so(installed: Path, tmp: Path) -> None:
    """One line that names the way out."""
    installed.write_text(installed.read_text().replace(sys.executable, "/nowhere/python"))
    done = start_plugin(installed, "squash", "app", tmp=tmp)
    assert (done.code, done.out) == (127, b"")
    assert done.err == (
        f"docker-squash: no /nowhere/python; run `lamella plugin install` again, "
        f"or remove {installed}\n"
    )


@pytest.mark.parametrize(
    "folder",
    ["plain", "a b", "it's", '"', "$HOME", "$(touch x)", "`touch x`", "\\", "é\n", "\udcff"],
)
def test_any_path_of_python_is_quoted(tmp_path: Path, folder: str) -> None:
    """A shell takes it as it is, and it can be read back."""
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    plugin = tmp_path / "plugin"
    script = Script(os.fspath(python), {"Vendor": f"it's {folder!r}"})
    plugin.write_bytes(make_script(script))
    plugin.chmod(0o755)
    words = ["squash", "an image", "", "$x"]
    done = subprocess.run([plugin, *words], capture_output=True, check=True, cwd=tmp_path)
    expected = ["-P", "-m", "lamella", "docker-cli-plugin", *words]
    assert done.stdout.decode().split("\n")[:-1] == expected
    said = subprocess.run([plugin, METADATA], capture_output=True, check=True)
    assert json.loads(said.stdout) == script.metadata
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder, "plugin"])


@given(python=st.text(min_size=1), vendor=st.text())
def test_what_is_written_is_read_back(python: str, vendor: str) -> None:
    """As long as a path does not look like the script itself."""
    if "\nif [" not in python and "\0" not in python and not _is_torn(python):
        script = Script(python, {"Vendor": vendor})
        assert parse_script(make_script(script)) == script


def _is_torn(path: str) -> bool:
    try:
        return os.fsdecode(os.fsencode(path)) != path
    except UnicodeEncodeError:
        return True


@pytest.mark.parametrize("data", [b"", FOREIGN.encode(), b"\x7fELF\x00\xff", b"metadata=\npython="])
def test_another_file_is_not_ours(data: bytes) -> None:
    """Nor is one of ours that was cut."""
    assert parse_script(data) is None
    assert parse_script(make_script(Script("/python", {}))[:80] + data) is None


# --- install --------------------------------------------------------------------------------------


def test_install_again_renews_the_file(installed: Path, plugin: Plugin, tmp: Path) -> None:
    """An older one of lamella's is replaced, also where another lamella wrote it."""
    installed.write_bytes(make_script(Script("/other/python", {"Version": "0.0.1"})))
    plugin("install").worked()
    assert metadata(installed, tmp)["Version"] == __version__
    assert shlex.quote(sys.executable) in installed.read_text()


def test_install_lets_everybody_run_it(plugin: Plugin, config: Path) -> None:
    """Whatever the umask is."""
    before = os.umask(0o077)
    try:
        plugin("install").worked()
    finally:
        os.umask(before)
    assert (config / "cli-plugins" / NAME).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["file", "symlink", "dangling", "pipe"])
def test_install_replaces_nothing_of_others(
    plugin: Plugin, config: Path, work: Path, tmp: Path, kind: str
) -> None:
    """Unless it is told to; what a symlink leads to stays as it is then, too."""
    path, other = config / "cli-plugins" / NAME, work / "other"
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.write_text(FOREIGN)
    else:
        path.symlink_to(other)
        if kind == "symlink":
            other.write_text(FOREIGN)
    before = _what(path)
    plugin("install").failed(1, f"{path} was not written by lamella", "--force replaces it")
    plugin("remove").failed(1, f"{path} was not written by lamella", "left as it is")
    assert _what(path) == before
    assert "another program's file" in plugin("status").worked().text
    plugin("install", "--force").worked()
    assert metadata(path, tmp)["Vendor"] == "lamella"
    assert not path.is_symlink()
    assert not other.exists() or other.read_text() == FOREIGN
    assert names(path.parent) == [NAME]


def _what(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_mtime_ns, found.st_size


def test_install_for_all_users(
    plugin: Plugin, config: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of the system, and nowhere else."""
    monkeypatch.setattr(places, "_SYSTEM", str(work / "system"))
    plugin("install", "--system").worked()
    assert names(work / "system") == [NAME]
    assert not config.exists()
    assert f"{work}/system/{NAME}" in plugin("status").worked().text
    plugin("remove").worked()
    assert names(work / "system") == [NAME]
    plugin("remove", "--system").worked()
    assert names(work / "system") == []


def test_install_where_nothing_can_be_written(plugin: Plugin, config: Path) -> None:
    """One line that says where."""
    config.write_text("a file")
    plugin("install").failed(1, f"can't write {config}/cli-plugins/{NAME}")


def test_install_without_a_home(plugin: Plugin) -> None:
    """There is no folder to write to; one line says what to set."""
    plugin("install", env={"HOME": "", "DOCKER_CONFIG": ""}).failed(2, "HOME", "--system")


def test_home_has_the_settings(plugin: Plugin, work: Path) -> None:
    """As the docker command has it: .docker, unless DOCKER_CONFIG says otherwise."""
    plugin("install", env={"HOME": str(work), "DOCKER_CONFIG": ""}).worked()
    assert (work / ".docker/cli-plugins" / NAME).exists()


# --- remove and status ----------------------------------------------------------------------------


def test_remove_takes_it_away(installed: Path, plugin: Plugin) -> None:
    """Once; a second time there is nothing to do."""
    assert plugin("remove").worked().err == f"removed {installed}\n"
    assert not installed.exists()
    assert plugin("remove").worked().err == f"there is no {installed}\n"


def test_status_without_a_plugin(plugin: Plugin, config: Path) -> None:
    """It says what would be written, and that there is no docker command."""
    said = plugin("status").worked().text
    assert f"none; `lamella plugin install` writes {config}/cli-plugins/{NAME}\n" in said
    assert "docker  there is no docker command on PATH\n" in said


@pytest.mark.parametrize(
    ("python", "version", "words"),
    [
        (sys.executable, __version__, f"this lamella, {__version__}"),
        (sys.executable, "0.0.1", "this lamella, shown as 0.0.1 by docker; `lamella plugin"),
        ("/bin/sh", "0.0.1", "/bin/sh -m lamella: another lamella than this, 0.0.1"),
        ("/nowhere/python", "0.0.1", "nothing: /nowhere/python is gone; `lamella plugin"),
    ],
)
def test_status_tells_which_lamella_is_started(
    installed: Path, plugin: Plugin, python: str, version: str, words: str
) -> None:
    """This one, another one, one of another version, or none."""
    installed.write_bytes(make_script(Script(python, {"Version": version})))
    said = plugin("status").worked().text
    assert said.startswith(f"file    {installed}\nstarts  ")
    assert words in said


# --- docker squash --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["squash", "--help"],
        ["squash", "-h"],
        ["help", "squash"],
        ["--help", "squash"],
        ["--context", "x", "squash", "--help"],
    ],
)
def test_help_has_the_name_that_was_typed(
    installed: Path, lamella: Lamella, tmp: Path, words: list[str]
) -> None:
    """In the line of usage, and in the examples."""
    said = start_plugin(installed, *words, tmp=tmp).worked().text
    assert said.startswith("Usage: docker squash [OPTIONS] IMAGE [LAYER] [TAG]\n")
    assert "  docker squash app:latest debian:12 app:slim\n" in said
    assert "lamella squash" not in said
    assert "Usage: lamella squash" in lamella("squash", "--help").worked().text


def test_usage_names_docker_squash(installed: Path, tmp: Path) -> None:
    """What was wrong, and where there is more."""
    done = start_plugin(installed, "squash", "app", "--nosuch", tmp=tmp)
    done.failed(2, "--nosuch", "ee `docker squash --help`")
    done = start_plugin(installed, "squash", "app", "-f", "3", tmp=tmp)
    done.failed(2, "no option -f; docker-squash's -f LAYER is --from LAYER here")
    start_plugin(installed, "nosuch", tmp=tmp).failed(2, "expected `docker squash`, got nosuch")
    start_plugin(installed, "--nosuch", "squash", tmp=tmp).failed(2, "no option --nosuch")


def test_debug_shows_where_an_error_came_from(installed: Path, tmp: Path) -> None:
    """Docker's -D is -vv here; without it an error is one line."""
    args = ("squash", "docker-archive:/nowhere.tar", "-o", "docker-archive:x")
    start_plugin(installed, *args, tmp=tmp).failed(7)
    done = start_plugin(installed, "-D", *args, tmp=tmp)
    assert done.code == 7
    assert "Traceback" in done.err


def test_plugin_ends_when_docker_does(installed: Path, tmp: Path) -> None:
    """The docker command closes a socket when it is asked to end; nothing is left behind."""
    address = f"lamella-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{address}")
        listening.listen()
        listening.settimeout(60)
        process = start(
            *("docker-cli-plugin", "squash", "-", "-o", "-"),
            tmp=tmp,
            env={"DOCKER_CLI_PLUGIN_SOCKET": f"@{address}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        with process:
            line, _ = listening.accept()
            line.close()
            assert process.wait(60) == 130
            assert process.stderr is not None
            assert process.stderr.read() == b"lamella: interrupted; nothing was left behind\n"
    assert list(tmp.iterdir()) == []


def test_a_socket_that_nobody_has_is_no_trouble(lamella: Lamella, app: str) -> None:
    """It is a courtesy of newer docker commands."""
    args = ("docker-cli-plugin", "squash", app, "-o", "-", "--dry-run")
    lamella(*args, env={"DOCKER_CLI_PLUGIN_SOCKET": "/nowhere"}).worked()


@pytest.mark.parametrize("how", ["__complete", "__completeNoDesc"])
def test_completion_in_the_words_of_docker(
    lamella: Lamella, work: Path, app: str, how: str
) -> None:
    """Words, with what they mean after a tab, and a number that says what to do with them."""
    said = lamella("docker-cli-plugin", how, "squash", "--max-layers").worked().text
    option, end = said.splitlines()
    assert option.split("\t")[0] == "--max-layers"
    assert ("\t" in option) is (how == "__complete")
    assert end == ":4"
    said = lamella("docker-cli-plugin", how, "squash", f"docker-archive:{work}/").worked().text
    assert said.splitlines() == [app, ":4"]
    said = lamella("docker-cli-plugin", how, "squash", app, "--history", "").worked().text
    assert said.splitlines() == ["merge", "keep", "drop", ":4"]
