"""The house keeps its plan: who may import whom, who may print, how long a function may get.

Each rule is a function from source text to findings, so that the rule itself is tested: the last
part of this file feeds it code that must not pass.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lamella"

# --- The plan -----------------------------------------------------------------------------------

BELOW_API = {
    "waiting",
    "limits",
    "files",
    "errors",
    "progress",
    "spec",
    "tar",
    "layer",
    "image",
    "selection",
    "merge",
    "rootfs",
    "mutate",
    "squashing",
    "result",
    "transport",
    "analysis",
    "report",
}

MAY_IMPORT: dict[str, set[str]] = {
    "limits": set(),
    "files": set(),
    "errors": set(),
    "progress": set(),
    "waiting": set(),
    "spec": {"errors", "limits"},
    "tar": {"errors", "limits"},
    "layer": {"errors", "limits", "files", "waiting", "spec", "tar"},
    "image": {"errors", "limits", "spec", "layer"},
    "selection": {"errors", "spec", "image"},
    # the merged layer is known by its digest, a word of spec's
    "merge": {"errors", "limits", "progress", "tar", "layer", "spec"},
    "rootfs": {"errors", "tar", "layer", "image", "merge"},
    "mutate": {"spec", "layer", "image", "selection"},
    "squashing": {
        "errors",
        "progress",
        "spec",
        "layer",
        "image",
        "selection",
        "merge",
        "mutate",
    },
    "result": {"merge"},
    "transport": {"errors", "limits", "files", "progress", "waiting", "spec", "layer", "image"},
    "analysis": {
        "errors",
        "limits",
        "progress",
        "spec",
        "tar",
        "layer",
        "image",
        "selection",
        "merge",
        "rootfs",
    },
    "report": {"spec", "image", "selection", "merge", "rootfs", "analysis", "result"},
    # parts of the façade: one list of places, one squash from request to result
    "places": {"errors", "progress", "spec", "layer", "transport"},
    "request": {"errors", "spec", "layer", "mutate", "transport"},
    "planning": {*BELOW_API},
    "conversion": {"image", "layer", "spec"},
    "job": {*BELOW_API, "places", "request", "conversion", "planning"},
    "platforms": {*BELOW_API, "places", "request", "job"},
    "comparing": {*BELOW_API, "places"},
    "analyzing": {*BELOW_API, "places"},
    "api": {*BELOW_API, "demo", "places", "request", "job", "platforms", "comparing", "analyzing"},
    "demo": {*BELOW_API, "api"},
    # options of the calls are values of their rooms
    "cli": {
        *{"api", "demo", "errors", "progress", "report", "mutate", "transport", "waiting"},
        # what the screen of `explore` shows
        *{"analysis", "analyzing", "result"},
        "files",  # the page of an analysis is written completely, or not at all
    },
    "__init__": {*BELOW_API, "api", "places"},
    "__main__": {"cli"},
}

# The places whose format is a tar, and what they share.
READS_TAR = {
    "transport/docker_archive.py",
    "transport/oci_archive.py",
    "transport/archive_reader.py",
    "transport/archive_writer.py",
    "transport/tarball.py",
    "transport/engine_save.py",
}

# Who may take which of the package's own names (the rest comes from its rooms).
FROM_ROOT: dict[str, set[str]] = {
    "api": {"__version__"},
    "cli": {"__version__"},
    "demo": {"__version__"},
    "mutate": {"__version__"},
}

# Third parties, each with the one room that knows it. A new one needs a line in pyproject.toml and
# in docs/dependencies.md too.
THIRD_PARTY: dict[str, set[str]] = {
    "backports": {"layer"},
    "click": {"cli"},
    "isal": {"layer"},
    "jinja2": {"report"},
    "rich": {"cli"},
    "textual": {"cli"},
    "urllib3": {"transport"},
    "yaml": {"cli"},
    "zlib_ng": {"layer", "tar"},
}

# What takes all that it is given, or raises an error. Everything else is written by `files.py`, for
# a file may take a part.
WRITES_ALL = {
    *{"self", "job", "spool", "_spool", "blob", "_tar", "upload", "outgoing"},
    "stdin",  # of a child: has a buffer
}
WRITES_NO_FILE = {"layer/compress.py"}  # hands on what it makes
WRITERS = {"write", "writelines", "pwrite", "pwritev", "writev", "write_bytes", "write_text"}

# Who writes to a terminal past its gate, `cli/terminal.py`, and why that is safe.
PAST_THE_GATE: dict[str, str] = {
    "cli/terminal.py": "it is the gate",
    "cli/commands/completion.py": "a script of our own, in which nothing of an image is",
    "cli/progress.py": "Rich draws the bar; its texts have passed the gate",
}

# Rooms that may print, read the environment and exit.
OUTER = {"cli", "__main__"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# "path" or "path:function" → why it may be longer.
LONGER: dict[str, str] = {
    "tar/scan.py:scan": "every member passes this loop: a call in it costs a tenth of its time",
}

# --- The rules ----------------------------------------------------------------------------------

PRINTS = re.compile(
    r"print|(.*\.)?(secho|echo|print|print_exc|print_exception)|.*std(out|err)(\.buffer)?\.write(lines)?"
)
WORLD = {
    "breakpoint",
    "exit",
    "input",
    "print",
    "quit",
    "logging.basicConfig",
    "os._exit",
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.putenv",
    "os.unsetenv",
    "sys.argv",
    "sys.exit",
    "sys.stderr",
    "sys.stdin",
    "sys.stdout",
    "SystemExit",
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: `from lamella.tar import scan` is module "lamella.tar", name "scan"."""

    module: str
    name: str | None
    line: int


