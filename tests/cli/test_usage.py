"""What holds for every command: help, version, wrong options, how much is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lamella import __version__
from lamella.cli.failures import PARAMETERS, in_options
from lamella.cli.group import cli
from tests.cli.conftest import Lamella
from tests.cli.running import run
from tests.support.images import docker_archive
from tests.transport.forms import TARS

COMMANDS = (
    "analyze",
    "batch",
    "cache",
    "cat",
    "completion",
    "delta",
    "demo",
    "diff",
    "explore",
    "export",
    "help",
    "layers",
    "ls",
    "plan",
    "plugin",
    "rebase",
    "squash",
    "verify",
)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "-h"] for name in COMMANDS)])
def test_help_is_the_result(lamella: Lamella, arguments: list[str]) -> None:
    """It goes to stdout, exit 0, and fits a terminal."""
    ran = lamella(*arguments).worked()
    assert ran.text.startswith("Usage: lamella")
    assert max(map(len, ran.text.splitlines())) <= 100
    assert ran.err == ""


def test_help_names_every_command(lamella: Lamella) -> None:
    """In order, with a line for each."""
    text = lamella("--help").worked().text
    assert re.findall(r"^  (\w+)  +\S", text.partition("Commands:")[2], re.MULTILINE) == list(
        COMMANDS
    )


def test_version(lamella: Lamella) -> None:
    """Of every command the same."""
    assert lamella("--version").worked().text == f"lamella {__version__}\n"


def test_version_imports_no_more_than_it_needs(tmp: Path) -> None:
    """It answers at once: neither Docker's client nor Rich is loaded."""
    ran = run("--version", tmp=tmp, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "docker" not in ran.err
    assert "rich" not in ran.err
    assert "lamella.cli.main" in ran.err


def test_no_arguments_is_help_on_stderr(lamella: Lamella) -> None:
    """As every command group does; exit 2."""
    ran = lamella().worked(2)
    assert ran.out == b""
    assert ran.err.startswith("Usage: lamella")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["squish"], ["squish", "lamella --help"]),
        (["squash"], ["IMAGE", "lamella squash --help"]),
        (["squash", "a", "--unknown"], ["--unknown"]),
        (["squash", "a", "--histroy", "keep"], ["--histroy", "--history"]),
        (["squash", "a", "--history", "lose"], ["lose", "merge", "keep"]),
        (["squash", "a", "--last"], ["--last"]),
        (["squash", "a", "--last", "some"], ["--last", "some"]),
        (["squash", "a", "--last", "0"], ["--last 0"]),
        (["squash", "a", "--progress", "loud"], ["loud", "auto"]),
        (["squash", "a", "--compression", "brotli"], ["brotli", "zstd"]),
        (["squash", "a", "--compression", "gzip:10"], ["gzip", "1 to 9"]),
        (["squash", "a", "--platform", "amd65"], ["amd65", "OS/ARCH"]),
        (["squash", "a", "b", "--from", "c"], ["--from"]),
        (["squash", "a", "b", "--last", "1"], ["exclude"]),
        (["squash", "a", "--layers", "1-2", "--last", "1"], ["exclude"]),
        (["squash", "-", "--json"], ["--json", "-o FILE"]),
        (["squash", "a", "-t", "Not-Lower"], ["Not-Lower", "not-lower"]),
        (["squash", "a", "#1", "a:b:c"], ["a:b:c"]),
        (["squash", "a", "-t", ""], ["empty"]),
        (["squash", "a", "-t", "a@sha256:" + "0" * 64], ["digest"]),
        (["squash", ""], ["empty"]),
        (["squash", "a", "-o", ""], ["empty"]),
        (["squash", "a", "-o", "oci:-"], ["folder", "oci-archive:-"]),
        (["squash", "a", "-o", "docker-archive:"], ["docker-archive:FILE"]),
        (["squash", "a", "-o", "./new"], ["docker-archive:./new", "oci-archive:./new"]),
        (["squash", "a", "-o", "new.tar.xz"], ["new.tar.xz", ".tar.gz"]),
        (["squash", "a", "-o", "dir:x"], ["'dir:'", "docker-archive:"]),
        (["squash", "a", "-f", "3"], ["--from", "--last"]),
        (["sqaush", "a"], ["did you mean 'squash'?"]),
        (["squash", "a", "-o", "docker-archive:x.tar:Not-Lower"], ["Not-Lower"]),
        (["squash", "docker-daemon:"], ["docker-daemon:NAME"]),
        (["layers"], ["IMAGE"]),
        (["verify", "a"], ["B"]),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    lamella: Lamella, arguments: list[str], words: list[str]
) -> None:
    """It names what is wrong and, where there is one, the way out; nothing is read for it."""
    lamella(*arguments, stdin=b"is not looked at").failed(2, *words)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["docker://127.0.0.1:1/app:1"],
            5,
            "lamella: can't reach it: Connection refused; does a registry",
        ),
        (["docker://127.0.0.1:1/App"], 2, "invalid image name"),
        (["docker://127.0.0.1:1/a", "--authfile", "no.json", "--insecure"], 5, "registry"),
        (["docker://127.0.0.1:1/a", "--ca", "no.pem"], 2, "--ca no.pem"),
        (["docker://127.0.0.1:1/a", "--tls-verify", "perhaps"], 2, "--tls-verify"),
    ],
)
def test_registries_say_what_is_wrong(
    lamella: Lamella, arguments: list[str], code: int, words: str
) -> None:
    """As a source and as a destination; wrong options are wrong usage."""
    words = words.replace(" it:", " 127.0.0.1:1:") if code == 5 else words
    lamella("squash", *arguments).failed(code, words)
    lamella("layers", *arguments).failed(code, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["squash", "a", "--max-dead", "5"],
            "no option --max-dead; did you mean --max-layers?",
        ),
        (["squash", "a", "-Z"], "no option -Z; see `"),
        (["squash", "a", "--last"], "option '--last' requires an argument\n"),
        (["squash"], "missing argument 'IMAGE'; see `"),
    ],
)
def test_usage_errors_look_like_all_others(
    lamella: Lamella, arguments: list[str], words: str
) -> None:
    """Lower case, without a full stop, whoever found the error."""
    assert lamella(*arguments).failed(2).err.startswith(f"lamella: {words}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["layers", "a", "--tls-verify", "maybe"],
            "--tls-verify: expected true or false, got 'maybe'",
        ),
        (["layers", "a", "--tls-verify="], "--tls-verify: expected true or false, got ''"),
        (["squash", "a", "--last", "x"], "--last: expected a whole number, got 'x'"),
        (
            ["analyze", "a", "--max-layers", "x"],
            "--max-layers: expected a whole number, 1 or more, got 'x'",
        ),
        (["squash", "a", "--history", "x y"], "--history: expected merge, keep or drop, got 'x y'"),
        (
            ["layers", "a", "--progress", "is not one of it"],
            "--progress: expected auto, plain or none, got 'is not one of it'",
        ),
        (["completion", "tcsh"], "SHELL: expected bash, zsh or fish, got 'tcsh'"),
    ],
)
def test_values_say_what_was_expected(lamella: Lamella, arguments: list[str], words: str) -> None:
    """In our words, whatever kind of value it is."""
    lamella(*arguments).failed(2, f"lamella: {words}; see `lamella {arguments[0]} --help`")


