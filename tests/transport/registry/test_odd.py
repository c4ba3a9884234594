"""Answers that have no form, and logins kept where Docker and Podman keep them."""

from __future__ import annotations

import base64
import io
import json
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

import lamella
from lamella.errors import EngineError, InvalidReference, LamellaError, Unsupported
from lamella.spec.digest import Digest
from lamella.transport.answers import redact, retry_after
from lamella.transport.registry import Backoff, RegistryName, RegistryOptions
from lamella.transport.registry.client import Registry
from lamella.transport.registry.credentials import Search
from lamella.transport.registry.failures import Unreachable
from lamella.transport.registry.http_client import HttpClient
from lamella.transport.registry.name import RegistryName as Name
from lamella.transport.registry.proxy import proxy_for
from lamella.transport.registry.repository import Repository
from lamella.transport.registry.upload import mount_blob, put_blob
from lamella.transport.registry.url import BadUrl, Url, resolve
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.transport.registry.faulty import Front, front_of

_PAGE = b"<html><head><title>Please log in</title></head></html>"
_QUICK = Backoff(first=0.001)
_NOBODY = "127.0.0.1:1"


def ask(front: Front, **options: object) -> bytes:
    """Read a manifest through a front that has nothing behind it."""
    registry = Registry(front.host, RegistryOptions(backoff=_QUICK, **options))  # type: ignore[arg-type]
    try:
        return Repository(registry, "team/app").manifest("1").raw
    finally:
        registry.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_PAGE, r"answers with a web page \(Please log in\); does a proxy or a login portal"),
        (b"", "expected JSON, got nothing"),
        (b"[]", "expected JSON, got"),
        (b"\xff\x00", "expected JSON, got"),
        (b"[" * 100_000, "expected JSON, got"),
        (b'{"errors": [{"code": "DENIED", "message": "no"}]}', r"no \(DENIED\)"),
    ],
)
def test_manifests_that_are_none(body: bytes, said: str) -> None:
    """An answer with status 200 that is no manifest is told as what it is, exit code 5."""
    with front_of(_NOBODY) as front:
        front.add(".*", status=200, body=body, times=99)
        with pytest.raises(EngineError, match=said):
            ask(front)


@pytest.mark.parametrize("location", ["http://[", "ftp://a/b", "http://a:99999/", "http://", "//"])
def test_locations_that_are_none(location: str) -> None:
    """A redirect to nowhere is an error of ours."""
    with front_of(_NOBODY) as front:
        front.add("GET .*manifests", status=307, headers={"Location": location}, times=9)
        front.add(".*", status=200, times=99)
        with pytest.raises(EngineError, match=r"sends us to .*, which is not an HTTP URL"):
            ask(front)


@pytest.mark.parametrize("realm", ["", "nowhere", "http://[", "http://a:99999/"])
def test_realms_that_are_none(realm: str) -> None:
    """So is a token server that is none."""
    with front_of(_NOBODY) as front:
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
        front.add(".*", status=401, headers=challenge, times=99)
        with pytest.raises(EngineError, match="names no token server"):
            ask(front)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", _PAGE, b'{"token": 3}', b'{"token": "a\\nb"}'])
def test_tokens_that_are_none(body: bytes) -> None:
    """A token server may answer anything, too."""
    with front_of(_NOBODY) as front:
        _guard(front)
        front.add("GET /token", status=200, body=body, times=99)
        with pytest.raises(EngineError, match=r"without a token|a web page, not a token"):
            ask(front)


def _guard(front: Front) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{front.host}/token"'}
    front.add("GET /v2/", status=401, headers=challenge, times=99)


