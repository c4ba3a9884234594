"""Which images a pattern means."""

from __future__ import annotations

from pathlib import Path

import pytest

import lamella
from lamella.errors import EngineError, ImageNotFound, LamellaError, UsageError
from lamella.transport.environment import Environment
from lamella.transport.patterns import matcher
from lamella.transport.transports import expand
from tests.fleet.conftest import registry
from tests.odd.answers import Answer, Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive
from tests.transport.forms import TARS, layout_of

__all__ = ["registry"]


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("team/*", ["team/app"], ["team/a/b", "steam/app"]),
        ("team/**", ["team/app", "team/a/b"], ["team"]),
        ("app?", ["app1"], ["app", "app12", "app/"]),
        ("v[0-9]", ["v1"], ["va", "v"]),
        ("v[!0-9]", ["va"], ["v1"]),
        ("a.b+c", ["a.b+c"], ["axb+c", "a.bbc"]),
        ("*", ["a"], ["a/b"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], fails: list[str]) -> None:
    """As in a shell."""
    found = matcher(pattern)
    assert [name for name in [*fits, *fails] if found.fullmatch(name)] == fits


def tags(host: str, *names: str) -> list[str]:
    """Name images of a registry."""
    return [f"docker://{host}/{name}" for name in names]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("team/*:v*", ["team/app:v1", "team/app:v2", "team/web:v1"]),
        ("team/app:*", ["team/app:old", "team/app:v1", "team/app:v2"]),
        ("team/w*", ["team/web:v1"]),
        ("**:v1", ["other/db:v1", "team/app:v1", "team/web:v1"]),
    ],
)
def test_a_registry(registry: MemoryRegistry, pattern: str, wanted: list[str]) -> None:
    """Catalogue and tags, all of their pages; a pattern without a tag means every tag."""
    found = expand(f"docker://{registry.host}/{pattern}", Environment())
    assert found == tags(registry.host, *wanted)


def test_a_registry_that_lists_nothing() -> None:
    """It is said what is missing, and what to give in its place."""
    with registry_in_memory(Oddly(0)) as registry:
        registry.answer = lambda asked: Answer(200 if asked.path == "/v2/" else 404, b"")  # type: ignore[method-assign]
        told = f"^registry {registry.host}: can't list its repositories: 404: .*; name the rep"
        with pytest.raises(EngineError, match=told):
            expand(f"docker://{registry.host}/*/app:1", Environment())


def test_what_is_no_pattern_is_not_looked_for() -> None:
    """No request is made."""
    name = "docker://127.0.0.1:1/team/app:v1"
    assert expand(name, Environment()) == [name]


def test_a_layout_and_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names in the layout; by the archives in the folder, and nothing else there."""
    monkeypatch.chdir(tmp_path)
    for tag in ("v1", "v2", "x"):
        layout_of().write(tmp_path / "one")
        lamella.squash("oci:one", last=2, output=f"oci:all:{tag}")
    assert expand("oci:all:v*", Environment()) == ["oci:all:v1", "oci:all:v2"]
    folder = tmp_path / "archives"
    (folder / "sub.tar").mkdir(parents=True)
    for name in ("b.tar", "a.tar.gz", "notes.txt"):
        (folder / name).write_bytes(docker_archive(*TARS))
    assert expand("archives", Environment()) == ["./archives/a.tar.gz", "./archives/b.tar"]
    assert expand(str(folder), Environment()) == [str(folder / n) for n in ("a.tar.gz", "b.tar")]


def test_nothing_is_an_error(registry: MemoryRegistry, tmp_path: Path) -> None:
    """Nobody wants a batch of no images to succeed."""
    cases: list[tuple[str, type[LamellaError], str]] = [
        (f"docker://{registry.host}/nobody/*", ImageNotFound, "no image matches"),
        (f"docker://{registry.host}/nobody/app:*", ImageNotFound, "no repository"),
        ("docker://reg*/app", UsageError, "HOST in full"),
        ("team/*", UsageError, "expected a transport before it"),
        ("oci:all*", UsageError, "DIR in full"),
        (f"docker://{registry.host}/a[b", UsageError, "expected ] after ["),
        (str(tmp_path / "empty"), ImageNotFound, "no image matches"),
        ("docker://127.0.0.1:1/a/*", EngineError, "can't reach 127.0.0.1:1: "),
    ]
    (tmp_path / "empty").mkdir()
    for pattern, kind, words in cases:
        with pytest.raises(kind, match=words.replace("[", r"\[")):
            expand(pattern, Environment())
