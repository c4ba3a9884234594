"""Rules that end a build: from options and from files, and how their outcome is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.cli.waste import LAYERS
from tests.support.images import docker_archive
from tests.support.tars import layer
from tests.transport.forms import TARS


def test_broken_rules_end_a_build(lamella: Lamella, image: str) -> None:
    """Exit 6, and a line for each rule, below the rest."""
    ran = lamella(
        *("analyze", image, "--ci", "--max-dead", "5%", "--max-dead-bytes", "10MB"),
        *("--min-efficiency", "0.95", "--forbid-secrets"),
    ).worked(6)
    assert ran.text.splitlines()[-4:] == [
        "FAIL  max-dead: 42.79 %; expected at most 5 %",
        "pass  max-dead-bytes: 307 kB; expected at most 10.0 MB",
        "FAIL  forbid-secrets: 1 likely secret; expected none",
        "FAIL  min-efficiency: 88.98 %; expected at least 95 %",
    ]
    assert ran.err == ""


def test_rule_of_nothing_dead(lamella: Lamella, work: Path) -> None:
    """An image of one layer keeps it."""
    path = work / "one.tar"
    path.write_bytes(docker_archive(TARS[0]))
    rules = (
        "--max-dead",
        "0",
        "--max-dead-bytes",
        "0",
        "--min-efficiency",
        "1",
        "--forbid-secrets",
    )
    lamella("analyze", str(path), *rules).worked(0)


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ("--max-dead", ["43%", "0.43", "100 %"], ["42%", "0.42", "0"]),
        ("--max-dead-bytes", ["307kB", "306688", "299.5 KiB", "1GB"], ["306687", "0", "299.4kib"]),
        ("--max-size", ["717kB", "1GB"], ["716kB", "0"]),
        ("--max-layers", ["5", "127"], ["4", "1"]),
        ("--min-efficiency", ["0.88", "88.9%"], ["0.89", "89%", "1"]),
    ],
)
def test_rule_is_kept_up_to_its_limit(
    lamella: Lamella, image: str, rule: str, kept: list[str], broken: list[str]
) -> None:
    """In every way to write it; a rule alone says --ci, too."""
    for value in kept:
        assert "pass  " + rule[2:] in lamella("analyze", image, rule, value).worked(0).text
    for value in broken:
        assert "FAIL  " + rule[2:] in lamella("analyze", image, rule, value).worked(6).text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-dead", "5 percent"], "--max-dead: expected a share like 5% or 0.05"),
        (
            ["--max-dead", "5"],
            "--max-dead: expected a share like 5% or 0.05, got '5'; did you mean 5%?",
        ),
        (["--max-dead", "101%"], "--max-dead: expected a share like 5% or 0.05"),
        (["--max-dead-bytes", "10 apples"], "--max-dead-bytes: expected a size like 10MB"),
        (["--max-dead-bytes", "-1"], "--max-dead-bytes: expected a size like 10MB"),
        (["--min-efficiency", "high"], "--min-efficiency: expected a share like"),
        (["--ci"], "--ci: no rules; give some, like --max-dead 5%, or a lamella.toml or .dive-ci"),
        (["--rules", "nowhere.toml"], "can't read nowhere.toml: No such file"),
        (["--max-layers", "0"], "--max-layers: expected a whole number, 1 or more, got 0"),
        (["--ci-config", "nowhere"], "can't read nowhere: No such file"),
        (["--forbid-secrets", "--no-secrets-scan"], "give one"),
    ],
)
def test_wrong_rules_are_refused(
    lamella: Lamella, in_work: str, options: list[str], words: str
) -> None:
    """Before anything is read: exit 2, one line."""
    lamella("analyze", in_work, *options).failed(2, words)


def test_rules_in_the_document(lamella: Lamella, image: str) -> None:
    """With --json, each with what was found, as numbers."""
    rules = ("--max-dead", "0.9", "--max-size", "2MB", "--forbid-secrets")
    document = json.loads(lamella("analyze", image, "--json", *rules).worked(6).out)
    assert document["rules"] == [
        row("max-dead", True, document["bytes"]["dead"] / document["bytes"]["total"], 0.9, "share"),
        row("max-size", True, document["bytes"]["total"], 2_000_000, "bytes"),
        row("forbid-secrets", False, 1, 0, "secrets"),
    ]
    assert document["passed"] is False
    ran = lamella("analyze", image, "--format", "json", "--max-layers", "5").worked()
    assert json.loads(ran.out)["passed"] is True


def row(rule: str, passed: bool, found: float, limit: float, unit: str) -> dict[str, object]:
    """One of the document's rules."""
    told = {"rule": rule, "level": "error", "passed": passed, "found": found, "limit": limit}
    return told | {"unit": unit}