def test_image_called_docker_is_a_name(tmp: Path) -> None:
    """`docker:dind` is asked of the engine (there is none); only docker:// is a registry."""
    run("layers", "docker:dind", tmp=tmp).failed(5)


def test_traceback_only_if_asked_for_twice(lamella: Lamella, work: Path) -> None:
    """-v says more, -vv shows where an error came from."""
    missing = f"docker-archive:{work}/missing.tar"
    for once in ([], ["-v"], ["--verbose"], ["-qv"]):
        lamella("layers", missing, *once).failed(7, "missing.tar")
    for twice in (["-vv"], ["-v", "-v"], ["--verbose", "-v"]):
        ran = lamella("layers", missing, *twice)
        assert ran.code == 7
        assert ran.err.startswith("Traceback")
        assert ran.err.splitlines()[-1].startswith("lamella: no file")


def test_traceback_is_not_asked_for_by_a_name(lamella: Lamella) -> None:
    """What follows -- is no option."""
    lamella("layers", "--", "./-vv").failed(7, "./-vv")


def test_message_does_nothing_to_a_terminal(lamella: Lamella, app: str, work: Path) -> None:
    """A file name can hold anything; it is shown escaped, on one line."""
    name = f"docker-archive:{work}/a\n\x1b[31mb.tar"
    ran = lamella("layers", name).failed(7, "\\x1b[31mb.tar")
    assert "\x1b" not in ran.err
    lamella("squash", app, "-o", name).worked()
    for again in (["squash", name, "--dry-run"], ["verify", name, name]):
        assert "\x1b" not in lamella(*again).worked().err


