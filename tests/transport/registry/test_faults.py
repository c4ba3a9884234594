"""Registries, proxies and networks that fail: what can be mended is, the rest is told."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lamella
from lamella.errors import DigestMismatch, EngineError
from lamella.transport.registry import Backoff, upload
from tests.properties.reference import differences, flatten
from tests.support.machine import patience
from tests.support.tars import entry, folder, layer
from tests.transport.registry.conftest import Make
from tests.transport.registry.faulty import Front, front_of
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server, write_auth
from tests.transport.registry.tokens import TokenServer

pytestmark = pytest.mark.engine

_RANDOM = random.Random(11)
TARS = [
    layer("etc/", ("etc/a", b"a")),
    layer(folder("app"), entry("app/one", _RANDOM.randbytes(300_000))),
    layer(folder("app"), entry("app/two", _RANDOM.randbytes(300_000))),
]
_BLOBS = "GET .*/blobs/sha256"

Squash = Callable[..., lamella.Result]


@pytest.fixture
def source(front: Front, client: Client, name: str) -> str:
    """An image, seen through the front."""
    client.push(f"{name}:1", TARS)
    return f"docker://{front.host}/{name}:1"


@pytest.fixture
def squash(source: str, name: str, env: Make) -> Squash:
    """Squash that image within its registry, to another repository."""

    def run(**options: object) -> lamella.Result:
        return lamella.squash(source, "#1", f"{name}-o:s", env=env(**options))

    return run


def check(client: Client, name: str) -> None:
    """The new image is there, and has the old one's files."""
    assert differences(flatten(client.pull(f"{name}-o:s")[2]), flatten(TARS)) == []


def check_absent(client: Client, name: str) -> None:
    """There is no new image."""
    assert client.ask("GET", f"/v2/{name}-o/manifests/s")[0] == 404


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "about",
    [
        "GET .*/manifests/1",
        _BLOBS,
        "HEAD .*/blobs/",
        "POST .*uploads/$",
        "POST .*mount=",
        "PUT .*digest",
        "PUT .*/manifests/s",
    ],
)
def test_passing_failures_are_waited_out(
    front: Front, client: Client, name: str, squash: Squash, status: int, about: str
) -> None:
    """Whatever is asked for is asked for again."""
    fault = front.add(about, status=status, times=2)

    squash()

    assert fault.met == 2
    check(client, name)


@pytest.mark.parametrize("about", ["GET .*/manifests/1", "PUT .*digest"])
def test_registry_says_when_to_come_back(
    front: Front, client: Client, name: str, squash: Squash, about: str
) -> None:
    """Retry-After counts, not our own pauses; if it is too long the error says so."""
    front.add(about, status=429, headers={"Retry-After": "1"})
    start = time.monotonic()
    squash(backoff=Backoff(first=60))
    assert 1 <= time.monotonic() - start < patience(20)
    check(client, name)

    front.add(about, status=429, headers={"Retry-After": "600"})
    with pytest.raises(EngineError, match=r"429: out of order.* asks to retry in 600 s"):
        squash()


def test_registry_that_stays_broken_is_given_up(
    front: Front, client: Client, name: str, squash: Squash
) -> None:
    """After five tries; nothing is tagged."""
    fault = front.add("PUT .*/manifests/", status=503, times=99)
    with pytest.raises(EngineError) as error:
        squash()
    assert fault.met == 5
    said = f"registry {front.host}: {name}-o: can't write the manifest of s: 503: out of order"
    assert said in str(error.value)
    check_absent(client, name)


def test_rate_limits_are_told(front: Front, client: Client, name: str, squash: Squash) -> None:
    """Docker Hub doesn't say when to come back; after five tries its own words tell the way out."""
    body = (
        b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. '
        b'You may increase the limit by authenticating and upgrading"}]}'
    )
    fault = front.add("GET .*/manifests/1", status=429, body=body, times=99)
    with pytest.raises(EngineError, match=r"429: You have reached .*\(TOOMANYREQUESTS\)"):
        squash()
    assert fault.met == 5
    check_absent(client, name)


def test_refusals_are_not_repeated(front: Front, squash: Squash) -> None:
    """What is forbidden stays forbidden."""
    fault = front.add("GET .*/manifests/1", status=403, times=99)
    with pytest.raises(EngineError, match="403: out of order"):
        squash()
    assert fault.met == 1


