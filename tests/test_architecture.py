"""The house keeps its plan: who may import whom, who may print, how long a function may get.

Each rule is a function from source text to findings, so that the rule itself is tested: the last
part of this file feeds it code that must not pass.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lamella"

# --- The plan -----------------------------------------------------------------------------------

MAY_IMPORT: dict[str, set[str]] = {
    "limits": set(),
    "cores": set(),
    "files": set(),
    "errors": set(),
    "nearest": set(),
    "progress": set(),
    "waiting": set(),
    "spec": {"errors", "limits"},
    "tar": {"errors", "limits"},
    "layer": {"cores", "errors", "limits", "files", "waiting", "spec", "tar"},
    "image": {"spec", "layer"},
    "layer_list": {"image", "spec"},
    "selection": {"errors", "image"},
    # the merged layer is known by its digest, a word of spec's
    "merge": {"errors", "limits", "tar", "layer", "spec"},
    "rootfs": {"tar", "layer", "image", "merge", "spec"},
    "rewrite": {"spec", "image", "selection"},
    "inside": {
        *{"errors", "spec", "tar", "layer", "image", "selection", "merge", "rootfs"},
        "transport",
    },
    "transport": {
        *{"errors", "limits", "files", "nearest", "progress", "waiting", "spec", "layer"},
        *{"cores", "image"},
    },
    "analysis": {
        *{"cores", "errors", "limits", "progress", "spec", "tar", "layer", "image", "merge"},
    },
    # which values are secrets is known to the analysis
    "restate": {"errors", "spec", "analysis"},
    "rebasing": {"errors", "spec", "tar", "layer", "image", "merge", "analysis"},
    "operations": {
        *{"errors", "progress", "waiting", "spec", "tar", "layer", "image"},
        *{"layer_list", "selection", "merge", "rootfs", "rewrite", "restate", "transport"},
        *{"analysis", "rebasing"},
    },
    # the façade is how one image of many is squashed
    "fleet": {
        *{"analysis", "api", "cores", "errors", "files", "image", "layer", "layer_list"},
        "operations",
        *{"progress", "restate", "rewrite", "selection", "spec", "tar", "transport", "waiting"},
    },
    "report": {
        *{"errors", "tar", "image", "layer_list", "merge", "rootfs", "inside", "analysis"},
        *{"operations", "rebasing"},
        "fleet",
    },
    "api": {
        *{"errors", "spec", "layer", "image", "layer_list", "restate", "rewrite", "rootfs"},
        *{"analysis", "inside", "operations", "transport"},
    },
    "demo": {"spec", "tar", "transport"},
    # options of the calls are values of their rooms
    "cli": {
        *{"api", "demo", "errors", "nearest", "report", "transport", "waiting"},
        # what the screen of `explore` shows
        *{"analysis", "operations", "tar"},
        "files",  # what is written to a file is written completely, or not at all
        "inside",  # what `ls`, `cat` and `export` look into
        *{"fleet", "progress"},  # many images
        "restate",  # annotations as they are typed
    },
    "__init__": {
        *{"analysis", "api", "errors", "fleet", "image", "inside", "layer", "merge"},
        *{"operations", "progress", "rebasing", "rootfs", "spec", "transport"},
    },
    "__main__": {"cli"},
}
"""Rooms, and what they may import."""

# Where the format is a tar.
READS_TAR = {
    "transport/file/tarball.py",
    "transport/engine/store/split_index.py",
    "transport/engine/store/tar_split.py",
}

# Who may take which of the package's own names (the rest comes from its rooms).
FROM_ROOT: dict[str, set[str]] = {
    "cli": {"__version__"},
    "fleet": {"__version__"},
    "operations": {"__version__"},
}

# Third parties, each with the one room that knows it. A new one needs a line in pyproject.toml and
# in docs/dependencies.md too.
THIRD_PARTY: dict[str, set[str]] = {
    "backports": {"layer"},
    "click": {"cli"},
    "compression": {"layer"},  # Python's own from 3.14 on
    "dask": {"fleet"},
    "distributed": {"fleet"},
    "fastcrc": {"layer", "transport"},
    "hyperscan": {"analysis"},
    "isal": {"layer"},
    "jinja2": {"report"},
    "rich": {"cli"},
    "textual": {"cli"},
    "urllib3": {"transport"},
    "yaml": {"cli"},
    "zlib_ng": {"layer", "tar"},
}

STANDARD = {*sys.stdlib_module_names, "__future__"}

# What takes all that it is given, or raises an error. Everything else is written by `files.py`, for
# a file may take a part.
WRITES_ALL = {
    *{"self", "job", "spool", "_spool", "blob", "_tar", "upload", "outgoing"},
    "stdin",  # of a child: has a buffer
}
WRITES_NO_FILE = {"layer/compress.py", "transport/file/packed.py"}  # hand on what they make
WRITERS = {"write", "writelines", "pwrite", "pwritev", "writev", "write_bytes", "write_text"}

# Who writes to a terminal past its gate, `cli/terminal.py`, and why that is safe.
PAST_THE_GATE: dict[str, str] = {
    "cli/terminal.py": "it is the gate",
    "cli/commands/completion.py": "a script of our own, in which nothing of an image is",
    "cli/batch_progress.py": "Rich draws the bars; its texts have passed the gate",
    "cli/progress.py": "Rich draws the bar; its texts have passed the gate",
}

# Options of other programs, which only look like ours.
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS_OPTIONS: set[str] = {
    "transport/engine/address.py:--url",
    "transport/engine/address.py:--host",
}

# What they name are instructions of a Dockerfile and options of package managers.
SPEAK_DOCKERFILE = {
    *("analysis/advice.py", "analysis/caches.py", "analysis/instruction.py"),
    "restate/health.py",
}

# Rooms that may print, read the environment and exit.
OUTER = {"cli", "__main__"}

# What else may touch the world, and why.
TOUCHES: dict[str, str] = {
    "transport/environment.py:os.environ": "`Environment.from_env` is what calls use without one",
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# "path" or "path:function" → why it may be longer.
LONGER: dict[str, str] = {
    "api.py:squash": "one parameter for each thing a user can ask for",
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


@functools.cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """Parse a file, and walk its tree, once for all rules; none of them changes it."""
    return tuple(ast.walk(ast.parse(source)))


def component(path: str) -> str:
    """Name the room a file stands in: "tar/scan.py" is in "tar", "image.py" is "image"."""
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def iter_imports(source: str, path: str) -> Iterator[Import]:
    """Find every import, at the top or in a function, relative ones made absolute."""
    package = ["lamella", *path.split("/")[:-1]]
    for node in nodes_of(source):
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
    for found in iter_imports(source, path):
        top, _, rest = found.module.partition(".")
        if top != "lamella":
            if top not in STANDARD and room not in THIRD_PARTY.get(top, ()):
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


def uses_of_plan() -> Iterator[tuple[str, str]]:
    """Find which rows of the tables above are used: pairs of a room and what it takes."""
    for path in source_files():
        room = component(path)
        for found in iter_imports(read(path), path):
            top, _, rest = found.module.partition(".")
            target = rest.split(".")[0] or found.name or ""
            if top != "lamella":
                yield room, f"{top} (third party)"
            elif target == "tar" and path in READS_TAR:
                yield path, target
            elif target != room:
                yield room, target


def module_of(path: str) -> str:
    """Name the module of a file: "tar/scan.py" is lamella.tar.scan."""
    return "lamella." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def iter_circles(imports: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Find the files that lead back to themselves, by whom each imports."""
    left = dict(imports)
    while free := [name for name, may in left.items() if not may & left.keys()]:
        for name in free:
            del left[name]
    while free := [name for name in left if not any(name in may for may in left.values())]:
        for name in free:
            del left[name]
    if left:
        yield sorted(left)


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
    nodes = nodes_of(source)
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return [
        f"{path}:{node.lineno}: {what} belongs to cli"
        for node in nodes
        if isinstance(node, ast.Name | ast.Attribute)
        and (what := dotted(node, names)) in WORLD
        and isinstance(node.ctx, ast.Load)
        and f"{path}:{what}" not in TOUCHES
    ]