def component(path: str) -> str:
    """Name the room a file stands in: "tar/scan.py" is in "tar", "image.py" is "image"."""
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def iter_imports(tree: ast.AST, path: str) -> Iterator[Import]:
    """Find every import, at the top or in a function, relative ones made absolute."""
    package = ["lamella", *path.split("/")[:-1]]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, None, node.lineno)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package[: len(package) - level + 1] if level else []
                absolute = ".".join([*start, *([module] if module else [])])
                for alias in names:
                    yield Import(absolute, alias.name, node.lineno)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Import(module, None, node.lineno)


def imports_against_plan(source: str, path: str) -> list[str]:
    """List the imports of one file that the tables above do not allow."""
    room = component(path)
    if room not in MAY_IMPORT:
        return [f"{path}: {room} is not in the plan; give it a row in MAY_IMPORT"]
    allowed = MAY_IMPORT[room] | ({"tar"} if path in READS_TAR else set())
    findings = []
    for found in iter_imports(ast.parse(source), path):
        top, _, rest = found.module.partition(".")
        if top != "lamella":
            if room not in THIRD_PARTY.get(top, {room}):
                findings.append(f"{path}:{found.line}: {room} must not know {top}")
            continue
        target = rest.split(".")[0] or found.name
        if target == room:
            continue
        if target is None or target not in MAY_IMPORT:
            if target not in FROM_ROOT.get(room, set()):
                findings.append(f"{path}:{found.line}: {room} must not take {target} from lamella")
        elif target not in allowed:
            findings.append(f"{path}:{found.line}: {room} must not import {target}")
    return findings


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Spell `a.b` as the module path it stands for; "" for anything that isn't a plain name."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            head = dotted(value, names)
            return f"{head}.{attr}" if head else ""
    return ""


def touches_world(source: str, path: str) -> list[str]:
    """List where one file below cli/ prints, reads the environment or exits."""
    if component(path) in OUTER:
        return []
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return [
        f"{path}:{node.lineno}: {what} belongs to cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (what := dotted(node, names)) in WORLD
        and isinstance(node.ctx, ast.Load)
    ]


def writes_in_part(source: str, path: str) -> list[str]:
    """List where one file writes by something that may take a part only."""
    if path == "files.py" or path in WRITES_NO_FILE:
        return []
    findings = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in WRITERS:
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name not in WRITES_ALL:
                findings.append(f"{path}:{node.lineno}: {ast.unparse(node)} may write a part only")
    return findings