@pytest.mark.parametrize(("without", "status"), [("", 206), ("Range", 200)])
def test_broken_downloads_go_on(
    front: Front, client: Client, name: str, squash: Squash, without: str, status: int
) -> None:
    """From where they broke, or from the start where the registry knows no ranges."""
    layers = [f"GET .*/blobs/{la['digest']}" for la in client.manifest(name, "1")["layers"][1:]]
    for about in layers:
        front.add(about, cut=200_000)
        front.add(about, without=without)

    squash()

    for about in layers:
        assert front.count(f"{about} cut") == 1
        assert front.count(f"{about} {status}") == (2 if status == 200 else 1)
    assert [h["Range"] for h in front.headers if "Range" in h] == ["bytes=200000-"] * 2
    check(client, name)


def test_downloads_that_bring_nothing_are_given_up(
    front: Front, client: Client, name: str, squash: Squash
) -> None:
    """Five broken connections in a row, none with a byte in it."""
    front.add(_BLOBS, cut=0, times=999)
    with pytest.raises(EngineError, match=r"sha256:[0-9a-f]+ broke off: it closed the connection"):
        squash()
    check_absent(client, name)


def test_download_that_is_too_short_is_no_layer(front: Front, squash: Squash) -> None:
    """An answer that ends in good order, but early, is not taken."""
    front.add(_BLOBS, status=200, body=b"short", times=999)
    with pytest.raises((EngineError, DigestMismatch)):
        squash()


def test_wrong_bytes_are_found(front: Front, client: Client, name: str, squash: Squash) -> None:
    """A blob that is not what its digest says stops all; nothing is tagged."""
    front.add(_BLOBS, spoil=True, times=99)
    with pytest.raises(DigestMismatch):
        squash()
    check_absent(client, name)


def test_wrong_manifest_is_found(
    front: Front, client: Client, name: str, source: str, env: Make
) -> None:
    """By the digest it was asked for, or by the one that the registry tells."""
    digest = client.push(f"{name}:1", TARS)
    front.add("GET .*/manifests/", spoil=True, times=2)
    for reference in (source, f"{source.removesuffix(':1')}@{digest}"):
        with pytest.raises(DigestMismatch, match="manifest of"):
            lamella.squash(reference, env=env())


@pytest.mark.parametrize("about", ["GET .*/manifests/", "PUT .*/manifests/"])
def test_registry_that_tells_no_digest(
    front: Front, client: Client, name: str, squash: Squash, about: str
) -> None:
    """Docker-Content-Digest is welcome, not needed."""
    fault = front.add(about, headers={"Docker-Content-Digest": ""}, times=99)
    squash()
    assert fault.met
    check(client, name)


def test_registry_that_stores_something_else(front: Front, squash: Squash) -> None:
    """The digest that it answers with has to be ours."""
    wrong = f"sha256:{'0' * 64}"
    front.add("PUT .*/manifests/", headers={"Docker-Content-Digest": wrong}, times=9)
    with pytest.raises(EngineError, match=f"was stored as {wrong}; expected sha256:"):
        squash()


def test_no_mounting(front: Front, client: Client, name: str, squash: Squash) -> None:
    """A registry that begins an upload in place of a mount gets the blob sent."""
    fault = front.add("POST .*mount=", without="?", times=99)
    squash()
    assert fault.met == 1
    assert front.count("DELETE .*uploads.* 204") == 1
    check(client, name)


def test_mounting_forbidden(front: Front, client: Client, name: str, squash: Squash) -> None:
    """So does one that refuses."""
    front.add("POST .*mount=", status=403, times=99)
    squash()
    check(client, name)