def test_dead_token_server_is_asked_five_times() -> None:
    """Retries don't nest."""
    with front_of(_NOBODY) as front:
        _guard(front)
        front.add("GET /token", status=503, times=99)
        with pytest.raises(EngineError, match=r"no token from .*503: out of order") as error:
            ask(front)
        assert front.count("GET /token") == 5
        assert str(error.value).count("503") == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_token_server_that_moved(status: int) -> None:
    """A realm is followed; another host gets no password."""
    with front_of(_NOBODY) as front, front_of(_NOBODY) as elsewhere:
        _guard(front)
        target = {"Location": f"http://{elsewhere.host}/token"}
        front.add("GET /token", status=status, headers=target, times=9)
        elsewhere.add(".*", status=200, body=b'{"token": "t"}', times=9)
        auths = {"auths": {front.host: {"auth": base64.b64encode(b"me:secret").decode()}}}
        with pytest.raises(EngineError, match="401"):
            ask(front, environment={"DOCKER_AUTH_CONFIG": json.dumps(auths)})
        assert elsewhere.count("GET /token") >= 1
        assert not any("Authorization" in headers for headers in elsewhere.headers)


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_manifest_that_breaks_off(cut: int) -> None:
    """It is asked for again."""
    with front_of(_NOBODY) as upstream, front_of(upstream.host) as front:
        upstream.add(".*", status=200, body=b'{"schemaVersion": 2}', times=99)
        front.add("GET .*manifests", cut=cut, headers={"Content-Length": "20"}, times=2)
        assert ask(front) == b'{"schemaVersion": 2}'


def test_refused_connections_are_told_so() -> None:
    """Not as timeouts, which they are to the HTTP library."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        registry = Registry(host, RegistryOptions(backoff=_QUICK))
        with pytest.raises(EngineError, match=f"^can't reach {host}: Connection refused; does a"):
            registry.find()


@pytest.mark.parametrize(
    ("host", "insecure", "schemes"),
    [
        ("localhost", False, ["https", "http"]),
        ("127.0.0.1", False, ["https", "http"]),
        ("a.example", True, ["https", "http"]),
        ("a.example", False, ["https"]),
    ],
)
def test_ports_that_are_tried(
    monkeypatch: pytest.MonkeyPatch, host: str, insecure: bool, schemes: list[str]
) -> None:
    """Where plain HTTP is allowed, port 80 is tried once nobody listens on 443."""
    asked: list[str] = []

    def refuse(_web: HttpClient, _method: str, address: str, _headers: object) -> None:
        asked.append(address)
        raise Unreachable(f"can't reach {address}: Connection refused")

    monkeypatch.setattr(HttpClient, "send", refuse)
    with pytest.raises(EngineError, match="Connection refused"):
        Registry(host, RegistryOptions(backoff=_QUICK, insecure=insecure)).find()
    assert asked == [f"{scheme}://{host}/v2/" for scheme in schemes]


def test_silence_is_told_as_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes connections and says nothing did not refuse any."""
    monkeypatch.setattr("lamella.transport.registry.http_client._READING", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"{host} broke off: it did not answer in time"):
            Registry(host, RegistryOptions(backoff=_QUICK)).find()


def test_mount_that_the_token_server_refuses() -> None:
    """It gives no token for two repositories: the blob is sent, then."""
    with front_of(_NOBODY) as front:
        _guard(front)
        front.add("GET /token.*scope=.*scope=", status=403, times=99)
        registry = Registry(front.host, RegistryOptions(backoff=_QUICK))
        assert not mount_blob(Repository(registry, "team/app"), Digest.of(b"x"), "team/base")
        assert front.count("GET /token.*scope=.*scope=.* 403") == 1
        assert front.count("POST") == 0
        registry.close()


@dataclass
class _Far:
    """A blob elsewhere: counts what is read of it."""

    content: bytes
    read: int = 0

    @property
    def size(self) -> int:
        return len(self.content)

    def open(self) -> BinaryIO:
        far = self

        class Counting(io.BytesIO):
            def read(self, length: int | None = -1) -> bytes:
                part = super().read(length)
                far.read += len(part)
                return part

        return Counting(self.content)


