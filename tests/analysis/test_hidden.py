"""Values that are not shown: those that have the name of a secret."""

from __future__ import annotations

import time

import pytest

from lamella.analysis.hidden import hide_setting, hide_values, shown_instruction


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ENV GITHUB_TOKEN=ghp_1", "ENV GITHUB_TOKEN=(hidden)"),
        ("ENV MY_SECRET two words", "ENV MY_SECRET (hidden)"),
        ("ENV DB_PASSWORD=a b c PATH=/bin", "ENV DB_PASSWORD=(hidden) PATH=/bin"),
        ("ENV A=1 DB_PASSWORD=p=q r", "ENV A=1 DB_PASSWORD=(hidden)"),
        ('LABEL a=b secret="x y" c=d', "LABEL a=b secret=(hidden) c=d"),
        ("RUN TOKEN=abc make", "RUN TOKEN=(hidden) make"),
        ("RUN curl --password pw http://x", "RUN curl --password (hidden) http://x"),
        ("RUN git clone https://me:pw@host/x.git", "RUN git clone https://me:(hidden)@host/x.git"),
        ('CMD ["--password", "x y", "z"]', 'CMD ["--password", (hidden), "z"]'),
        ('{"token": "abc"}', '{"token": (hidden)}'),
    ],
)
def test_hidden_in_commands(text: str, shown: str) -> None:
    """All of a value, and no more; what is hidden stays as it is."""
    assert hide_values(text) == shown
    assert hide_values(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "RUN apt-get install passwd",
        "RUN --mount=type=secret,id=npm_token make",
        "RUN --mount=type=secret,id=npm_token npm ci",
        "docker build --secret id=npmrc,src=.npmrc .",
        "COPY token.txt /tmp/secret",
        "RUN curl https://host:8080/a@b",
    ],
)
def test_not_hidden(text: str) -> None:
    """What only speaks of secrets."""
    assert hide_values(text) == text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("DB_PASSWORD=a b c", "DB_PASSWORD=(hidden)"),
        ("MYSQL_PWD=x", "MYSQL_PWD=(hidden)"),
        ("URL=postgres://u:p@h/db", "URL=postgres://u:(hidden)@h/db"),
        ("PASSWORD=", "PASSWORD="),
        ("PATH=/bin", "PATH=/bin"),
        ("PWD=/app", "PWD=/app"),
    ],
)
def test_hidden_in_settings(line: str, shown: str) -> None:
    """Of a variable or a label the value is all that follows, with its blanks."""
    assert hide_setting(line) == shown


def test_an_instruction_is_shown_without_them() -> None:
    """Or with them, for who asks."""
    step = "/bin/sh -c #(nop)  ENV TOKEN=a"
    assert shown_instruction(step) == "ENV TOKEN=(hidden)"
    assert shown_instruction(step, hide=False) == "ENV TOKEN=a"


@pytest.mark.parametrize(
    "text",
    [
        f"LABEL TOKEN={' ' * 8000}",
        f"ENV TOKEN={' a' * 8000}",
        f"ENV {'TOKEN=x ' * 8000}",
        f"RUN {'--token ' * 8000}",
        f"RUN {'https://a:b@' * 8000}",
    ],
    ids=["blanks", "words", "settings", "options", "addresses"],
)
def test_a_long_step_takes_no_time(text: str) -> None:
    """Whoever builds an image says what its history is."""
    start = time.process_time()
    hide_values(text)
    assert time.process_time() - start < 1
