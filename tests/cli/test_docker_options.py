"""Docker's global options: read as the docker command reads them, and put as variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella.cli.plugin.options import parse_docker_options, to_variables
from lamella.errors import UsageError
from lamella.transport.engine.host import Host, TlsFiles, find_host

SOCKET = "unix:///var/run/docker.sock"
HOME = {"HOME": "/home/me"}
AWAY = {**HOME, "DOCKER_HOST": "tcp://away:1", "DOCKER_CONTEXT": "far"}


def translated(typed: str, before: dict[str, str]) -> dict[str, str]:
    """Return what options make of variables; the command that follows them must be left."""
    options, rest = parse_docker_options([*typed.split(), "squash", "--tls", "-H", "app"])
    assert rest == ["squash", "--tls", "-H", "app"]
    return to_variables(options, before)


@pytest.mark.parametrize(
    ("typed", "before", "after"),
    [
        ("", AWAY, AWAY),
        # which engine
        ("-H tcp://one:1", {}, {"DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "default"}),
        ("-Htcp://one:1", {}, {"DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "default"}),
        ("-H=tcp://one:1", {}, {"DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "default"}),
        ("--host tcp://one:1", {}, {"DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "default"}),
        (
            "--host=tcp://one:1",
            AWAY,
            {**HOME, "DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "default"},
        ),
        ("--host=", AWAY, {**HOME, "DOCKER_HOST": "", "DOCKER_CONTEXT": "default"}),
        ("--context near", AWAY, {**HOME, "DOCKER_CONTEXT": "near"}),
        ("-c near", AWAY, {**HOME, "DOCKER_CONTEXT": "near"}),
        ("-cnear", AWAY, {**HOME, "DOCKER_CONTEXT": "near"}),
        ("--context=near --context=nearer", AWAY, {**HOME, "DOCKER_CONTEXT": "nearer"}),
        ("--context=", AWAY, AWAY),
        ("-c default", AWAY, {**AWAY, "DOCKER_CONTEXT": "default"}),
        ("--host x --context=", {}, {"DOCKER_HOST": "x", "DOCKER_CONTEXT": "default"}),
        # settings: where certificates are looked for stays what it was
        ("--config /c", {}, {"DOCKER_CONFIG": "/c"}),
        (
            "--config /c",
            HOME,
            {**HOME, "DOCKER_CONFIG": "/c", "DOCKER_CERT_PATH": "/home/me/.docker"},
        ),
        (
            "--config=/c",
            {"DOCKER_CONFIG": "/b"},
            {"DOCKER_CONFIG": "/c", "DOCKER_CERT_PATH": "/b"},
        ),
        (
            "--config /c",
            {**HOME, "DOCKER_CERT_PATH": "/a"},
            {**HOME, "DOCKER_CONFIG": "/c", "DOCKER_CERT_PATH": "/a"},
        ),
        # TLS
        ("--tls", {}, {"DOCKER_TLS": "1"}),
        ("--tls=true", {}, {"DOCKER_TLS": "1"}),
        ("--tls=false", {"DOCKER_TLS": "1"}, {}),
        ("--tls=0", {"DOCKER_TLS_VERIFY": "1"}, {"DOCKER_TLS_VERIFY": "1"}),
        ("--tlsverify", {}, {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": "1"}),
        ("--tlsverify=false", {"DOCKER_TLS_VERIFY": "1"}, {"DOCKER_TLS": "1"}),
        ("--tlsverify=F --tls=F", {}, {"DOCKER_TLS": "1"}),
        (
            "--tls --tlscacert a --tlscert=b --tlskey c",
            {},
            {
                "DOCKER_TLS": "1",
                "LAMELLA_DOCKER_TLSCACERT": "a",
                "LAMELLA_DOCKER_TLSCERT": "b",
                "LAMELLA_DOCKER_TLSKEY": "c",
            },
        ),
        # what says nothing of the engine
        ("-D -l warn --debug --log-level=debug", AWAY, AWAY),
        ("-Dc near", {}, {"DOCKER_CONTEXT": "near"}),
        ("--", {}, {}),
    ],
)
def test_options_become_variables(
    typed: str, before: dict[str, str], after: dict[str, str]
) -> None:
    """Each of Docker's global options, in each way to type it; what follows the command is left."""
    assert translated(typed, before) == after


@pytest.mark.parametrize(
    ("typed", "is_debug"),
    [
        ("", False),
        ("-D", True),
        ("-DHtcp://one:1", True),
        ("--debug", True),
        ("--debug=false", False),
        ("-D=false", False),
        ("-l debug", True),
        ("-linfo", False),
        ("--log-level error", False),
    ],
)
def test_debug_is_asked_for(typed: str, is_debug: bool) -> None:
    """By an option of its own, or by the level of the log."""
    assert parse_docker_options([*typed.split(), "squash"])[0].is_debug is is_debug


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--nosuch", "--nosuch"),
        ("-Dx", "-Dx"),
        ("--host", "--host needs a value"),
        ("-c", "--context needs a value"),
        ("-H a -H b", "--host was given twice"),
        ("-H a -c b", "exclude each other"),
        ("--tls=perhaps", "--tls: expected true or false, got 'perhaps'"),
        ("-l loud", "got 'loud'"),
    ],
)
def test_what_makes_no_sense_is_refused(typed: str, words: str) -> None:
    """As the docker command refuses it."""
    with pytest.raises(UsageError, match=words):
        to_variables(parse_docker_options(typed.split())[0], {})


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("-H one", Host("tcp://one:2375")),
        ("--host=", Host(SOCKET)),
        ("-c default", Host("tcp://away:1")),
        ("-H unix:///one.sock --config /nowhere", Host("unix:///one.sock")),
    ],
)
def test_the_engine_is_the_one_that_docker_means(typed: str, host: Host) -> None:
    """The variables lead to the engine that the options name."""
    assert find_host(translated(typed, AWAY)) == host


def test_files_for_tls_are_used(tmp_path: Path) -> None:
    """Each comes before the one of its kind in the usual folder."""
    for name in ("ca.pem", "cert.pem", "key.pem", "other"):
        (tmp_path / name).touch()
    typed = f"-H tcp://one:1 --tlsverify --tlscacert {tmp_path}/other"
    found = find_host(translated(typed, {"DOCKER_CERT_PATH": str(tmp_path)}))
    assert found.tls == TlsFiles(
        tmp_path / "other", tmp_path / "cert.pem", tmp_path / "key.pem", verify=True
    )