@pytest.mark.parametrize("status", [404, 405, 411, 413, 415, 501])
def test_uploads_in_pieces(
    front: Front,
    client: Client,
    name: str,
    squash: Squash,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    """Where no upload in one piece is taken there are several, and a broken one goes on."""
    monkeypatch.setattr(upload, "_PIECE", 250_000)
    taken = front.add("PUT .*digest", status=status)
    broken = front.add("PATCH", swallow=1000, times=2)

    squash()

    assert taken.met == 1
    assert broken.met == 2
    assert front.count("PATCH .* 202") == 3
    check(client, name)


def test_broken_uploads_begin_again(
    front: Front, client: Client, name: str, squash: Squash
) -> None:
    """The layer waits in the spool until it is there."""
    fault = front.add("PUT .*digest", swallow=100_000, times=2)
    squash()
    assert fault.met == 2
    check(client, name)


def test_connections_that_close_without_an_answer(
    front: Front, client: Client, name: str, squash: Squash
) -> None:
    """They are made anew, whatever was asked."""
    abouts = ["GET .*/manifests/1", "HEAD .*/blobs/", "PUT .*/manifests/", "POST .*uploads/$"]
    faults = [front.add(about, swallow=-1) for about in abouts]
    for fault in faults:
        fault.then = _close
    squash()
    assert [fault.met for fault in faults] == [1, 1, 1, 1]
    check(client, name)


def _close() -> None:
    raise ConnectionResetError


def test_blobs_elsewhere(plain: Server, name: str, env: Make, client: Client) -> None:
    """A redirect is followed; who is elsewhere doesn't get to see our credentials."""
    client.push(f"{name}:1", TARS)
    with front_of(plain.host) as first, front_of(plain.host) as elsewhere:
        for layer_of in client.manifest(name, "1")["layers"]:
            path = f"/v2/{name}/blobs/{layer_of['digest']}"
            target = f"http://{elsewhere.host}{path}?signature=none"
            first.add(f"GET {path}", status=307, headers={"Location": target}, body=b"", times=9)
        first.add("GET .*/v2/$", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        elsewhere.add(f"GET {path}", cut=200_000)
        auth = json.dumps({"auths": {first.host: {"auth": "dGVzdGVyOnNlY3JldA=="}}})
        environment = {"DOCKER_AUTH_CONFIG": auth}

        lamella.squash(
            f"docker://{first.host}/{name}:1",
            "#1",
            f"{name}-o:s",
            env=env(environment=environment),
        )

        assert elsewhere.count("GET .*/blobs/.* 200") == 2
        assert elsewhere.count(f"GET {path}.* cut") == elsewhere.count(f"GET {path}.* 206") == 1
        assert first.count(f"GET {path} 307") == 2, "it goes on where the registry says now"
        assert not any("Authorization" in headers for headers in elsewhere.headers)
        assert sum("Authorization" in headers for headers in first.headers) > 5
    check(client, name)


def test_redirects_without_end(front: Front, source: str, env: Make) -> None:
    """They are not followed for ever."""
    front.add("GET .*/manifests/", status=307, headers={"Location": "again"}, times=99)
    with pytest.raises(EngineError, match="too many redirects"):
        lamella.squash(source, env=env())


def test_token_that_expires_in_the_middle(
    tokened: Server, tokens: TokenServer, name: str, env: Make, tmp_path: Path
) -> None:
    """A token that is refused though it should hold is renewed, in the middle of everything."""
    token = tokens.make([f"repository:{name}:pull,push"])
    client = Client(tokened.host, headers={"Authorization": f"Bearer {token}"})
    client.push(f"{name}:1", TARS)
    with front_of(tokened.host) as front:
        authfile = str(write_auth(tmp_path, front.host))
        challenge = f'Bearer realm="{tokens.realm}",service="tests",error="invalid_token"'
        top = f"GET .*/blobs/{client.manifest(name, '1')['layers'][2]['digest']}"
        front.add(top, cut=200_000)
        front.add("PUT .*digest", status=413)
        for about in (_BLOBS, top, "PATCH", "PUT .*digest", "PUT .*/manifests/"):
            front.add(about, status=401, headers={"WWW-Authenticate": challenge})
        tokens.asked.clear()

        lamella.squash(
            f"docker://{front.host}/{name}:1", "#1", f"{name}:s", env=env(authfile=authfile)
        )

        assert len(tokens.asked) >= 7
        assert [fault.met for fault in front.faults] == [1] * 7
    assert differences(flatten(client.pull(f"{name}:s")[2]), flatten(TARS)) == []


def test_damaged_upload_is_refused(front: Front, client: Client, name: str, squash: Squash) -> None:
    """The registry's own check of the digest is told as it is."""
    front.add("PUT .*digest", status=400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}', times=9)
    with pytest.raises(EngineError, match="400: DIGEST_INVALID"):
        squash()
    check_absent(client, name)


def test_proxy_is_used_and_passed_by(env: Make) -> None:
    """A proxy of the environment is asked for what is not on this machine or on its list."""
    with front_of("127.0.0.1:1") as proxy:
        proxy.add(".*", status=403, times=99)
        environment = {"http_proxy": f"http://{proxy.host}", "https_proxy": f"http://{proxy.host}"}
        with pytest.raises(EngineError):
            lamella.squash(
                "docker://registry.example/a:1", env=env(environment=environment, insecure=True)
            )
        assert proxy.count(".*registry.example")
        seen = len(proxy.requests)
        skip = {**environment, "NO_PROXY": ".example"}
        with pytest.raises(EngineError, match=r"can't reach registry\.example"):
            lamella.squash("docker://registry.example/a:1", env=env(environment=skip))
        assert len(proxy.requests) == seen
