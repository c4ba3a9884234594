"""Every part of an engine's address is used, or the address is refused."""

from __future__ import annotations

import pytest

from lamella.errors import EngineError
from lamella.transport.engine.address import (
    Address,
    Network,
    Socket,
    Ssh,
    parse_address,
    without_password,
)
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.host import Host, find_host


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///run/docker.sock", Socket("/run/docker.sock")),
        ("unix:///odd?name#%20", Socket("/odd?name#%20")),
        ("unix://here.sock", Socket("here.sock")),
        ("tcp://far:1", Network("far", 1)),
        ("tcp://far", Network("far", None)),
        ("tcp://far:1/", Network("far", 1)),
        ("tcp://far:1/base/", Network("far", 1, "/base")),
        ("http://far:1/a%20b", Network("far", 1, "/a%20b")),
        ("tcp://[::1]:1", Network("::1", 1)),
        ("tcp://[fe80::1%25eth0]", Network("fe80::1%eth0", None)),
        ("https://far/x", Network("far", None, "/x", encrypted=True)),
        ("ssh://far", Ssh("far")),
        ("ssh://far/", Ssh("far")),
        ("ssh://Alias", Ssh("Alias")),
        ("ssh://me@far:22/run/d.sock", Ssh("far", 22, "me", "/run/d.sock")),
        ("ssh://do%40main@[::1]/a%20b", Ssh("::1", None, "do@main", "/a b")),
        ("ssh://far//d.sock", Ssh("far", None, "", "//d.sock")),
    ],
)
def test_what_an_address_says(url: str, address: Address) -> None:
    """User, host in its own case, port and path; what is encoded is decoded."""
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("npipe:////./pipe/docker", "expected unix:///PATH"),
        ("fd://3", "expected unix:///PATH"),
        ("SSH://far", "expected unix:///PATH"),
        ("/run/docker.sock", "expected unix:///PATH"),
        ("unix://", "expected unix:///PATH"),
        ("unix:/run/docker.sock", "expected unix:///PATH"),
        ("tcp://", "host is missing"),
        ("ssh://me@", "host is missing"),
        ("ssh://me@/run/docker.sock", "host is missing"),
        ("tcp://me@far:1", "a tcp address can't have a user"),
        ("ssh://me:secret@far", "password"),
        ("ssh://-oProxyCommand=x", "is not a host name"),
        ("ssh://far/d.sock?x=1", "query or fragment"),
        ("ssh://far/d.sock#x", "query or fragment"),
        ("tcp://far:1?x", "query or fragment"),
        ("tcp://far:0", "port 0"),
        ("tcp://far:65536", "port 65536"),
        ("tcp://far:x", "port x"),
        ("tcp://far:²", "port ²"),
        ("tcp://::1:2", "needs brackets"),
        ("tcp://[::1", "expected \\[ADDRESS\\]"),
        ("tcp://[::1]2", "expected \\[ADDRESS\\]"),
        ("tcp://fa\nr:1", "character"),
        ("unix:///x\x1b[1m", "character"),
    ],
)
def test_what_is_refused(url: str, reason: str) -> None:
    """What can't be honoured is an error, never passed over; and the error shows no password."""
    with pytest.raises(ValueError, match=reason):
        parse_address(url)
    with pytest.raises(EngineError, match="can't reach the Docker engine") as error:
        EngineClient(Host(url))
    assert "secret" not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("unix://", "unix:///var/run/docker.sock"),
        ("tcp://", "tcp://localhost:2375"),
        ("tcp://:9", "tcp://localhost:9"),
        ("far", "tcp://far:2375"),
        ("far:9", "tcp://far:9"),
        ("/base", "tcp://localhost:2375/base"),
        ("tcp://far/", "tcp://far:2375/"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("tcp://[::1]:9", "tcp://[::1]:9"),
        (" ssh://far ", "ssh://far"),
    ],
)
def test_what_docker_host_may_leave_out(value: str, url: str) -> None:
    """The docker command's own defaults; in a context the standard ports of HTTP hold."""
    assert find_host({"DOCKER_HOST": value}).url == url


def test_ssh_commands() -> None:
    """The far shell gets one word for the path; what docker and podman call the option differs."""
    address = Ssh("far", 22, "me", "/it's")
    start = ["ssh", "-T", "-l", "me", "-p", "22", "--", "far"]
    quoted = """'unix:///it'"'"'s'"""
    end = ["system", "dial-stdio"]
    assert address.command(["-T"], "docker") == [*start, "docker", "--host", quoted, *end]
    assert address.command(["-T"], "podman") == [*start, "podman", "--url", quoted, *end]
    assert Ssh("far").command([], "docker") == ["ssh", "--", "far", "docker", *end]


def test_passwords_are_not_shown() -> None:
    """Neither one that is refused nor one with an @ in it."""
    assert without_password("ssh://me:a@b@far/x@y") == "ssh://me:***@far/x@y"
    assert without_password("ssh://me@far:1/x:y@z") == "ssh://me@far:1/x:y@z"
