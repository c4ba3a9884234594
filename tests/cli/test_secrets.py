"""Secrets wherever they are: every report tells where, none shows a value; a list allows some."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.analysis.secrets.examples import base62_token
from tests.cli.conftest import Lamella
from tests.support.images import docker_archive, made_by
from tests.support.tars import entry, layer
from tests.transport.forms import validate_archive

FILE, ARG = base62_token("ghp_"), base62_token("npm" + "_")
PASSWORD = "correct-Horse7"
VALUES = FILE, ARG, PASSWORD
STEPS = made_by(
    "ADD base",
    f"|1 THING={ARG} /bin/sh -c make",
    f"(ENV DB_PASSWORD={PASSWORD})",
)
TARS = (
    layer(entry("etc/a", b"nothing at all, really")),
    layer(entry("app/run.sh", f"key={FILE}\n".encode()), entry("app/.npmrc", b"_auth = abc\n")),
)
PLACES = ("/app/run.sh", "/app/.npmrc", "ARG THING", "history, step 3")


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with two secrets in a layer and two in its history."""
    path = tmp_path_factory.mktemp("leaky") / "leaky.tar"
    path.write_bytes(docker_archive(*TARS, history=STEPS))
    return str(path)


@pytest.fixture(autouse=True)
def in_work(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named as somebody in that folder names them."""
    monkeypatch.chdir(work)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "markdown", "github"])
def test_each_report_tells_where(lamella: Lamella, leaky: str, form: str) -> None:
    """All four, and of no value more than its beginning."""
    ran = lamella("analyze", leaky, "--forbid-secrets", "--format", form).worked(6)
    text = ran.text
    if form == "json":
        found = json.loads(text)["secrets"]
        assert [(one["where"], one["name"], one["layer"]) for one in found] == [
            ("file", "", 2),
            ("file", "", 2),
            ("build arg", "THING", 2),
            ("history", "3", None),
        ]
        assert [one["path"] for one in found] == ["app/run.sh", "app/.npmrc", "", ""]
        assert found[0]["shown"] == f"{FILE[:4]}… (40 characters)"
    else:
        assert [place for place in PLACES if place not in text] == []
    # The document has all commands of the history as they are.
    assert not any(value in text for value in ((FILE,) if form == "json" else VALUES))


def test_the_page_tells_where(lamella: Lamella, leaky: str, work: Path) -> None:
    """And hides the values in the history, too."""
    lamella("analyze", leaky, "--html", "page.html").worked()
    text = (work / "page.html").read_text(encoding="utf-8")
    assert [place for place in PLACES if place not in text] == []
    assert "replace the secret in build arg THING and 1 more" in text
    assert not any(value in text for value in VALUES)


def test_allowed_secrets_are_none(lamella: Lamella, leaky: str, work: Path) -> None:
    """From a file, or from the rules; a line that allows nothing is told."""
    lines = "# known\n/app/run.sh\nkind:package manager token\n", "arg:THING\nhistory:3\nenv:X\n"
    (work / "one").write_text(lines[0], encoding="utf-8")
    (work / "two").write_text(lines[1], encoding="utf-8")
    args = ("analyze", leaky, "--forbid-secrets")
    ran = lamella(*args, "--allow", "one", "--allow", "two").worked()
    assert "pass  forbid-secrets: 0 likely secrets" in ran.text
    assert "--allow env:X: no likely secret is there" in ran.err
    known = ["app", "arg:*", "history:3"]
    rules = f"[rules]\nforbid-secrets = true\nallow = {json.dumps(known)}\n"
    (work / "rules.toml").write_text(rules, encoding="utf-8")
    lamella("analyze", leaky, "--rules", "rules.toml").worked()
    lamella("analyze", leaky, "--allow", "nowhere").failed(2, "--allow nowhere: ")
    (work / "one").write_text("env:\n", encoding="utf-8")
    lamella(*args, "--allow", "one").failed(2, "--allow 'env:': expected a name")
    lamella("analyze", leaky, "--allow", "two", "--no-secrets-scan").failed(2, "--allow")


def test_squash_leaves_allowed_files(lamella: Lamella, leaky: str, work: Path) -> None:
    """The other one goes; what was to be allowed and is not there is told."""
    (work / "known").write_text("app/run.sh\nkind:age key\n", encoding="utf-8")
    args = ("squash", leaky, "--remove-secrets", "--allow", "known", "-o", "new.tar")
    ran = lamella(*args, "--json").worked()
    assert [one["path"] for one in json.loads(ran.out)["secrets"]["removed"]] == ["app/.npmrc"]
    assert "--allow kind:age key: no likely secret is there" in ran.err
    assert lamella("cat", "new.tar", "/app/run.sh").worked().text == f"key={FILE}\n"
    lamella("squash", leaky, "--allow", "known", "-o", "x.tar").failed(2, "--remove-secrets")


def test_what_an_analysis_tells_and_a_list_allows_is_not_redacted(
    lamella: Lamella, leaky: str, work: Path
) -> None:
    """By one list for all: its lines of files are for others."""
    (work / "known").write_text("history:3\narg:NONE\napp/run.sh\n", encoding="utf-8")
    args = ("squash", leaky, "--last", "1", "--redact", "--allow", "known", "-o", "new.tar")
    ran = lamella(*args).worked()
    assert [line for line in ran.err.splitlines() if line.startswith("--allow")] == [
        "--allow arg:NONE: no likely secret is there"
    ]
    history = [step["created_by"] for step in validate_archive(work / "new.tar")["history"]]
    assert f"ENV DB_PASSWORD={PASSWORD}" in history
    assert "|1 THING=*** /bin/sh -c make" in history
    for name in ("known", "none"):
        to, allow = f"docker-archive:{name}.tar", ("--allow", name)
        (work / "none").write_text("", encoding="utf-8")
        words = ("batch", leaky, "--to", to, "--last", "1", "--redact")
        lamella(*words, *allow).worked()
        made = (work / f"{name}.tar").read_bytes()
        assert (PASSWORD.encode() in made) == (name == "known")


def test_batch_leaves_allowed_files(lamella: Lamella, leaky: str, work: Path) -> None:
    """All images by the same list; a line without sense is told before any work."""
    (work / "known").write_text("app/run.sh\n", encoding="utf-8")
    (work / "made").mkdir()
    words = ("batch", leaky, "--to", "docker-archive:made/{name}.tar", "--remove-secrets")
    lamella(*words, "--allow", "known").worked()
    (made,) = (work / "made").iterdir()
    assert lamella("cat", str(made), "/app/run.sh").worked().text == f"key={FILE}\n"
    lamella("cat", str(made), "/app/.npmrc").failed(2)
    (work / "known").write_text("history:\n", encoding="utf-8")
    lamella(*words, "--allow", "known").failed(2, "--allow 'history:'")
