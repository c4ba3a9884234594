"""``--change``, ``--unset-…``, ``--annotation``, ``--redact`` and ``--history drop``, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.support.demo import put_demo
from tests.transport.forms import validate_archive, validate_layout


@pytest.fixture
def demo(work: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's image, in the working folder."""
    put_demo(work / "demo.tar")
    monkeypatch.chdir(work)
    return "demo.tar"


CHANGES = (
    *("--change", "ENV A=b DB_TOKEN=hunter2-hunter2", "--change", "USER me"),
    *("--unset-label", "org.opencontainers.image.title", "--redact-name", "A"),
)
TOLD = ("Env.A: none → ***", "Env.DB_TOKEN: none → (hidden)", "User: none → me")


def test_what_changes_is_told_before_it_is_done(lamella: Lamella, demo: str) -> None:
    """A line for each field; then just that comes of it."""
    dry = lamella("squash", demo, "--last", "1", *CHANGES, "--dry-run").worked()
    lines = dry.text.splitlines()
    at = lines.index("fields changed: 3")
    assert [line.strip() for line in lines[at + 1 : at + 4]] == list(TOLD)
    ran = lamella("squash", demo, "--last", "1", *CHANGES, "--exit-code", "-o", "new.tar").worked()
    assert "nothing to squash: only layer 10 was chosen" in ran.err
    assert "changed   Env.A, Env.DB_TOKEN, User\n" in ran.err
    assert "hunter2" not in dry.text + dry.err + ran.text + ran.err
    config = validate_archive(Path("new.tar"))["config"]
    assert config["User"] == "me"
    assert config["Env"][-2:] == ["A=***", "DB_TOKEN=hunter2-hunter2"]


def test_json_tells_the_values(lamella: Lamella, demo: str) -> None:
    """As JSON has them."""
    words = ("--change", 'CMD ["x"]', "--history", "drop", "--json", "--dry-run")
    [cmd, history] = json.loads(lamella("squash", demo, *words).worked().text)["config_changes"]
    assert (cmd["field"], cmd["after"]) == ("Cmd", ["x"])
    assert (history["field"], history["after"]) == ("history", "a blank one for each layer")


def test_nothing_to_do_has_its_code(lamella: Lamella, demo: str) -> None:
    """If the documents stay as they are, too; what is to go and is not there is told."""
    words = ("squash", demo, "--last", "1", "--unset-env", "NONE", "--exit-code", "-o", "new.tar")
    ran = lamella(*words)
    assert ran.code == 3
    assert "--unset-env NONE: the image has no such variable" in ran.err


def test_annotations_are_typed(lamella: Lamella, demo: str) -> None:
    """A value may have = in it."""
    words = ("--annotation", "a=b=c", "--annotation", "manifest:d=", "-o", "oci:new:x")
    lamella("squash", demo, *words).worked()
    assert validate_layout(Path("new"))[0]["annotations"] == {"a": "b=c", "d": ""}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--change", "RUN ls"), "--change 'RUN ls': expected one of CMD, ENTRYPOINT, ENV, "),
        (("--change", "ENV A"), "--change 'ENV A': expected NAME=VALUE"),
        (("--unset-env", "A=b"), "--unset-env 'A=b': expected a name"),
        (("--unset-label", ""), "--unset-label '': expected a name"),
        (("--redact-name", ""), "--redact-name '': expected a name"),
        (("--annotation", "a"), "--annotation 'a': expected KEY=VALUE"),
        (("--annotation", "index:=a"), "--annotation 'index:': expected KEY, manifest:KEY or"),
        (("--annotation", "index:a=b"), "--annotation 'index:a': no index is written here"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    lamella: Lamella, demo: str, typed: tuple[str, str], told: str
) -> None:
    """In the words of the command line, before anything is written; `batch` says it, too."""
    ran = lamella("squash", demo, *typed, "-o", "oci:new:x").failed(2, f"lamella: {told}")
    assert ran.err.count("\n") == 1
    assert not Path("new").exists()
    ran = lamella("batch", demo, *typed, "--to", "oci:new:x")
    assert ran.code == 2
    assert told in ran.text + ran.err
