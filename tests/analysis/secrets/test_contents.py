"""Tokens in files are found whatever the files are called, and the right file is told."""

from __future__ import annotations

import pytest

from lamella.analysis.model import Secret
from lamella.analysis.secrets.contents import LARGEST
from lamella.analysis.secrets.find import secrets_in
from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from tests.analysis.looking import analyze
from tests.analysis.secrets.examples import EXAMPLES, base62_token
from tests.support.tars import Entry, entry, layer, whiteout

TOKEN = base62_token("ghp_").encode()
FILES = {f"srv/{number:03}": (what, text) for number, (what, text) in enumerate(EXAMPLES)}


def found_in(*tars: bytes) -> tuple[Secret, ...]:
    """Analyze layers."""
    return analyze(*tars).secrets or ()


def planted(between: bytes = b"nothing\n") -> list[Entry]:
    """A file for each example, others between them."""
    return [
        one
        for path, (_, text) in FILES.items()
        for one in (entry(f"{path}-0", between), entry(path, f"# {text}\nend".encode()))
    ]


@pytest.mark.parametrize("between", [b"nothing\n", b"x" * 70_000, b""])
def test_all_kinds_are_found_live_and_dead(between: bytes) -> None:
    """Files that lie together are looked at together, and each has its own result."""
    tar = layer(*planted(between))
    gone = layer(*(whiteout(path) for path in FILES))
    for tars, killed in (([tar], None), ([layer("a"), tar, gone], 3)):
        secrets = found_in(*tars)
        assert [(one.path.decode(), one.kind) for one in secrets] == [
            (path, what) for path, (what, _) in FILES.items()
        ]
        assert {one.removed_by for one in secrets} == {killed}
        assert {one.layer for one in secrets} == {len(tars) - bool(killed) or 1}


def test_values_are_never_shown_whole() -> None:
    """The first four characters, and how many there are."""
    (secret,) = found_in(layer(entry("a", b"x=" + TOKEN)))
    assert (secret.where, secret.name) == ("file", "")
    assert secret.shown == f"{TOKEN[:4].decode()}… (40 characters)"
    (short,) = found_in(layer(entry("a", b"https://me:hunter2@host/")))
    assert short.shown == "… (7 characters)"


@pytest.mark.parametrize(
    "place",
    [
        entry("binary", b"\x7fELF\0" + TOKEN),
        entry("large", b" " * LARGEST + TOKEN),
        entry("usr/lib/python3/dist-packages/a/tests/data.py", TOKEN),
        entry("app/node_modules/a/docs/index.js", TOKEN),
        entry("app/node_modules/a/README.md", TOKEN),
        entry("usr/share/go/src/net/url_test.go", TOKEN),
        entry("opt/python/lib/python3.13/test/data.py", TOKEN),
    ],
)
def test_not_looked_at(place: Entry) -> None:
    """Binary files, large ones, examples that packages bring."""
    assert found_in(layer(place, entry("b", b"nothing at all, really"))) == ()


def test_file_as_large_as_can_be() -> None:
    """The token is at its very end."""
    tar = layer(entry("a", b" " * (LARGEST - len(TOKEN)) + TOKEN), entry("b", TOKEN))
    assert [secret.path for secret in found_in(tar)] == [b"a", b"b"]


def test_token_over_the_end_of_a_file_is_none() -> None:
    """Two files that lie one behind the other are two."""
    # Content fills a block, so only the header is between them.
    half = entry("a", b" " * (512 - 20) + TOKEN[:20])
    assert found_in(layer(half, entry("b", TOKEN[20:]))) == ()


def test_name_of_a_file_is_no_content() -> None:
    """It is in a header, between two files."""
    tar = layer(
        entry("before", b"nothing at all, really"), entry(TOKEN.decode(), b"nothing at all")
    )
    assert found_in(tar) == ()


def test_a_file_known_by_its_name_is_told_once() -> None:
    """By its name, though its content tells, too."""
    (secret,) = found_in(layer(entry("app/.npmrc", b"//r/:_authToken=" + TOKEN)))
    assert (secret.kind, secret.shown) == ("package manager token", "")


def test_members_and_kinds_come_first() -> None:
    """What is squashed without secrets asks for these."""
    tar = Bytes(layer(entry("a.txt", TOKEN)))
    ((member, what, *_),) = secrets_in(read_changeset(tar, 0).entries, tar)
    assert (member.path, what) == (b"a.txt", "GitHub token")
