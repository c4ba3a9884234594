"""Reports for machines that build: SARIF, JUnit, Markdown, GitHub's annotations."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.support.schemas import assert_valid, sarif_schema
from tests.support.tars import layer, whiteout

KEY = b"-----BEGIN PRIVATE KEY-----\n"
NASTY = "a|b``c`d\n::error::pwned ##[add-mask]x %0A \x1b[2J <script> \u6a21 d:e,f"
RULES = ("--max-dead", "5%", "--max-layers", "9", "--forbid-secrets")


@pytest.fixture
def nasty(work: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An image with two secrets; the name of one is an attack on whoever shows it."""
    first = layer((f"root/.ssh/{NASTY}", KEY), ("root/.ssh/id_rsa", KEY), ("big", b"b" * 9000))
    (work / "nasty.tar").write_bytes(docker_archive(first, layer(whiteout("root/.ssh/id_rsa"))))
    monkeypatch.chdir(work)
    return "nasty.tar"


def runner_commands(text: str) -> list[tuple[str, str, str]]:
    """What GitHub's runner makes of output: commands with titles and messages, unescaped."""
    found = []
    for line in text.splitlines():
        if match := re.fullmatch(r"::(\w+) title=([^:,]*)::(.*)", line.strip()):
            title, message = map(_unescaped, match.group(2, 3))
            found.append((match[1], title, message))
        else:  # the runner looks for these anywhere in a line that is no command
            assert not line.strip().startswith("::"), line
            assert "##[" not in line, line
    return found


def _unescaped(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
        text = text.replace(code, character)
    return text.replace("%25", "%")


# --- SARIF ----------------------------------------------------------------------------------------


def sarif(lamella: Lamella, work: Path, image: str, *rules: str, code: int) -> dict[str, Any]:
    """Return the run of a log that is valid by OASIS's schema."""
    path = work / "log.sarif"
    path.write_bytes(lamella("analyze", image, "--format", "sarif", *rules).worked(code).out)
    assert_valid(path, "--schemafile", sarif_schema())
    log = json.loads(path.read_bytes())
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    found: dict[str, Any] = run
    return found


def test_sarif_has_broken_rules_and_secrets(lamella: Lamella, work: Path, nasty: str) -> None:
    """A result each, with the rule it belongs to, and where: layer and path."""
    run = sarif(lamella, work, nasty, *RULES, code=6)
    driver = run["tool"]["driver"]
    assert driver["name"] == "lamella"
    assert f"lamella {driver['version']}" == lamella("--version").text.strip()
    names = [rule["id"] for rule in driver["rules"]]
    assert names == ["max-dead", "max-layers", "forbid-secrets", "likely-secret"]
    assert "binary files and files over 1 MiB" in driver["rules"][2]["fullDescription"]["text"]
    results = run["results"]
    assert [result["ruleId"] for result in results] == [
        *("max-dead", "forbid-secrets", "likely-secret", "likely-secret")
    ]
    for result in results:
        assert names[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] == "error"
        assert result["message"]["text"].isprintable()
    assert results[0]["properties"]["limit"] == 0.05
    [where] = results[3]["locations"]
    assert where["logicalLocations"][0]["fullyQualifiedName"] == "layer 1/root/.ssh/id_rsa"
    assert where["physicalLocation"]["artifactLocation"]["uri"] == "root/.ssh/id_rsa"
    assert results[3]["properties"]["removed_by"] == 2


def test_sarif_without_rules(lamella: Lamella, work: Path, nasty: str) -> None:
    """Secrets are warnings, and fail nothing."""
    results = sarif(lamella, work, nasty, code=0)["results"]
    found = [(result["ruleId"], result["level"]) for result in results]
    assert found == [("likely-secret", "warning")] * 2


@pytest.mark.parametrize("name", ["docker-archive:nasty.tar", "./nasty.tar", "a b:c.tar"])
def test_sarif_of_any_name(lamella: Lamella, work: Path, nasty: str, name: str) -> None:
    """A place in it is a relative reference, whatever the image is called."""
    if not Path(name.removeprefix("docker-archive:")).exists():
        Path(nasty).rename(name)
    [result] = sarif(lamella, work, name, "--max-dead", "0", code=6)["results"][:1]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert ":" not in uri.partition("/")[0]


# --- JUnit ----------------------------------------------------------------------------------------


# What Jenkins takes, by element: attributes that it must have, others that it may have, children.
# No package carries a schema: https://github.com/jenkinsci/xunit-plugin has one, junit-10.xsd.
_JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"skipped", "time"}, {"testcase"}),
    "testcase": ({"name"}, {"classname", "time"}, {"failure", "system-out"}),
    "failure": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}