def writes_in_part(source: str, path: str) -> list[str]:
    """List where one file writes by something that may take a part only."""
    if path == "files.py" or path in WRITES_NO_FILE:
        return []
    findings = []
    for node in nodes_of(source):
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
    calls = (node.func for node in nodes_of(source) if isinstance(node, ast.Call))
    texts = ((call.lineno, ast.unparse(call)) for call in calls)
    return [f"{path}:{line}: {text}" for line, text in texts if PRINTS.fullmatch(text)]


def names_options(source: str, path: str) -> list[str]:
    """List the messages of one file below cli/ that name an option of the command line.

    A message is one line; a text of several is a script for another program.
    """
    if component(path) in {*OUTER, "demo", "report"}:
        return []
    nodes = nodes_of(source)
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        f"{path}:{node.lineno}: {node.value!r} names an option; say the parameter in backticks"
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in told
        and "\n" not in node.value
        and OPTION.search(node.value)
        and f"{path}:{node.value}" not in OTHERS_OPTIONS
        and path not in SPEAK_DOCKERFILE
    ]


def names_used_twice(sources: Mapping[str, str]) -> list[str]:
    """Classes that share a name, an underscore before it or not: who looks for one finds another.

    Args:
        sources: the text of each file, by its path.
    """
    places: dict[str, list[str]] = {}
    for path, source in sources.items():
        for node in nodes_of(source):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(path)
    return [f"{name}: {', '.join(paths)}" for name, paths in places.items() if len(paths) > 1]


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
    for node in nodes_of(source):
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


