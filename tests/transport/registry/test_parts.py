"""Names, credentials and challenges: read as Docker's and containers' tools read them."""

from __future__ import annotations

import base64
import json
import ssl
import stat
from pathlib import Path

import pytest

from lamella.errors import EngineError, InvalidReference, UsageError
from lamella.transport.answers import retry_after, words_of
from lamella.transport.registry.auth import parse_challenges
from lamella.transport.registry.client import Registry
from lamella.transport.registry.credentials import Credentials, Search
from lamella.transport.registry.name import RegistryName, is_loopback
from lamella.transport.registry.options import Backoff, RegistryOptions
from lamella.transport.registry.proxy import proxy_for
from lamella.transport.registry.url import Url

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("docker://a.b/c:1", RegistryName("a.b", "c", "1")),
        ("docker://localhost/c", RegistryName("localhost", "c", "latest")),
        ("docker://host:5/c/d", RegistryName("host:5", "c/d", "latest")),
        ("docker://[::1]:5/c", RegistryName("[::1]:5", "c", "latest")),
        ("docker://debian", RegistryName("docker.io", "library/debian", "latest")),
        ("docker://team/app", RegistryName("docker.io", "team/app", "latest")),
        ("docker://index.docker.io/debian:1", RegistryName("docker.io", "library/debian", "1")),
        (f"docker://a.b/c@{DIGEST}", RegistryName("a.b", "c", "", DIGEST)),
        (f"docker://a.b/c:1@{DIGEST}", RegistryName("a.b", "c", "1", DIGEST)),
        ("c:1", RegistryName("home.example", "c", "1")),
        ("a.b/c", RegistryName("a.b", "c", "latest")),
    ],
)
def test_names(text: str, name: RegistryName) -> None:
    """The first part is a host if it looks like one; without one the registry at hand is meant."""
    assert RegistryName.parse(text, host="home.example") == name


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("app:slim", "h.example/team/app:slim"),
        ("app", "h.example/team/app"),
        (f"app@{DIGEST}", f"h.example/team/app@{DIGEST}"),
        ("other:slim", "other:slim"),
        ("x/app:1", "x/app:1"),
        ("docker://app:1", "docker://app:1"),
    ],
)
def test_names_beside_an_image(text: str, meant: str) -> None:
    """The last part of its repository's name is that repository."""
    assert RegistryName("h.example", "team/app", "1").beside(text) == meant


@pytest.mark.parametrize(
    "text", ["docker://", "docker://a.b/C", "docker://a.b/c:", "a.b/c@sha256:1"]
)
def test_names_that_are_none(text: str) -> None:
    """The grammar is the reference's."""
    with pytest.raises(InvalidReference):
        RegistryName.parse(text)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("a.localhost", True),
        ("localhost.example.com", False),
        ("10.0.0.1:5000", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_this_machine(host: str, own: bool) -> None:
    """Only it may be spoken to without TLS."""
    assert is_loopback(host) is own


# -- credentials


def auth(user: str) -> dict[str, str]:
    """An entry; the password is the name again."""
    return {"auth": base64.b64encode(f"{user}:{user}".encode()).decode()}


def config(**auths: object) -> dict[str, object]:
    """A file whose keys are written with __ for a slash."""
    return {"auths": {key.replace("__", "/").replace("_", "."): v for key, v in auths.items()}}


def who(options: RegistryOptions, host: str = "a.b", repository: str = "team/app") -> str | None:
    """Whose credentials are found."""
    found = Search(host, options).find(repository)
    return None if found is None else found.username or found.identity_token


def test_places_are_asked_in_their_order(tmp_path: Path) -> None:
    """The first that knows the registry counts."""
    files = {}
    for name in (
        "given",
        "variable",
        "run/containers/auth",
        "docker/config",
        "home/.docker/config",
    ):
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config(a_b=auth(path.stem if "/" not in name else name))))
        files[name] = path
    environment = {
        "REGISTRY_AUTH_FILE": str(files["variable"]),
        "DOCKER_AUTH_CONFIG": json.dumps(config(a_b=auth("inline"))),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "HOME": str(tmp_path / "home"),
    }
    options = RegistryOptions(environment, authfile=str(files["given"]))
    assert who(options) == "given"
    found = []
    for variable in list(environment):
        found.append(who(RegistryOptions(environment)))
        del environment[variable]
    assert found == [
        "variable",
        "inline",
        "run/containers/auth",
        "docker/config",
        "home/.docker/config",
    ]
    assert who(RegistryOptions(environment)) is None
    assert who(options, host="other.example") is None


def test_the_most_specific_entry_counts() -> None:
    """From the repository upwards to the registry; old URLs are registries, too."""
    value = config(a_b=auth("host"), a_b__team=auth("team"), a_b__team__app=auth("app"))
    options = RegistryOptions({"DOCKER_AUTH_CONFIG": json.dumps(value)})
    assert who(options) == "app"
    assert who(options, repository="team/other") == "team"
    assert who(options, repository="teams/app") == "host"
    old = {"auths": {"https://index.docker.io/v1/": auth("hub"), "http://x.y/v2/": auth("old")}}
    options = RegistryOptions({"DOCKER_AUTH_CONFIG": json.dumps(old)})
    assert who(options, host="docker.io") == "hub"
    assert who(options, host="x.y") == "old"