def prints_past_the_gate(source: str, path: str) -> list[str]:
    """List where one file writes to standard output or standard error by itself."""
    if path in PAST_THE_GATE:
        return []
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    texts = ((call.lineno, ast.unparse(call)) for call in calls)
    return [f"{path}:{line}: {text}" for line, text in texts if PRINTS.fullmatch(text)]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines from its def on; its docstring, the contract, is free."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def iter_too_long(source: str, path: str) -> Iterator[tuple[str, str]]:
    """Find what is longer than it may be: its key in LONGER, and the finding."""
    if (lines := source.count("\n")) > MAX_FILE_LINES:
        yield path, f"{path}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (lines := lines_of(node)) > MAX_FUNCTION_LINES
        ):
            yield f"{path}:{node.name}", f"{path}:{node.lineno}: {node.name} has {lines} lines"


# --- The house, held against them ---------------------------------------------------------------


def source_files() -> list[str]:
    """List the package's files, from its folder on."""
    return sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py"))


def read(path: str) -> str:
    """Read one of them."""
    return (PACKAGE / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", source_files())
def test_each_file_imports_only_what_its_room_may(path: str) -> None:
    """The import table holds, in functions and for type checkers too."""
    assert imports_against_plan(read(path), path) == []


@pytest.mark.parametrize("path", source_files())
def test_nothing_below_cli_touches_the_world(path: str) -> None:
    """Below cli/ nothing prints, reads the environment, exits or configures logging."""
    assert touches_world(read(path), path) == []


@pytest.mark.parametrize("path", source_files())
def test_files_are_written_in_one_place(path: str) -> None:
    """A short write goes unnoticed nowhere: `lamella.files` does them all."""
    assert writes_in_part(read(path), path) == []


@pytest.mark.parametrize("path", source_files())
def test_text_reaches_a_terminal_through_one_gate(path: str) -> None:
    """What an image calls itself may have escape sequences: all text passes `cli.terminal`."""
    assert prints_past_the_gate(read(path), path) == []


@pytest.mark.parametrize("path", PAST_THE_GATE)
def test_each_way_past_the_gate_is_still_used(path: str) -> None:
    """An exception leaves with the code that needed it."""
    assert prints_past_the_gate(read(path), f"not/{path}") != []


@pytest.mark.parametrize("path", source_files())
def test_files_and_functions_stay_short(path: str) -> None:
    """A longer one needs its reason in LONGER."""
    findings = [text for key, text in iter_too_long(read(path), path) if key not in LONGER]
    assert findings == []


def test_each_exception_is_still_needed_and_has_its_reason() -> None:
    """An exception leaves with the code that needed it."""
    needed = {key for path in source_files() for key, _ in iter_too_long(read(path), path)}
    assert set(LONGER) <= needed
    assert all(LONGER.values())


def test_the_rooms_that_never_meet() -> None:
    """Of merge and transport, and of tar and spec, neither knows the other; nothing imports cli."""
    assert "transport" not in MAY_IMPORT["merge"]
    assert "merge" not in MAY_IMPORT["transport"]
    assert "tar" not in MAY_IMPORT["spec"]
    assert "spec" not in MAY_IMPORT["tar"]
    assert [room for room, may in MAY_IMPORT.items() if "cli" in may] == ["__main__"]


def test_the_plan_has_no_circle_below_the_api() -> None:
    """Rooms can be put in an order in which each knows only earlier ones."""
    left = {room: MAY_IMPORT[room] - {room} for room in BELOW_API}
    while left:
        free = {room for room, may in left.items() if not may & left.keys()}
        assert free, f"a circle among {sorted(left)}"
        for room in free:
            del left[room]


# --- The rules can fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tar/scan.py", "from lamella.spec import Digest"),
        ("tar/scan.py", "from lamella import spec"),
        ("tar/scan.py", "from ..spec.digest import Digest"),
        ("tar/scan.py", "from .. import spec"),
        ("tar/scan.py", "def f():\n    import lamella.image"),
        ("tar/scan.py", "if TYPE_CHECKING:\n    import lamella.api"),
        ("tar/scan.py", "import importlib\nimportlib.import_module('lamella.merge')"),
        ("tar/scan.py", "import lamella"),
        ("tar/scan.py", "from lamella import __version__"),
        ("tar/scan.py", "import click"),
        ("merge/emit.py", "from lamella.transport.base import Source"),
        ("transport/engine.py", "from lamella.merge import overlay"),
        ("transport/engine.py", "from lamella.tar import scan"),
        ("transport/registry/tarball.py", "from lamella.tar import scan"),
        ("api.py", "from lamella.cli.main import main"),
        ("__init__.py", "from lamella.cli.main import main"),
        ("cli/main.py", "from lamella.merge import overlay"),
        ("utils.py", "import os"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str) -> None:
    """The import rule can fail."""
    assert len(imports_against_plan(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tar/scan.py", "import os\nfrom lamella.errors import TarError"),
        ("tar/scan.py", "from .header import parse\nfrom . import pax\nfrom ..errors import E"),
        ("tar/scan.py", "from lamella.tar.header import parse"),
        ("transport/docker_archive.py", "from lamella.tar import scan"),
        ("layer/compression.py", "from zlib_ng import zlib_ng"),
        ("mutate.py", "from lamella import __version__"),
        ("cli/commands/squash.py", "import click\nfrom lamella.api import squash"),
        ("__main__.py", "from lamella.cli.main import main"),
    ],
)
def test_an_allowed_import_passes(path: str, source: str) -> None:
    """The import rule is no stricter than the plan."""
    assert imports_against_plan(source, path) == []


@pytest.mark.parametrize(
    "source",
    [
        "print('hi')",
        "def f():\n    raise SystemExit(1)",
        "import os\nos.environ['A']",
        "import os as o\no.getenv('A')",
        "from os import environ as e\ne.get('A')",
        "import sys\nsys.exit(1)",
        "from sys import exit as leave\nleave(1)",
        "import sys\nwrite = sys.stdout.write",
        "import logging\nlogging.basicConfig()",
    ],
)
def test_a_touch_of_the_world_is_found(source: str) -> None:
    """The rule can fail for every room below cli/, and api is no exception."""
    for path in ("tar/scan.py", "api.py", "demo.py"):
        assert len(touches_world(source, path)) == 1
    assert touches_world(source, "cli/main.py") == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(file):\n    file.write(b'')",
        "out.file.write(b'')",
        "copy(self._out.write)",
        "import os\nos.pwrite(1, b'', 0)",
        "Path('a').write_bytes(b'')",
        "open('a', 'wb').write(b'')",
    ],
)
def test_a_write_that_may_be_short_is_found(source: str) -> None:
    """The rule can fail."""
    assert len(writes_in_part(source, "transport/local.py")) == 1
    assert writes_in_part("self._tar.write(b'')", "transport/local.py") == []