def test_blob_in_pieces_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from its start for each piece, which it may have to be downloaded for."""
    monkeypatch.setattr("lamella.transport.registry.upload._PIECE", 1 << 16)
    blob = _Far(random.Random(1).randbytes(40 << 16))
    with registry_in_memory(Oddly(0)) as behind, front_of(behind.host) as front:
        front.add("PUT .*digest", status=413)
        registry = Registry(front.host, RegistryOptions(backoff=_QUICK))
        digest = Digest.of(blob.content)
        put_blob(Repository(registry, "team/app"), blob, digest, lambda _: None)
        registry.close()
        assert behind.blobs[str(digest)] == blob.content
        assert front.count("PATCH") == 40
    assert blob.read <= 2 * blob.size


def test_unknown_hosts_are_told_so() -> None:
    """The name is to blame."""
    registry = Registry("nobody.invalid", RegistryOptions(backoff=_QUICK))
    with pytest.raises(EngineError, match=r"can't reach nobody.invalid:443: unknown host \("):
        registry.find()


def test_proxies_faults_are_the_proxys() -> None:
    """A proxy that refuses, and one that is not there."""
    with front_of(_NOBODY) as proxy:
        proxy.add("CONNECT", status=407, times=99)
        found = f"http://p%40x:y@{proxy.host}"
        registry = Registry("a.example", RegistryOptions({"HTTPS_PROXY": found}, backoff=_QUICK))
        with pytest.raises(EngineError, match=r"proxy .* refused to connect to a.example:443: 407"):
            registry.find()
        account = base64.b64encode(b"p@x:y").decode()
        assert proxy.headers[0]["Proxy-Authorization"] == f"Basic {account}"
    options = RegistryOptions({"HTTPS_PROXY": f"http://{_NOBODY}"}, backoff=_QUICK)
    with pytest.raises(EngineError, match=r"can't reach proxy 127.0.0.1:1 \(HTTPS_PROXY\)"):
        Registry("a.example", options).find()


@pytest.mark.parametrize(
    ("skip", "host", "straight"),
    [
        (".example", "example", False),
        (".example", "a.example", True),
        ("*.example", "a.example", True),
        ("example", "a.example", True),
        ("[::1:2]", "[::1:2]", True),
        ("10.0.0.1:443", "10.0.0.1", True),
        ("10.0.0.1:80", "10.0.0.1", False),
    ],
)
def test_what_no_proxy_names(skip: str, host: str, straight: bool) -> None:
    """As Go reads NO_PROXY; the upper case name comes first."""
    environment = {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:1", "NO_PROXY": skip}
    found = proxy_for(Url.parse(f"https://{host}/"), environment)
    assert found.url == ("" if straight else "http://p:1")


def test_redirects_are_sent_as_they_came() -> None:
    """A signature is over the very letters."""
    path = "/x/./%2f%41?sig=a%2fb%zz"
    with front_of(_NOBODY) as front:
        front.add("GET .*manifests", status=307, headers={"Location": path}, times=1)
        front.add(".*", status=200, body=b"{}", times=99)
        ask(front)
        assert front.count(r"GET /x/\./%2f%41\?sig=a%2fb%zz 200") == 1
    assert resolve("https://a/b", "//c/d") == "https://c/d"
    with pytest.raises(BadUrl):
        Url.parse("file:///etc/passwd")


@pytest.mark.parametrize("place", ["run", "config", "old"])
def test_where_logins_are_kept(tmp_path: Path, place: str) -> None:
    """Podman's file of a user without XDG_RUNTIME_DIR, its second one, and Docker's oldest."""
    entry = {"a.b": {"auth": base64.b64encode(b"me:secret").decode()}}
    files = {"run": "run/auth.json", "config": ".config/containers/auth.json", "old": ".dockercfg"}
    path = tmp_path / files[place]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entry if place == "old" else {"auths": entry}))
    options = RegistryOptions({"HOME": str(tmp_path)}, run_folder=str(tmp_path / "run"))
    found = Search("a.b", options).find("x")
    assert found is not None
    assert found.username == "me"


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Search]:
    """Return a search that asks a credential helper, which is this shell script."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def make(script: str, key: str = "a.b", host: str = "a.b") -> Search:
        program = tmp_path / "docker-credential-odd"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        config = {"credHelpers": {key: "odd"}}
        return Search(host, RegistryOptions({"DOCKER_AUTH_CONFIG": json.dumps(config)}))

    return make


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "printed nothing"),
        ("echo warning: x; echo '{}'", "not JSON"),
        ("echo '[]'", "not a JSON object"),
        ("""echo '{"Secret": "s"}'""", "no Username"),
        ("printf '\\377'", "not JSON"),
        ("echo >&2 on fire; exit 3", "it failed: on fire"),
    ],
)
def test_helpers_that_answer_oddly(helper: Callable[[str], Search], script: str, why: str) -> None:
    """Nothing is found, and a note says why, for when the registry does not let us in."""
    search = helper(script)
    assert search.find("x") is None
    assert len(search.notes) == 1
    assert why in search.notes[0]