def test_kinds_of_entries() -> None:
    """A token, name and password apart, and entries with nothing in them."""
    value = config(
        a_b={"identitytoken": "t", **auth("<token>")},
        c_d={"username": "u", "password": "p"},
        e_f={},
    )
    options = RegistryOptions({"DOCKER_AUTH_CONFIG": json.dumps(value)})
    assert Search("a.b", options).find("x") == Credentials(identity_token="t")
    assert Search("c.d", options).find("x") == Credentials("u", "p")
    assert Search("e.f", options).find("x") is None
    assert "p'" not in repr(Credentials("u", "p", "t"))


def test_credential_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for a registry comes before the store for all; a token is told by its user."""
    for name, answer in {
        "one": '{"Username": "helped", "Secret": "s"}',
        "all": '{"Username": "<token>", "Secret": "stored"}',
        "none": "credentials not found in native keychain",
        "bad": "it is on fire",
    }.items():
        program = tmp_path / f"docker-credential-{name}"
        code = 0 if answer.startswith("{") else 1
        program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    value = {
        "credHelpers": {"a.b": "one", "none.example": "none", "bad.example": "bad"},
        "credsStore": "all",
        "auths": {"a.b": auth("file"), "c.d": auth("file"), "e.f": {}},
    }
    options = RegistryOptions({"DOCKER_AUTH_CONFIG": json.dumps(value)})
    assert who(options) == "helped"
    assert who(options, host="c.d") == "file"
    assert who(options, host="e.f") == "stored"
    assert who(options, host="none.example") is None
    search = Search("bad.example", options)
    assert search.find("x") is None
    assert search.notes == ["DOCKER_AUTH_CONFIG: docker-credential-bad: it failed: it is on fire"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"auths": {"a.b": {"auth": "c2VjcmV0"}}}', '{"auths": {"a.b": {"auth": "%"}}}'],
)
def test_credentials_that_make_no_sense_are_not_shown(text: str) -> None:
    """The message says where they are, not what they are."""
    with pytest.raises(EngineError, match="DOCKER_AUTH_CONFIG") as error:
        who(RegistryOptions({"DOCKER_AUTH_CONFIG": text}))
    assert "secret" not in str(error.value)
    assert "c2VjcmV0" not in str(error.value)


def test_file_that_is_not_there() -> None:
    """That matters only for the one that was named on the command line."""
    assert who(RegistryOptions({"REGISTRY_AUTH_FILE": "/nowhere"})) is None
    with pytest.raises(UsageError, match="`authfile` /nowhere"):
        who(RegistryOptions(authfile="/nowhere"))


# -- headers


def test_challenges() -> None:
    """Several in one header or in several, quoted or not."""
    bearer = 'Bearer realm="https://a/t?x=1,2",service="s \\"q\\"",scope="repository:a:pull,push"'
    want = {"realm": "https://a/t?x=1,2", "service": 's "q"', "scope": "repository:a:pull,push"}
    assert parse_challenges([bearer]) == {"bearer": want}
    assert parse_challenges([f"{bearer}, Basic realm=x"]) == {
        "bearer": want,
        "basic": {"realm": "x"},
    }
    assert parse_challenges(['basic realm="x"', bearer]) == {
        "basic": {"realm": "x"},
        "bearer": want,
    }
    assert parse_challenges(["Negotiate"]) == parse_challenges([]) == {}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("", None), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a time; nonsense is no answer."""
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"errors": [{"code": "DENIED", "message": "no"}, {"code": "X"}]}', "no (DENIED); X"),
        (b"<html>long</html>", ""),
        (b"plain\nwords", "plain words"),
        (b"{}", ""),
        (b'{"errors": [3]}', ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_own_words(raw: bytes, said: str) -> None:
    """What a registry says, in one line."""
    assert words_of(raw) == said


@pytest.mark.parametrize(
    ("url", "skip", "proxy"),
    [
        ("https://a.b/v2/", "", "http://p:1"),
        ("http://a.b/v2/", "", ""),
        ("https://a.b/v2/", "a.b", ""),
        ("https://x.a.b/v2/", "c.d, a.b", ""),
        ("https://xa.b/v2/", "a.b", "http://p:1"),
        ("https://a.b:5/v2/", "a.b:6", "http://p:1"),
        ("https://a.b:5/v2/", "a.b:5", ""),
        ("https://10.1.2.3/v2/", "10.0.0.0/8", ""),
        ("https://a.b/", "*", ""),
        ("https://127.0.0.1:5/", "", ""),
    ],
)
def test_proxies(url: str, skip: str, proxy: str) -> None:
    """As curl and Go read the variables; this machine is never asked for through a proxy."""
    found = proxy_for(Url.parse(url), {"HTTPS_PROXY": "p:1", "no_proxy": skip})
    assert found.url == proxy


def test_nobody_waits_for_what_nobody_wants() -> None:
    """Once it is stopped, a client tries nothing again, however long the pause would be."""
    registry = Registry("127.0.0.1:1", RegistryOptions(backoff=Backoff(first=3600)))
    registry.stop()
    with pytest.raises(EngineError, match="interrupted"):
        registry.wait(1)
    registry.close()


def test_what_this_machine_trusts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read certificates takes longer than a small request: not again for each registry."""
    read: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_default_certs

    def count(context: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        read.append(context)
        load(context, purpose)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", count)
    own = RegistryOptions(tls_verify=False)
    for options in (RegistryOptions(), RegistryOptions(), own):
        registry = Registry("127.0.0.1:1", options)
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:1"):
            registry.find()
        registry.close()
    assert len([context for context in read if context.verify_mode == ssl.CERT_REQUIRED]) <= 1