@pytest.mark.parametrize("name", ["--no-secrets", "--forbid-secrets"])
def test_secrets_are_forbidden_under_both_names(lamella: Lamella, image: str, name: str) -> None:
    """The earlier spelling works, and no help names it."""
    ran = lamella("analyze", image, name).worked(6)
    lines = ran.text.splitlines()
    assert lines[-1] == "FAIL  forbid-secrets: 1 likely secret; expected none"
    assert any("not checked for secrets: binary files and files over" in line for line in lines)
    assert "--no-secrets " not in lamella("analyze", "--help").worked().text


def test_damaged_image_breaks_no_rule(lamella: Lamella, work: Path) -> None:
    """A build can tell one from the other: exit 1, not 6."""
    (work / "bad.tar").write_bytes(docker_archive(TARS[0], TARS[1][:700]))
    lamella("analyze", f"{work}/bad.tar", "--max-dead", "0").failed(1, "layer 2")


def test_a_limit_that_is_just_missed_is_told_exactly(lamella: Lamella, image: str) -> None:
    """Not as "307 kB; expected at most 307 kB"."""
    ran = lamella("analyze", image, "--max-dead-bytes", "306687").worked(6)
    assert "max-dead-bytes: 306,688 B; expected at most 306,687 B" in ran.text
    share = 306_688 / sum(map(len, LAYERS)) - 1e-9
    ran = lamella("analyze", image, "--max-dead", f"{share:.10f}").worked(6)
    found, limit = re.findall(r"([0-9.]+) %", ran.text.splitlines()[-1])
    assert found != limit


def test_too_many_layers_for_an_engine(lamella: Lamella, work: Path) -> None:
    """A warning from 126 layers on, with rules or without; it breaks nothing."""
    for count, warned in (125, False), (126, True):
        tars = [layer((f"f{n}", b"x")) for n in range(count)]
        (work / "many.tar").write_bytes(docker_archive(*tars))
        for rules in (), ("--max-layers", "126"):
            text = lamella("analyze", f"{work}/many.tar", *rules).worked().text
            said = "warn  engine-layers: 126 layers; expected at most 125 layers"
            assert (said in text) is warned
    ran = lamella("analyze", f"{work}/many.tar", "--max-layers", "126", "--json").worked()
    document = json.loads(ran.out)
    assert [found["level"] for found in document["rules"]] == ["error", "warning"]
    assert document["passed"] is True


# --- Rules of a file ------------------------------------------------------------------------------

RULES = """\
[rules]
max-dead = "50%"
max-dead-bytes = "1MB"
max-size = 716_000
max-layers = 5
forbid-secrets = true
min-efficiency = 0.5
"""
OUTCOME = {
    "max-dead": True,
    "max-dead-bytes": True,
    "max-size": False,
    "max-layers": True,
    "forbid-secrets": False,
    "min-efficiency": True,
}


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("lamella.toml", RULES, ["--ci"]),
        ("pyproject.toml", RULES.replace("[rules]", "[tool.lamella.rules]"), ["--ci"]),
        ("other.toml", RULES, ["--rules", "other.toml"]),
    ],
)
def test_rules_of_a_file(
    lamella: Lamella, in_work: str, name: str, content: str, options: list[str]
) -> None:
    """In the working folder, or where --rules says."""
    Path(name).write_text(content)
    assert verdicts(lamella("analyze", in_work, *options).worked(6).text) == OUTCOME
    lamella("analyze", in_work).worked()


