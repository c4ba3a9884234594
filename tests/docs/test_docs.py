"""The reference pages are true: examples run, and nothing is left out."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import lamella
from lamella import errors
from lamella.cli.group import cli
from lamella.cli.topics import TOPICS
from tests.docs.console import run_all, without_times
from tests.engines.daemon import Engine
from tests.engines.fixtures import started
from tests.support.demo import put_demo
from tests.support.tars import layer
from tests.transport.forms import Layout
from tests.transport.registry.server import Server, registry_server

DOCS = Path(__file__).resolve().parents[2] / "docs"
CLI, CI, JSON, API = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("cli.md", "ci.md", "json.md", "api.md")
)


def section(page: str, title: str) -> str:
    """Return what is under a heading, and under those below it."""
    level, _, _ = title.partition(" ")
    rest = page.split(f"\n{title}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.slow
def test_console_examples_show_what_the_commands_print() -> None:
    """To write them anew: python -m tests.docs.console docs/cli.md."""
    assert run_all(CLI) == CLI


@pytest.mark.slow
def test_console_examples_of_ci_show_what_the_commands_print() -> None:
    """To write them anew: python -m tests.docs.console docs/ci.md."""
    assert run_all(CI) == CI


GUIDES = [
    "tour.md",
    "fleets.md",
    *(f"how-to/{page.name}" for page in sorted(DOCS.glob("how-to/*.md"))),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", GUIDES)
def test_console_examples_of_guides_show_what_the_commands_print(name: str) -> None:
    """To write them anew: python -m tests.docs.console docs/{tour,fleets,how-to/*}.md."""
    page = (DOCS / name).read_text(encoding="utf-8")
    assert run_all(page) == page


@pytest.mark.parametrize("name", [*sorted(cli.list_commands(click.Context(cli))), ""])
def test_every_command_shows_its_help(name: str) -> None:
    """So every option is there, in the words of the help."""
    assert f"\n$ lamella {name + ' ' if name else ''}--help\n" in CLI
    assert not name or f"\n## lamella {name}\n" in CLI


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))], ids=str)
def test_layers_have_plain_numbers(page: Path) -> None:
    """What is copied from a page is typed in a shell, to which # begins a comment."""
    text = re.sub(r"\]\([^)]*\)", "", page.read_text(encoding="utf-8"))  # without links
    assert not re.search(r"(?<![\w&])#\d", text)


MAINTAINERS = {"architecture.md", "dependencies.md", "performance.md", "releasing.md"}
"""Pages that nobody needs who only uses lamella."""


def test_every_page_is_a_topic_of_help() -> None:
    """A new page gets a line in `lamella.cli.topics`, or in the set of those for maintainers."""
    shown = [topic.page for topic in TOPICS.values()]
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(shown) == sorted(pages - MAINTAINERS)


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_help_names_no_file_of_the_repository(name: str) -> None:
    """Who installed lamella has none: `lamella help TOPIC` is what there is, and the topic too."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = command.get_help(click.Context(command, **cli.context_settings))
    assert ".md" not in text
    for topic in re.findall(r"`lamella help ([a-z]+)`", " ".join(text.split())):
        assert topic in {*TOPICS, *cli.list_commands(click.Context(cli))}


def test_every_option_of_squash_is_in_its_help() -> None:
    """But for those that come later."""
    command = cli.get_command(click.Context(cli), "squash")
    assert command is not None
    text = section(CLI, "## lamella squash")
    for option in command.params:
        if isinstance(option, click.Option):
            for name in option.opts:
                assert (f"{name} " in text or f"{name}," in text) is not option.hidden, name


def error_kinds(
    kind: type[errors.LamellaError] = errors.LamellaError,
) -> Iterator[type[errors.LamellaError]]:
    """List the errors that lamella raises."""
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from error_kinds(child)


@pytest.mark.parametrize("kind", list(error_kinds()), ids=lambda kind: kind.__name__)
def test_every_error_has_its_exit_code(kind: type[errors.LamellaError]) -> None:
    """On the page of the command line by its family, on that of Python by name."""
    family = next(k for k in kind.__mro__ if errors.LamellaError in k.__bases__)
    codes = re.findall(r"^\| (\d+) \|.*?\| (.*?)\|$", section(CLI, "### Exit codes"), re.MULTILINE)
    assert [code for code, names in codes if f"`{family.__name__}`" in names] == [
        str(kind.exit_code)
    ]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|(.*)$", section(API, "## Errors"), re.MULTILINE)
    found = [
        code for name, code, rest in rows if name == kind.__name__ or f"`{kind.__name__}`" in rest
    ]
    assert found == [str(kind.exit_code)]


def test_every_exit_code_is_in_the_help() -> None:
    """The table and the short list agree."""
    table = re.findall(r"^\| (\d+) \|", section(CLI, "### Exit codes"), re.MULTILINE)
    assert table == ["0", "1", "2", "3", "4", "5", "6", "7", "130"]
    listed = CLI.partition("Exit codes:")[2].partition("`lamella")[0]
    assert re.findall(r"\b(\d+) ", listed) == table


def test_every_variable_is_told() -> None:
    """What is read from the environment."""
    readers = ("cli/**/*.py", "transport/environment.py", "transport/*/options.py")
    home = Path(lamella.__file__).parent
    source = "".join(path.read_text() for some in readers for path in home.glob(some))
    names = set(re.findall(r'"(DOCKER_\w+|SOURCE_DATE_EPOCH|GITHUB_\w+|_?LAMELLA_\w+)"', source))
    assert len(names) > 5
    for name in names | {"TMPDIR", "NO_COLOR"}:
        assert f"`{name}`" in section(CLI, "## Environment"), name


# --- JSON -----------------------------------------------------------------------------------------


# Fields whose own fields are told in words.
IN_WORDS = {
    *{"ranges[].whiteouts", "ranges[].promoted", "seconds", "files[].xattrs"},
    *{"referrers", "ignored", "predicate.options"},
}


def fields(value: object, name: str = "") -> set[str]:
    """Name every field of a document, as the tables do."""
    if name in IN_WORDS:
        return {name}
    if isinstance(value, list):
        inner = (fields(item, f"{name}[]") for item in value if isinstance(item, dict))
        return {name}.union(*inner)
    if isinstance(value, dict):
        return {f for key in value for f in fields(value[key], f"{name}.{key}".lstrip("."))}
    return {name}


def told(title: str) -> set[str]:
    """Name the fields that a table tells of."""
    rows = re.findall(r"^\| (`.*?) \|", section(JSON, title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def sample(title: str) -> dict[str, Any]:
    """Return the document that a page shows."""
    text = section(JSON, title).partition("```json\n")[2].partition("```")[0]
    document: dict[str, Any] = json.loads(text)
    return document


def rebased(folder: Path) -> list[str]:
    """Write an image and two bases; return their references."""
    tars = [layer("etc/", ("etc/app.conf", content)) for content in (b"1", b"22", b"333")]
    made, images = Layout(), {"app": (tars[0], tars[2]), "old": tars[:1], "new": tars[1:2]}
    for tag, stack in images.items():
        made.add(made.manifest(stack), tag)
    made.write(folder / "images")
    return [f"oci:images:{tag}" for tag in images]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the commands print, for the demo's image."""
    folder = tmp_path_factory.mktemp("json")
    put_demo(folder / "demo.tar")
    command = Path(sys.executable).with_name("lamella")

    def run(*args: str) -> dict[str, Any]:
        done = subprocess.run(
            [command, *args, "--json"], cwd=folder, check=False, capture_output=True
        )
        document: dict[str, Any] = json.loads(without_times(done.stdout.decode()))
        return document

    target = "docker-archive:slim.tar:demo:slim"
    return {
        "squash": run("squash", "demo.tar", "#1", "-o", target, "--verify", "--attest", "a.json"),
        "attest": json.loads((folder / "a.json").read_bytes()),
        "batch": run("batch", "demo.tar", "--from", "1", "--to", "oci:fleet:{name}"),
        "layers": run("layers", "slim.tar"),
        "ls": run("ls", "demo.tar", "/bin/busybox"),
        "analyze": run("analyze", "demo.tar"),
        "gate": run(
            *("analyze", "demo.tar", "--max-dead", "5%", "--max-layers", "12"), "--forbid-secrets"
        ),
        "plan": run("plan", "demo.tar", "slim.tar"),
        "other": run("squash", "demo.tar", "--exclude", "srv", "-o", "other.tar"),
        "verify": run("verify", "demo.tar", "other.tar"),
        "changed": run(
            *("squash", "demo.tar", "--exclude", "app/src", "--clamp-mtime", "2020-01-01"),
            *("--change", "ENV A=b", "-o", "changed.tar"),
        ),
        "diff": run(
            *("diff", "demo.tar", "changed.tar", "--content", "etc/passwd", "--ignore", "owner")
        ),
        "delta": run(
            *("delta", "demo.tar", "changed.tar", "--ignore", "mtime", "--verify"),
            *("-o", "docker-archive:delta.tar"),
        ),
        "rebase": run("rebase", *rebased(folder), "--check"),
    }


OF_DOCUMENTS = pytest.mark.xdist_group("documents")  # which are made once for all of these


@OF_DOCUMENTS
@pytest.mark.parametrize(
    "name",
    ["squash", "batch", "layers", "ls", "analyze", "plan", "verify", "diff", "delta", "rebase"],
)
def test_every_field_is_told(documents: dict[str, dict[str, Any]], name: str) -> None:
    """No more and no fewer than there are, in the table and in the sample."""
    title = f"## lamella {name} --json"
    assert sample(title).keys() == documents[name].keys()
    assert fields(documents[name]) == fields(sample(title)) == told(title)


@OF_DOCUMENTS
def test_sample_of_squash_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit, but for the time and what the text says is made up."""
    shown = sample("## lamella squash --json")
    shown["ranges"][0]["promoted"] = []
    assert shown == documents["squash"]


@OF_DOCUMENTS
def test_statement_is_told(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit, with every field that there is."""
    title = "## lamella squash --attest"
    assert sample(title) == documents["attest"]
    assert fields(documents["attest"]) == told(title)


@OF_DOCUMENTS
def test_sample_of_batch_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit, but for the time."""
    assert sample("## lamella batch --json") == {**documents["batch"], "seconds": 0.1}


@OF_DOCUMENTS
def test_sample_of_layers_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """Cut after the first layer."""
    document = documents["layers"]
    assert sample("## lamella layers --json") == {**document, "layers": document["layers"][:1]}


@OF_DOCUMENTS
def test_sample_of_ls_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit."""
    assert sample("## lamella ls --json") == documents["ls"]


@OF_DOCUMENTS
def test_sample_of_analyze_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit; of each list the first items."""
    shown, printed = sample("## lamella analyze --json"), documents["analyze"]
    lists = ("layers", "dead", "secrets", "advice", "squashes")
    cut = {key: printed[key][: len(shown[key])] for key in lists}
    assert min(map(len, cut.values())) > 0
    assert shown == {**printed, **cut}


@OF_DOCUMENTS
def test_sample_of_plan_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit; of the tree the first node."""
    document = documents["plan"]
    assert sample("## lamella plan --json") == {**document, "tree": document["tree"][:1]}


@OF_DOCUMENTS
def test_sample_of_the_gate_is_what_is_printed(documents: dict[str, dict[str, Any]]) -> None:
    """To the digit: what rules add to the document, and no other field."""
    title = "## lamella analyze --ci --json"
    shown, printed = sample(title), documents["gate"]
    assert printed.keys() - documents["analyze"].keys() == shown.keys()
    assert shown == {key: printed[key] for key in shown}
    assert fields(shown) - {"rules"} == told(title)


@OF_DOCUMENTS
def test_version_is_told(documents: dict[str, dict[str, Any]]) -> None:
    """Of every document the same."""
    others = (document for name, document in documents.items() if name != "attest")
    assert {document["version"] for document in others} == {1}
    assert "`version` is 1." in JSON


# --- Python ---------------------------------------------------------------------------------------


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the demo's image, as app.tar."""
    put_demo(tmp_path / "app.tar")
    monkeypatch.chdir(tmp_path)
    assert run_examples(API.replace(section(API, ENGINES), "")) > 20


ENGINES = "## Engines and registries"


def run_examples(page: str) -> int:
    """Run the examples of a page here; return how many there are."""
    plain = re.sub(r"^```.*$", "", page, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(plain, {}, "api.md", str(DOCS / "api.md"), 0)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)
    return tried


@pytest.fixture
def guarded() -> Iterator[Server]:
    """A registry that wants a password."""
    yield from started(registry_server(auth={"htpasswd": {}}), "registry with passwords")


@pytest.mark.engine
def test_python_examples_of_engines_run(
    docker_classic: Engine,
    guarded: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where only DOCKER_HOST and an auth file say where things are."""
    put_demo(tmp_path / "app.tar")
    docker_classic.docker("load", input=(tmp_path / "app.tar").read_bytes())
    docker_classic.docker("tag", "lamella-demo:latest", "app:latest")
    login = guarded.auth_file(tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", docker_classic.host)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(login))
    page = section(API, ENGINES).replace("reg.example", guarded.host)
    assert run_examples(f">>> import lamella\n{page}") == 7


def test_every_public_name_is_told() -> None:
    """What `lamella` offers is on the page."""
    for name in lamella.__all__:
        if name != "Difference":
            assert re.search(rf"\b{name}\b", API), name