def findings_of(rule: Callable[[str, str], list[str]]) -> list[str]:
    """List what a rule finds in all of them."""
    return [finding for path in source_files() for finding in rule(read(path), path)]


def test_each_file_imports_only_what_its_room_may() -> None:
    """The import table holds, in functions and for type checkers too."""
    assert findings_of(imports_against_plan) == []


def test_nothing_below_cli_touches_the_world() -> None:
    """Below cli/ nothing prints, reads the environment, exits or configures logging."""
    assert findings_of(touches_world) == []


def test_files_are_written_in_one_place() -> None:
    """A short write goes unnoticed nowhere: `lamella.files` does them all."""
    assert findings_of(writes_in_part) == []


def test_text_reaches_a_terminal_through_one_gate() -> None:
    """What an image calls itself may have escape sequences: all text passes `cli.terminal`."""
    assert findings_of(prints_past_the_gate) == []


@pytest.mark.parametrize("path", PAST_THE_GATE)
def test_each_way_past_the_gate_is_still_used(path: str) -> None:
    """An exception leaves with the code that needed it."""
    assert prints_past_the_gate(read(path), f"not/{path}") != []


def test_messages_of_the_library_name_no_option() -> None:
    """Who calls it from Python has none; `cli/failures.py` puts them in."""
    assert findings_of(names_options) == []


def test_each_class_has_a_name_of_its_own() -> None:
    """One word, one class."""
    assert names_used_twice({path: read(path) for path in source_files()}) == []


def test_files_and_functions_stay_short() -> None:
    """A longer one needs its reason in LONGER."""
    found = (pair for path in source_files() for pair in iter_too_long(read(path), path))
    assert [text for key, text in found if key not in LONGER] == []


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


def test_rooms_can_be_put_in_an_order() -> None:
    """Each knows only earlier ones."""
    assert list(iter_circles(MAY_IMPORT)) == []


def test_files_can_be_put_in_an_order() -> None:
    """Each knows only earlier ones, in functions and for type checkers too."""
    modules = {module_of(path): path for path in source_files()}
    imports = {}
    for module, path in modules.items():
        found = list(iter_imports(read(path), path))
        names = {f"{one.module}.{one.name}" for one in found} | {one.module for one in found}
        imports[module] = {
            name
            for name in names & modules.keys() - {module}
            # `from package import module` needs the module, not what else the package shows
            if not any(f"{name}.{one.name}" in modules for one in found if one.module == name)
        }
    assert list(iter_circles(imports)) == []


def test_each_row_of_the_plan_is_used() -> None:
    """What a room no longer takes it may no longer take."""
    used = set(uses_of_plan())
    rows = {(room, target) for room, targets in MAY_IMPORT.items() for target in targets}
    rows |= {(room, f"{top} (third party)") for top, rooms in THIRD_PARTY.items() for room in rooms}
    rows |= {(room, name) for room, names in FROM_ROOT.items() for name in names}
    rows |= {(path, "tar") for path in READS_TAR}
    assert sorted(rows - used) == []


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
        ("tar/scan.py", "import requests"),
        ("transport/engine/client.py", "from lamella.merge import overlay"),
        ("transport/engine/client.py", "from lamella.tar import scan"),
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
        ("transport/file/tarball.py", "from lamella.tar import scan"),
        ("layer/compression.py", "from zlib_ng import zlib_ng"),
        ("cli/group.py", "from lamella import __version__"),
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
    assert len(writes_in_part(source, "transport/file/source.py")) == 1
    assert writes_in_part("self._tar.write(b'')", "transport/file/source.py") == []


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


@pytest.mark.parametrize(
    "source", ["raise E('try --tmp-dir')", "raise E(f'--last {n}: no')", "a = 'x; --insecure y'"]
)
def test_an_option_in_a_message_is_found(source: str) -> None:
    """The rule can fail, for parts of a message too; docstrings may tell of options."""
    assert len(names_options(source, "layer/spool.py")) == 1
    assert names_options(source, "cli/options.py") == []
    assert names_options(f'"""Of {source}."""', "layer/spool.py") == []
    assert names_options(r"SCRIPT = 'podman system \n service --time=0'", "layer/spool.py") == []


def test_a_name_of_two_classes_is_found() -> None:
    """Also where one of them is private."""
    sources = {"a.py": "class Line: ...", "b.py": "class _Line: ...\nclass Lines: ..."}
    assert names_used_twice(sources) == ["Line: a.py, b.py"]


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


@pytest.mark.parametrize(
    ("imports", "circles"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_a_circle_of_files_is_found(imports: dict[str, set[str]], circles: list[list[str]]) -> None:
    """The rule can fail, and names those that are in it."""
    assert list(iter_circles(imports)) == circles