def test_file_of_the_page(lamella: Lamella, in_work: str) -> None:
    """What docs/ci.md shows has every rule, and each is understood."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    Path("lamella.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    assert verdicts(lamella("analyze", in_work, "--ci").worked(6).text).keys() == OUTCOME.keys()


def test_options_come_before_the_file(lamella: Lamella, in_work: str) -> None:
    """Each rule by itself; a file of dive's holds beside them."""
    Path("lamella.toml").write_text('[rules]\nmax-dead = "1%"\nmax-layers = 5\n')
    Path("pyproject.toml").write_text("[tool.lamella.rules]\nmax-size = 0\n")
    Path(".dive-ci").write_text("rules: {lowestEfficiency: 1, highestUserWastedPercent: off}\n")
    found = verdicts(lamella("analyze", in_work, "--max-dead", "90%").worked(6).text)
    assert found == {"max-dead": True, "max-layers": True, "lowestEfficiency": False}


def test_project_without_rules(lamella: Lamella, in_work: str) -> None:
    """A pyproject.toml of others says nothing to us."""
    Path("pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    lamella("analyze", in_work, "--ci").failed(2, "no rules")
    lamella("analyze", in_work, "--max-layers", "5").worked()


def test_file_that_wants_the_scan_that_is_left_out(lamella: Lamella, in_work: str) -> None:
    """Nothing passes because nobody looked."""
    Path("lamella.toml").write_text("[rules]\nforbid-secrets = true\n")
    lamella("analyze", in_work, "--ci", "--no-secrets-scan").failed(2, "--forbid-secrets needs")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"rules = [", "r.toml: invalid TOML: "),
        (b"\xff", "r.toml: invalid TOML: "),
        (b"a = " + b"[" * 5000, "r.toml: invalid TOML: "),
        (b"rules = 1", "r.toml: rules: expected a table, got an integer"),
        (b"max-dead = 1", "r.toml: unknown key max-dead; put rules below [rules]"),
        (b"[rules]\nmax-layer = 1", "r.toml: unknown rule max-layer; did you mean 'max-layers'?"),
        (b"[rules]\nmax_dead = 1", "r.toml: unknown rule max_dead; did you mean 'max-dead'?"),
        (b"[rules]\nzzz = 1", "r.toml: unknown rule zzz; expected one of max-dead, "),
        (b"[rules]\nmax-dead = 5", 'r.toml: max-dead: expected a share like "5%" or 0.05, got 5'),
        (b"[rules]\nmax-dead = nan", "r.toml: max-dead: expected a share"),
        (b"[rules]\nmax-size = 'big'", "r.toml: max-size: expected a size like "),
        (b"[rules]\nmax-size = true", "r.toml: max-size: expected a size like "),
        (b"[rules]\nmax-size = [1]", "4096, got an array"),
        (b"[rules]\nmax-layers = 0", "r.toml: max-layers: expected 1 or more, got 0"),
        (b"[rules]\nmax-layers = '5'", "r.toml: max-layers: expected 1 or more, got '5'"),
        (b"[rules]\nforbid-secrets = 1", "forbid-secrets: expected true or false, got 1"),
        (b"#" + b"x" * (1 << 20), "r.toml: expected rules, got more than 1048576 bytes"),
    ],
)
def test_wrong_files_are_refused(
    lamella: Lamella, in_work: str, content: bytes, words: str
) -> None:
    """One line, with the file and what is wrong in it."""
    Path("r.toml").write_bytes(content)
    lamella("analyze", in_work, "--rules", "r.toml").failed(2, words)


# --- Rules of dive --------------------------------------------------------------------------------


def verdicts(text: str) -> dict[str, bool]:
    """Which rules passed."""
    lines = (line for line in text.splitlines() if line.startswith(("pass  ", "FAIL  ")))
    return {line[6:].partition(":")[0]: line.startswith("pass") for line in lines}


