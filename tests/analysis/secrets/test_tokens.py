"""Each kind of token is known by its form, and what only looks like one is none."""

from __future__ import annotations

import pytest

from lamella.analysis.secrets.anchors import make_finder
from lamella.analysis.secrets.tokens import TOKENS, find_tokens, hide_tokens
from tests.analysis.secrets.examples import EXAMPLES, base62_token, pem

WHOLE = "whole"


def kinds_in(text: str) -> set[str]:
    """What is found in a text."""
    return {token.kind.what for token in find_tokens(text.encode())}


@pytest.mark.parametrize(("what", "text"), EXAMPLES)
def test_example_is_found(what: str, text: str) -> None:
    """Alone, in JSON, in a shell script; and nothing else."""
    quoted = text.replace("\n", "\\n").replace('"', '\\"')
    for around in ("{}", 'a = "{}"\n', "export A={}\n", "TOKEN='{}';"):
        assert kinds_in(around.replace("{}", text)) == {what}
    if what != "private key":
        assert kinds_in(f'{{"a": "x\\n{quoted}"}}') == {what}


@pytest.mark.parametrize(("what", "text"), EXAMPLES)
def test_example_is_hidden(what: str, text: str) -> None:
    """The secret is gone, and is not found again."""
    shown = hide_tokens(f"before {text} after", "***")
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert kinds_in(shown) == set(), what


def test_each_kind_has_an_example() -> None:
    """A new line of the table without one fails here."""
    assert {kind.what for kind in TOKENS} == {what for what, _ in EXAMPLES}


@pytest.mark.parametrize(
    "text",
    [
        base62_token("ghp_")[:-1] + "!",
        base62_token("ghp_").swapcase(),
        base62_token("x_ghp_"),
        "npm_" + "x" * 36,
        "AKIA" + "IOSFODNN7EXAMPLE and a hash da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "AKIA" + "ZQ3NTGMVK5XPLE6D without its secret",
        "sk_test_" + "a8Zq0Kd73hGs9LmN2bVcXy1T",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        pem("PUBLIC KEY"),
        "-----BEGIN " + "PRIVATE KEY-----\n" + pem("CERTIFICATE"),
        "https://user:${PASSWORD}@host/",
        "https://user:<password>@host/",
        "https://user:password@host/",
        "https://me:Zq8-hunter@example.com/",
        "https://me:Zq8-hunter@db.example:5432/x",
        "https://host:8080/a@b",
        "git@host:owner/name@v1",
        "postgres://postgres:postgres@localhost/test",
        "age: AGE-SECRET-" + "KEY-1" + "Q" * 58,
        "hf_tokenizers_are_fast_and_have_names",
        "eyJ" + "hbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "Account" + "Key=" + "A" * 86 + "==",
    ],
)
def test_no_token(text: str) -> None:
    """Wrong checksums, placeholders, test keys, parts of something else."""
    assert kinds_in(text) == set()


def test_a_text_made_to_keep_us_busy_is_done_soon() -> None:
    """A million beginnings of keys, and nothing behind them."""
    begin = b"-----BEGIN " + b"PRIVATE KEY-----\n"
    assert list(find_tokens(begin * (1 << 15))) == []
    assert list(find_tokens(b"AKIA" + b"QWERTYUIOPASDFGH " * (1 << 15))) == []
    assert list(find_tokens(b"eyJ" + b"aaaaaaaaaaaaaaaaa eyJ" * (1 << 15))) == []
    assert list(find_tokens(b"x.eyJaaaaaaaaaaaaaaa" * (1 << 15))) == []


def test_all_tokens_of_a_text_are_found() -> None:
    """Near each other and far apart, of one kind and of many."""
    tokens = [base62_token("ghp_") for _ in range(5)]
    for between in (" ", "\n" + "x" * 500 + "\n", " " * 5000):
        found = find_tokens(between.join(tokens).encode())
        assert len({one.start for one in found}) == len(tokens)
    every = "\n".join(text for _, text in EXAMPLES)
    assert kinds_in(every) == {what for what, _ in EXAMPLES}


def test_both_ways_to_look_for_anchors_find_the_same() -> None:
    """With Hyperscan, and where there is none."""
    hyperscan = pytest.importorskip("hyperscan")
    assert hyperscan
    from lamella.analysis.secrets import anchors  # noqa: PLC0415 - after the look for it

    patterns = [kind.anchor for kind in TOKENS]
    text = "\n".join(text for _, text in EXAMPLES).encode()
    quick, slow = make_finder(patterns), anchors._with_expressions(patterns)  # noqa: SLF001
    assert {number for number, _ in slow(text)} == set(range(len(patterns)))
    assert set(slow(text)) <= set(quick(text))