@pytest.mark.parametrize(
    "source",
    [
        "print('hi')",
        "import click\nclick.echo('hi')",
        "echo('hi')",
        "console.print('hi')",
        "sys.stdout.write('hi')",
        "sys.stderr.buffer.write(b'hi')",
        "traceback.print_exc()",
    ],
)
def test_a_way_past_the_gate_is_found(source: str) -> None:
    """The rule can fail."""
    assert len(prints_past_the_gate(source, "cli/commands/layers.py")) == 1
    assert prints_past_the_gate("say('hi')\nprintable('hi')", "cli/commands/layers.py") == []


def test_own_methods_may_be_called_like_the_world() -> None:
    """`self.print` and a `sys.exit` of one's own are no findings."""
    assert touches_world("class A:\n    def f(self):\n        self.print()", "api.py") == []


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("x = 1\n" * MAX_FILE_LINES, []),
        ("x = 1\n" * (MAX_FILE_LINES + 1), ["a.py"]),
        ("def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1), []),
        ("def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, ["a.py:f"]),
        ("class A:\n  async def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, ["a.py:f"]),
        ('def f():\n    """Do.\n' + "\n" * MAX_FUNCTION_LINES + '    """\n', []),
    ],
)
def test_a_long_file_or_function_is_found(source: str, keys: list[str]) -> None:
    """The rule counts to the line, and lets a docstring be."""
    assert [key for key, _ in iter_too_long(source, "a.py")] == keys