def test_rules_of_dive(lamella: Lamella, in_work: str) -> None:
    """In the working folder; what is not told there is as dive has it."""
    rules = Path(".dive-ci")
    rules.write_text(
        "rules:\n  # as before\n  lowestEfficiency: '0.5'\n  highestWastedBytes: 1 MB\n"
    )
    found = verdicts(lamella("analyze", in_work, "--ci").worked(6).text)
    assert found == {
        "lowestEfficiency": True,
        "highestWastedBytes": True,
        "highestUserWastedPercent": False,
    }
    rules.write_text("rules:\n  lowestEfficiency: 0.95\n  highestUserWastedPercent: off\n")
    found = verdicts(lamella("analyze", in_work, "--ci", "--max-dead", "90%").worked(6).text)
    assert found == {"max-dead": True, "lowestEfficiency": False}
    rules.write_text("rules:\n  lowestEfficiency: disabled\n  highestUserWastedPercent:\n")
    lamella("analyze", in_work, "--ci").failed(2, "no rules")
    lamella("analyze", in_work).worked()


def test_rules_of_dive_elsewhere(lamella: Lamella, work: Path, in_work: str) -> None:
    """--ci-config says --ci, and that the file of the working folder doesn't count."""
    (work / ".dive-ci").write_text("nonsense")
    (work / "ci.yaml").write_text("rules: {lowestEfficiency: 0, highestUserWastedPercent: 1}")
    text = lamella("analyze", in_work, "--ci-config", "ci.yaml").worked().text
    assert verdicts(text) == {"lowestEfficiency": True, "highestUserWastedPercent": True}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rules: [", "ci: invalid YAML: "),
        ("- a\n", "ci: expected rules below the key rules"),
        ("lowestEfficiency: 0.9\n", "ci: expected rules below the key rules"),
        ("rules:\n  lowEfficiency: 0.9\n", "ci: unknown rule lowEfficiency; there are lowestEff"),
        ("rules:\n  lowestEfficiency: 95\n", "ci: lowestEfficiency: expected a number from 0 to 1"),
        (
            "rules:\n  highestWastedBytes: lots\n",
            "ci: highestWastedBytes: expected a size like 20MB",
        ),
        ("rules: !!python/object:os.system {}\n", "ci: invalid YAML: "),
        (f"rules: {'[' * 60_000}", "ci: invalid YAML: brackets nested more than 20 deep"),
        ("rules: {lowestEfficiency: 2001-99-99}", "ci: invalid YAML: "),
        ("rules: {a: &a 1, b: *a}", "ci: expected plain values, got an alias"),
        (f"# {'x' * 65536}\nrules: {{}}\n", "ci: expected rules, got more than 65536 bytes"),
        ("rules: {lowestEfficiency: [1]}", "ci: lowestEfficiency: expected one value, got a list"),
        ("rules: {lowestEfficiency: 2001-01-01}", "expected one value, got a date"),
        (f"rules: {{lowestEfficiency: {'9' * 5000}}}", "ci: "),
        (f"rules: {{lowestEfficiency: 0x{'f' * 5000}}}", "ci: "),
        ("rules: {lowestEfficiency: .nan}", "ci: lowestEfficiency: expected a number from 0 to 1"),
        ("rules: {highestWastedBytes: .inf}", "ci: highestWastedBytes: expected a size like 20MB"),
        (f"rules: {{highestWastedBytes: '{'9' * 400}'}}", "expected a size like 20MB"),
        (f"rules: {{{'k' * 900}: 1}}", "ci: unknown rule kkk"),
    ],
)
def test_wrong_rules_of_dive_are_refused(
    lamella: Lamella, work: Path, in_work: str, content: str, words: str
) -> None:
    """One line, with the file and what is wrong in it."""
    (work / "ci").write_text(content)
    lamella("analyze", in_work, "--ci-config", "ci").failed(2, words)