def test_helpers_that_hang_end_when_nobody_waits(helper: Callable[[str], Search]) -> None:
    """Once it is stopped, a helper is not waited for."""
    search = helper("exec sleep 100")
    threading.Timer(0.2, search._stopped.set).start()  # noqa: SLF001 - as `Registry.stop` does
    assert search.find("x") is None
    assert "interrupted" in search.notes[0]


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_helpers_of_docker_hub(helper: Callable[..., Search], key: str) -> None:
    """They are found under each of its names."""
    script = """read -r asked; echo "{\\"Username\\": \\"$asked\\", \\"Secret\\": \\"s\\"}" """
    search = helper(script, key, "docker.io")
    found = search.find("library/debian")
    assert found is not None, search.notes
    assert found.username == "https://index.docker.io/v1/"


def test_no_secret_is_shown() -> None:
    """Neither by repr, nor by what is shown of URLs and headers."""
    secret = {"DOCKER_AUTH_CONFIG": "hush"}
    assert "hush" not in repr(lamella.Environment(registry=RegistryOptions(secret)))
    text = redact("at https://me:hush@a/b?X-Amz-Signature=hush&x=1 with Bearer hushhushhush")
    assert "hush" not in text
    assert "x=1" in text


def test_upper_case_hosts() -> None:
    """A first part with upper case letters is a host, as in Docker's grammar."""
    assert RegistryName.parse("docker://MyRegistry/team/app") == Name(
        "MyRegistry", "team/app", "latest"
    )


@pytest.mark.parametrize("port", ["0", "65536", "9" * 50, "9" * 5000])
def test_ports_that_are_none(port: str) -> None:
    """Such a name is refused as one, before anybody is asked."""
    for host in ("a.example", "[::1]"):
        with pytest.raises(InvalidReference):
            RegistryName.parse(f"docker://{host}:{port}/app")
    assert RegistryName.parse("docker://a.example:65535/app").host == "a.example:65535"


def test_sha512_is_unsupported() -> None:
    """It can't be checked, and the error is that of layouts."""
    registry = Registry(_NOBODY, RegistryOptions(backoff=_QUICK))
    with pytest.raises(Unsupported, match="sha512"):
        Repository(registry, "x").manifest(f"sha512:{'0' * 128}")


@pytest.mark.parametrize("value", ["-5", "9" * 5000, "²", "Wed, 99 Oct 99999 07:28:00 GMT"])
def test_pauses_that_make_no_sense(value: str) -> None:
    """Nonsense is no answer, and the longest is a number."""
    found = retry_after(value)
    assert found is None or found == 10**9


@pytest.mark.parametrize("status", [200, 206, 404, 429, 500])
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-Type", "\xff"),
        ("Docker-Content-Digest", "sha256:x"),
        ("Range", "9" * 5000),
        ("Retry-After", "²".encode().decode("latin-1")),
    ],
)
def test_every_error_is_ours(header: str, value: str, status: int) -> None:
    """Odd headers on every answer end in an error of ours."""
    with front_of(_NOBODY) as front:
        front.add(".*", status=status, headers={header: value}, body=b"", times=999)
        with pytest.raises(LamellaError):
            ask(front)
