"""Which engine is meant: the docker command's own rules."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lamella.errors import EngineError
from lamella.transport.engine.host import Host, TlsFiles, find_host

SOCKET = "unix:///var/run/docker.sock"


def make_context(folder: Path, name: str, endpoint: object) -> Path:
    """Make a Docker context; return its folder for TLS files."""
    hashed = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / hashed
    meta.mkdir(parents=True)
    value = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (meta / "meta.json").write_text(json.dumps(value))
    return folder / "contexts/tls" / hashed / "docker"


def test_the_usual_socket_without_anything() -> None:
    """Nothing is set, and there is no home folder."""
    assert find_host({}) == Host(SOCKET)


def test_docker_host_wins(tmp_path: Path) -> None:
    """Over the context that is named, and the one that is current."""
    (tmp_path / "config.json").write_text('{"currentContext": "away"}')
    environment = {"DOCKER_HOST": "tcp://one:1", "DOCKER_CONTEXT": "two"}
    assert find_host({**environment, "DOCKER_CONFIG": str(tmp_path)}) == Host("tcp://one:1")


def test_named_context_wins_over_the_current_one(tmp_path: Path) -> None:
    """DOCKER_CONTEXT, then `docker context use`."""
    make_context(tmp_path, "one", {"Host": "unix:///one.sock"})
    make_context(tmp_path, "two", {"Host": "ssh://two"})
    (tmp_path / "config.json").write_text('{"currentContext": "two"}')
    config = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_host(config) == Host("ssh://two", None, "two")
    named = find_host({**config, "DOCKER_CONTEXT": "one"})
    assert named == Host("unix:///one.sock", None, "one")
    assert str(named) == "unix:///one.sock (context one)"
    assert find_host({**config, "DOCKER_CONTEXT": "default"}) == Host(SOCKET)


def test_config_lies_in_the_home_folder(tmp_path: Path) -> None:
    """As long as DOCKER_CONFIG says nothing else."""
    make_context(tmp_path / ".docker", "one", {"Host": "unix:///one.sock"})
    assert find_host({"HOME": str(tmp_path), "DOCKER_CONTEXT": "one"}).url == "unix:///one.sock"


def test_tls_files_of_a_context(tmp_path: Path) -> None:
    """They lie beside it; a context can also say that the engine need not prove itself."""
    files = make_context(tmp_path, "far", {"Host": "tcp://far:2376", "SkipTLSVerify": True})
    files.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (files / name).touch()
    found = find_host({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"})
    assert found.tls == TlsFiles(
        files / "ca.pem", files / "cert.pem", files / "key.pem", verify=False
    )


def test_tls_of_the_environment(tmp_path: Path) -> None:
    """Files in DOCKER_CERT_PATH, else beside the config; only if TLS is asked for at all."""
    (tmp_path / "ca.pem").touch()
    tcp = {"DOCKER_HOST": "tcp://far:2376"}
    verified = find_host({**tcp, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
    assert verified.tls == TlsFiles(tmp_path / "ca.pem", None, None, verify=True)
    unverified = find_host({**tcp, "DOCKER_TLS": "1", "DOCKER_CONFIG": str(tmp_path)})
    assert unverified.tls == TlsFiles(tmp_path / "ca.pem", None, None, verify=False)
    assert find_host({**tcp, "DOCKER_CERT_PATH": str(tmp_path)}).tls is None


@pytest.mark.parametrize(
    ("skip", "names", "tls"),
    [
        (False, [], None),
        (True, [], (None, None, None, False)),
        (False, ["ca.pem"], ("ca.pem", None, None, True)),
        (True, ["ca.pem"], ("ca.pem", None, None, False)),
        (False, ["cert.pem", "key.pem"], (None, "cert.pem", "key.pem", True)),
    ],
)
def test_when_a_context_means_tls(
    tmp_path: Path, skip: bool, names: list[str], tls: tuple[str | None, ...] | None
) -> None:
    """Where it has files, or says that the engine need not prove itself: never plain HTTP then."""
    files = make_context(tmp_path, "far", {"Host": "tcp://far:2376", "SkipTLSVerify": skip})
    files.mkdir(parents=True)
    for name in names:
        (files / name).touch()
    found = find_host({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}).tls
    if tls is None:
        assert found is None
    else:
        ca, cert, key = (files / name if name else None for name in tls[:3])
        assert found == TlsFiles(ca, cert, key, verify=bool(tls[3]))


def test_tls_that_can_t_be_had(tmp_path: Path) -> None:
    """It is asked for: nothing is spoken in the clear instead, nor with other certificates."""
    asked = {"DOCKER_HOST": "tcp://far:1", "DOCKER_CERT_PATH": str(tmp_path)}
    for name in ("DOCKER_TLS", "DOCKER_TLS_VERIFY"):
        with pytest.raises(EngineError, match=f"{name} is set, but there is no ca.pem in "):
            find_host({**asked, name: "1"})
    (tmp_path / "ca.pem").touch()
    (tmp_path / "key.pem").touch()
    with pytest.raises(EngineError, match=r"cert.pem and key.pem belong together"):
        find_host({**asked, "DOCKER_TLS": "1"})


def test_tls_without_a_host(tmp_path: Path) -> None:
    """Then the engine is this machine's, at its port for TLS, as for docker."""
    (tmp_path / "ca.pem").touch()
    found = find_host({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
    assert found == Host("tcp://localhost:2376", TlsFiles(tmp_path / "ca.pem", None, None))


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    """The message names it, and what lists the others."""
    with pytest.raises(EngineError, match="no Docker context 'gone'; `docker context ls`"):
        find_host({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


@pytest.mark.parametrize("endpoint", [None, {}, [], {"Host": None}, "text"])
def test_a_context_that_names_no_engine(tmp_path: Path, endpoint: object) -> None:
    """One of Kubernetes, or damage."""
    make_context(tmp_path, "odd", endpoint)
    with pytest.raises(EngineError, match="the Docker context 'odd' names no engine"):
        find_host({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "odd"})


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_damaged_config(tmp_path: Path, content: str) -> None:
    """It is not passed over: another engine than the one meant would be changed."""
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(EngineError, match=r"can't read .*config\.json"):
        find_host({"DOCKER_CONFIG": str(tmp_path)})


def test_a_damaged_config_where_the_engine_is_named(tmp_path: Path) -> None:
    """Which engine is meant does not depend on it."""
    (tmp_path / "config.json").write_text("{")
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "tcp://one:1"}
    assert find_host(environment) == Host("tcp://one:1")


# -- what goes with every request


def test_headers_of_the_config(tmp_path: Path) -> None:
    """HttpHeaders, in the shape in which the docker command keeps them; never shown."""
    (tmp_path / "config.json").write_text('{"HttpHeaders": {"X-Token": "secret"}}')
    found = find_host({"DOCKER_CONFIG": str(tmp_path)})
    assert found.headers == {"X-Token": "secret"}
    assert "secret" not in repr(found)


def test_headers_of_the_environment(tmp_path: Path) -> None:
    """They replace those of the config; values may have commas if they are quoted."""
    (tmp_path / "config.json").write_text('{"HttpHeaders": {"X-Token": "secret"}}')
    asked = ' A=1,"B=2, and 3",C='
    found = find_host({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CUSTOM_HEADERS": asked})
    assert found.headers == {"A": "1", "B": "2, and 3", "C": ""}


@pytest.mark.parametrize(
    "text", ["A", "A=1,B", "=1", "a b=1", '"A=1', "A=\x1b", "A=1\nB=2", "A=\u00e9"]
)
def test_headers_that_are_none(text: str) -> None:
    """The message names the variable, and shows no value."""
    with pytest.raises(EngineError, match=r"^DOCKER_CUSTOM_HEADERS") as error:
        find_host({"DOCKER_CUSTOM_HEADERS": text})
    assert str(error.value).isprintable()


@pytest.mark.parametrize("value", [5, "x", ["a"], {"A": 1}])
def test_headers_of_another_form(tmp_path: Path, value: object) -> None:
    """The config holds them as names and texts."""
    (tmp_path / "config.json").write_text(json.dumps({"HttpHeaders": value}))
    with pytest.raises(EngineError, match=r"HttpHeaders in Docker's config\.json"):
        find_host({"DOCKER_CONFIG": str(tmp_path)})


def test_version_of_the_api() -> None:
    """DOCKER_API_VERSION, as the docker command takes it."""
    assert find_host({"DOCKER_API_VERSION": "1.41"}).api == "1.41"
    with pytest.raises(EngineError, match="DOCKER_API_VERSION=new: expected a version such as"):
        find_host({"DOCKER_API_VERSION": "new"})


def test_a_named_tls_file_must_be_there(tmp_path: Path) -> None:
    """It does not fall back on the usual one."""
    (tmp_path / "ca.pem").touch()
    environment = {
        "DOCKER_HOST": "tcp://far:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
        "LAMELLA_DOCKER_TLSCACERT": f"{tmp_path}/nosuch.pem",
    }
    with pytest.raises(EngineError, match=r"nosuch\.pem: there is no such file"):
        find_host(environment)