def test_name_that_is_no_text_is_shown_escaped(tmp: Path, work: Path) -> None:
    """File names are bytes."""
    name = b"caf\xe9.tar".decode(errors="surrogateescape")
    run("layers", f"docker-archive:{work}/{name}", tmp=tmp).failed(7, "caf\\udce9.tar")
    (work / name).write_bytes(docker_archive(*TARS))
    run("layers", f"docker-archive:{work}/{name}", "-d", tmp=tmp).worked()


def test_terminal_without_the_trees_corners_is_no_failure(app: str, tmp: Path) -> None:
    """They are escaped then."""
    ran = run("layers", app, tmp=tmp, env={"PYTHONIOENCODING": "latin-1"}).worked()
    assert b"\\u2514" in ran.out


def test_name_too_long_for_a_file_is_a_name(tmp: Path) -> None:
    """It is looked for as a file and as an image, and is neither."""
    run("layers", "a" * 5000, tmp=tmp).failed(
        7, "no file 'aaa", "names have at most 255 characters"
    )
    run("layers", "docker-archive:" + "a" * 5000, tmp=tmp).failed(1, "can't read")


def test_completion_is_clicks(tmp: Path) -> None:
    """Shells can complete commands and options."""
    ran = run(tmp=tmp, env={"_LAMELLA_COMPLETE": "bash_source"}).worked()
    assert b"complete" in ran.out
    words = {"_LAMELLA_COMPLETE": "bash_complete", "COMP_WORDS": "lamella squ", "COMP_CWORD": "1"}
    assert b"squash" in run(tmp=tmp, env=words).worked().out


def test_parameters_are_said_as_options() -> None:
    """What the library calls a parameter is an option here; all else in backticks stays."""
    said = in_options("try another `tmp_dir` or `base` '#1'; see `ulimit -a`; `unknown` stays")
    assert said == "try another --tmp-dir or --from '#1'; see `ulimit -a`; `unknown` stays"
    context = click.Context(cli)
    options = {
        option
        for name in cli.list_commands(context)
        if (command := cli.get_command(context, name)) is not None
        for parameter in command.params
        for option in parameter.opts
    }
    for parameter in PARAMETERS:
        assert in_options(f"`{parameter}`") in options, parameter


def loaded(*args: str, **env: str) -> set[str]:
    """Return the modules that a command loads."""
    code = f"import sys; sys.argv = {['lamella', *args]}\nfrom lamella.cli.main import main\n"
    code += "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stderr.split())


def test_a_start_loads_what_it_needs() -> None:
    """The version is there at once: what is large, and what other commands need, is not loaded."""
    late = {"asyncio", "hashlib", "http", "jinja2", "json", "rich", "textual", "urllib3", "yaml"}
    assert late & loaded("--version") == set()


def test_a_squash_loads_what_it_uses(in_work: str) -> None:
    """What an analysis, a proof, compressed layers and changes of the config need comes with them.

    A small image takes no longer than its modules.
    """
    found = loaded("squash", "-q", in_work, "-o", "slim.tar")
    late = {
        *("ctypes", "html", "tomllib", "lamella.analysis.model", "lamella.layer.inflate"),
        *("lamella.layer.partial.sieve", "lamella.restate.instructions", "lamella.rootfs"),
    }
    assert late & found == set()
    assert Path("slim.tar").exists()


def test_without_an_engine_no_client_is_loaded(in_work: str, tmp_path: Path) -> None:
    """A bare name may also be an image of the engine: not where no engine listens."""
    nowhere = f"unix://{tmp_path / 'docker.sock'}"
    found = loaded("squash", "-q", in_work, "-o", "slim.tar", DOCKER_HOST=nowhere)
    assert {"http.client", "lamella.transport.engine.client"} & found == set()
    assert Path("slim.tar").exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["sqaush"], "unknown command 'sqaush'; did you mean 'squash'?"),
        (["cache", "shwo"], "unknown command 'shwo'; did you mean 'show'?"),
        (["plugin", "x"], "unknown command 'x'; see `lamella plugin --help`"),
    ],
)
def test_a_mistyped_command_is_told_alike(lamella: Lamella, typed: list[str], words: str) -> None:
    """At the top and below it."""
    lamella(*typed).failed(2, words)
