"""What is allowed is no secret, and a line that allows nothing is told."""

from __future__ import annotations

import pytest

from lamella.analysis.model import Secret
from lamella.analysis.secrets.allowed import Allowed
from lamella.errors import UsageError


def file(path: bytes, kind: str = "private key") -> Secret:
    """A file of layer 1."""
    return Secret(path, kind, 1, None)


def value(where: str, name: str, kind: str = "password") -> Secret:
    """Something that the image says."""
    return Secret(b"", kind, None, None, where, name)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("/app/tests/key.pem", file(b"app/tests/key.pem")),
        ("app/tests/key.pem", file(b"app/tests/key.pem")),
        ("/app/tests", file(b"app/tests/deep/key.pem")),
        ("**/*.pem", file(b"app/tests/key.pem")),
        ("app/.git", file(b"app/.git", "Git repository")),
        ("env:DEMO_TOKEN", value("env", "DEMO_TOKEN")),
        ("env:DEMO_*", value("env", "DEMO_TOKEN")),
        ("label:org.demo.token", value("label", "org.demo.token")),
        ("arg:TOKEN", value("build arg", "TOKEN")),
        ("annotation:token", value("annotation", "token")),
        ("config:Cmd", value("config", "Cmd")),
        ("history:3", value("history", "3")),
        ("kind:private key", file(b"a.pem")),
        ("kind:password", value("label", "a")),
        ("kind: JSON web token", file(b"a.txt", "JSON web token")),
    ],
)
def test_allowed(line: str, secret: Secret) -> None:
    """By path, place or kind; other lines are none of its business."""
    allowed = Allowed.parse(["# what we know", "", f"  {line}  ", "env:OTHER", "/other"])
    assert allowed.allows(secret)
    assert allowed.unused() == ["env:OTHER", "/other"]


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("/key.pem", file(b"app/key.pem")),
        ("app/key", file(b"app/key.pem")),
        ("env:TOKEN", value("label", "TOKEN")),
        ("env:TOKEN", value("env", "token")),
        ("history:3", value("history", "30")),
        ("kind:key", file(b"a.pem")),
        ("#/a.pem", file(b"a.pem")),
        ("DEMO_TOKEN", value("env", "DEMO_TOKEN")),
    ],
)
def test_not_allowed(line: str, secret: Secret) -> None:
    """What is not just that."""
    assert not Allowed.parse(line).allows(secret)


def test_path_is_brought_back() -> None:
    """As in .dockerignore, the last pattern counts."""
    allowed = Allowed.parse("tests\n!tests/real.pem\n")
    assert allowed.allows(file(b"tests/a.pem"))
    assert not allowed.allows(file(b"tests/real.pem"))
    assert allowed.unused() == []


@pytest.mark.parametrize("line", ["env:", "kind:  ", "../a", "a[", "/"])
def test_line_without_sense(line: str) -> None:
    """Names the option that it is from."""
    with pytest.raises(UsageError, match=r"^`allow` '.*': expected "):
        Allowed.parse([line])