def check_junit(element: ET.Element) -> None:
    """Hold a report against what Jenkins takes."""
    needed, allowed, children = _JUNIT[element.tag]
    assert needed <= {*element.keys()} <= needed | allowed
    for child in element:
        assert child.tag in children
        check_junit(child)


def test_junit_has_a_case_for_each_rule(lamella: Lamella, nasty: str) -> None:
    """With a failure where it is broken, and the paths of secrets."""
    out = lamella("analyze", nasty, "--format", "junit", *RULES).worked(6).out
    assert out.isascii()
    root = ET.fromstring(out)  # noqa: S314 - our own
    check_junit(root)
    [suite] = root
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (nasty, "3", "2")
    assert [case.get("name") for case in suite] == ["max-dead", "max-layers", "forbid-secrets"]
    failures = [case.find("failure") for case in suite]
    assert failures[1] is None
    assert failures[0] is not None
    assert failures[0].get("message", "").endswith("expected at most 5 %")
    assert failures[2] is not None
    assert "layer 1: /root/.ssh/id_rsa (private key)" in str(failures[2].text)
    assert "not checked for secrets: binary" in str(failures[2].text)


def test_junit_tells_warnings_that_fail_nothing(lamella: Lamella, work: Path) -> None:
    """A case that passes, and says what is wrong."""
    tars = [layer((f"f{n}", b"x")) for n in range(126)]
    (work / "many.tar").write_bytes(docker_archive(*tars))
    ran = lamella("analyze", f"{work}/many.tar", "--format", "junit", "--max-dead", "1")
    root = ET.fromstring(ran.worked().out)  # noqa: S314 - our own
    check_junit(root)
    [_, case] = root.iter("testcase")
    assert case.find("failure") is None
    assert "126 layers; expected at most 125" in case.findtext("system-out", "")


# --- Markdown -------------------------------------------------------------------------------------


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, as text; fails if there is any HTML or a link."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "code_inline", "strong_open", "strong_close"}, kinds
            if token.level > 2:
                rows[-1].append("".join(map(_content, token.children or ())))
    return rows


def _content(token: Token) -> str:
    return token.content


def test_markdown_is_tables_whatever_names_there_are(lamella: Lamella, nasty: str) -> None:
    """Rules, secrets and dead paths; bars and backticks of names end no cell and no code."""
    text = lamella("analyze", nasty, "--format", "markdown", *RULES).worked(6).text
    assert text.startswith("### lamella: `nasty.tar` violates 2 of 3 rules\n")
    rows = cells(text)
    assert ["FAIL", "forbid-secrets", "2 likely secrets", "none"] in rows
    assert ["pass", "max-layers", "2 layers", "at most 9 layers"] in rows
    paths = [row[3] for row in rows if row[0] == "private key"]
    assert paths[0].startswith(r"/root/.ssh/a|b``c`d\n::error::pwned")
    assert paths[1] == "/root/.ssh/id_rsa"
    assert {len(row) for row in rows} == {4}
    assert "Not checked for secrets: binary" in text


@pytest.mark.parametrize(
    ("rules", "title"),
    [
        ((), "### lamella: `nasty.tar`\n"),
        (("--max-layers", "9"), "### lamella: `nasty.tar` meets its rule\n"),
        (("--max-layers", "9", "--max-size", "1GB"), "meets all 2 rules\n"),
    ],
)
def test_markdown_says_what_came_out(
    lamella: Lamella, nasty: str, rules: tuple[str, ...], title: str
) -> None:
    """In its first line."""
    text = lamella("analyze", nasty, "--format", "markdown", *rules).worked().text
    assert title in text


# --- GitHub ---------------------------------------------------------------------------------------


def test_annotations_of_github(lamella: Lamella, nasty: str) -> None:
    """Commands that the runner reads as they were meant, and none that a name smuggles in."""
    text = lamella("analyze", nasty, "--format", "github", *RULES).worked(6).text
    commands = runner_commands(text)
    assert [(level, title) for level, title, _ in commands] == [
        ("error", "lamella: max-dead"),
        ("error", "lamella: forbid-secrets"),
        ("error", "lamella: likely-secret"),
        ("error", "lamella: likely-secret"),
    ]
    assert commands[0][2].endswith(" %; expected at most 5 %")
    assert r"\n::error::pwned ##[add-mask]x %0A " in commands[2][2]
    assert (
        commands[3][2] == "nasty.tar: private key in layer 1, deleted in layer 2: /root/.ssh/id_rsa"
    )
    assert "pass  max-layers: 2 layers; expected at most 9 layers" in text.splitlines()
    assert "not checked for secrets: binary" in text


def test_secrets_that_break_no_rule_are_warnings(lamella: Lamella, nasty: str) -> None:
    """They are seen, and the job goes on."""
    commands = runner_commands(lamella("analyze", nasty, "--format", "github").worked().text)
    assert [level for level, _, _ in commands] == ["warning"] * 2


def test_summary_of_a_job(lamella: Lamella, work: Path, nasty: str) -> None:
    """Added to what earlier steps wrote; only by this format, only where there is such a file."""
    summary = work / "summary.md"
    summary.write_text("before\n")
    env = {"GITHUB_STEP_SUMMARY": str(summary)}
    lamella("analyze", nasty, *RULES, env=env).worked(6)
    assert summary.read_text() == "before\n"
    lamella("analyze", nasty, "--format", "github", *RULES, env=env).worked(6)
    markdown = lamella("analyze", nasty, "--format", "markdown", *RULES).text
    assert summary.read_text() == f"before\n{markdown}"
    env = {"GITHUB_STEP_SUMMARY": f"{work}/nowhere/summary.md"}
    ran = lamella("analyze", nasty, "--format", "github", *RULES, env=env)
    ran.failed(1, "can't write", "nowhere/summary.md")


# --- Files ----------------------------------------------------------------------------------------


def test_reports_go_to_files_beside_the_screen(lamella: Lamella, work: Path, nasty: str) -> None:
    """Several at once, each what --format gives; the image is read once."""
    forms = ("text", "json", "sarif", "junit", "markdown")
    options = [option for form in forms for option in ("--report", f"{form}=report.{form}")]
    screen = lamella("analyze", nasty, *RULES, *options).worked(6).text
    assert screen == lamella("analyze", nasty, *RULES).text
    for form in forms:
        shown = lamella("analyze", nasty, *RULES, "--format", form).text
        assert Path(f"report.{form}").read_text() == shown, form


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "log.sarif"], "--report: expected FORMAT=FILE with one of text, json"),
        (["--report", "github=x"], "--report: expected FORMAT=FILE"),
        (["--report", "json="], "--report: expected FORMAT=FILE"),
        (["--report", "json=-"], "--report: expected FORMAT=FILE"),
        (["--report", "json=x", "--report", "text=x"], "--report: x is given twice"),
        (
            ["--json", "--format", "sarif"],
            "--json and --format sarif: both write to standard output",
        ),
        (["--format", "xml"], "--format: expected text, json, "),
        (["--html", "-", "--format", "junit"], "--format junit and --html - both write to"),
    ],
)
def test_wrong_forms_are_refused(
    lamella: Lamella, nasty: str, options: list[str], words: str
) -> None:
    """Before anything is read or written."""
    lamella("analyze", nasty, *options).failed(2, words)
    assert [path.name for path in Path().iterdir()] == [nasty]


def test_report_that_cannot_be_written(lamella: Lamella, nasty: str) -> None:
    """Exit 1, not 6: the gate did not do its work."""
    ran = lamella("analyze", nasty, *RULES, "--report", "sarif=no/where.sarif")
    ran.failed(1, "can't write no/where.sarif")


def test_json_is_the_same_under_both_names(lamella: Lamella, nasty: str) -> None:
    """--json and --format json."""
    assert (
        lamella("analyze", nasty, "--json").out == lamella("analyze", nasty, "--format", "json").out
    )
