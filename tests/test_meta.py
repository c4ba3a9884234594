"""What the repository says about itself is true."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
LOCKS = tuple(sorted(path.name for path in ROOT.glob("requirements*.txt")))

# Hosts of package registries, in two parts so that this file does not name them either.
FORBIDDEN = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python"),
        ("pythonhosted", "org"),
        ("deb", "debian"),
        ("ftp", "debian"),
        ("security", "debian"),
        ("registry", "npmjs"),
        ("proxy", "golang"),
    )
]


def tracked_files() -> list[Path]:
    """List the files of the repository; outside of git, all but caches and environments."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        skip = re.compile(r"(^|/)(\.(git|venv|.*_cache|hypothesis)|__pycache__|build|dist)(/|$)")
        found = [p for p in ROOT.rglob("*") if not skip.search(p.relative_to(ROOT).as_posix())]
    else:
        found = [ROOT / os.fsdecode(name) for name in listing.split(b"\0") if name]
    return sorted(p for p in found if p.is_file() and not p.is_symlink())


def text_of(path: Path) -> str | None:
    """Read a text file; None for a binary one."""
    data = path.read_bytes()
    return None if b"\0" in data else data.decode("utf-8", "replace")


# --- Public names -------------------------------------------------------------------------------


def packages() -> list[str]:
    """Name every package of the project, "lamella.tar" for one."""
    return sorted(".".join(p.parent.relative_to(SOURCE).parts) for p in SOURCE.rglob("__init__.py"))


def sort_key(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Order names as the linter does: CONSTANTS, then Classes, then functions; 2 before 10."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2
    parts = re.findall(r"\d+|\D+", name)
    return kind, [(int(p), "") if p.isdigit() else (-1, p) for p in parts]


def binds_public_names(source: str) -> bool:
    """Tell whether a module imports or defines a name that a user would see."""
    for node in ast.parse(source).body:
        match node:
            case ast.ImportFrom(module="__future__"):
                continue
            case ast.Import() | ast.ImportFrom():
                names = [alias.asname or alias.name for alias in node.names]
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case _:
                continue
        if not all(name.startswith("_") for name in names):
            return True
    return False


@pytest.mark.parametrize("package", packages())
def test_all_is_sorted_and_everything_in_it_is_there(package: str) -> None:
    """Each package says what it offers, in order, once, and offers it."""
    module = importlib.import_module(package)
    exported = getattr(module, "__all__", None)
    if exported is None:
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        assert not binds_public_names(source), f"{package} has public names but no __all__"
        return
    assert exported == sorted(set(exported), key=sort_key)
    assert [name for name in exported if not hasattr(module, name)] == []


def test_names_are_ordered_as_the_linter_does() -> None:
    """The order here and the linter's must not contradict each other."""
    names = ["MAX_SIZE", "Digest", "Image", "__version__", "level2", "level10", "squash"]
    assert sorted(set(names), key=sort_key) == names


def test_public_names_without_all_are_noticed() -> None:
    """The check for a missing __all__ can fail."""
    assert binds_public_names("from lamella.tar import scan")
    assert binds_public_names("def f(): ...")
    assert not binds_public_names('"""A room."""\nfrom __future__ import annotations')


# --- Settings -----------------------------------------------------------------------------------


def ignored_rules() -> list[str]:
    """List every code ruff is told to ignore, once for each place."""
    lint = tomllib.loads(PYPROJECT)["tool"]["ruff"]["lint"]
    codes = [*lint["ignore"]]
    for more in lint["per-file-ignores"].values():
        codes += more
    return codes


def reasoned_rules(text: str) -> list[str]:
    """List the codes that stand alone on a line with a comment of at least two words."""
    return re.findall(r'^ *"([A-Z]+[0-9]*)", *# \S+ \S.*$', text, flags=re.MULTILINE)


def test_each_ignored_lint_rule_has_its_reason() -> None:
    """A rule that is off says why, on its own line."""
    assert sorted(reasoned_rules(PYPROJECT)) == sorted(ignored_rules())


def test_an_ignored_rule_without_reason_is_noticed() -> None:
    """The check above can fail."""
    assert reasoned_rules('  "E501",\n  "D105", # x\n  "T201", # the only place\n') == ["T201"]


def test_the_build_backend_is_locked_as_declared() -> None:
    """The build-system table and the group that locks it say the same."""
    settings = tomllib.loads(PYPROJECT)
    assert settings["build-system"]["requires"] == settings["dependency-groups"]["build"]


def requirement_name(line: str) -> str:
    """Take the normalized name off a requirement: "zlib_ng>=1.0" is "zlib-ng"."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]).lower()


@pytest.mark.parametrize(
    ("lock", "table"),
    [
        ("requirements.txt", "project"),
        ("requirements-build.txt", "build"),
        ("requirements-dev.txt", "dev"),
        ("requirements-release.txt", "release"),
        ("requirements-site.txt", "site"),
    ],
)
def test_each_declared_dependency_is_locked_and_explained(lock: str, table: str) -> None:
    """A dependency has a line in its lock file and a place in docs/dependencies.md."""
    settings = tomllib.loads(PYPROJECT)
    declared = (
        settings["project"]["dependencies"]
        if table == "project"
        else settings["dependency-groups"][table]
    )
    text = (ROOT / lock).read_text(encoding="utf-8")
    locked = {requirement_name(line) for line in text.splitlines() if "==" in line}
    explained = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for line in declared:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        assert requirement_name(name) in locked, f"run make lock: {name} is not in {lock}"
        assert f"**{name}**" in explained, f"docs/dependencies.md does not tell why {name}"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_package_is_pinned_and_hashed(lock: str) -> None:
    """A lock file names one version and its hashes for each package, and no address."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE))
    assert blocks
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text
    assert "index-url" not in text


def test_lock_files_agree() -> None:
    """A package has the same version in every lock file."""
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        text = (ROOT / lock).read_text(encoding="utf-8")
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


# --- Words --------------------------------------------------------------------------------------


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    """Keep a Changelog: the first section is Unreleased."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert sections[0] == "[Unreleased]"


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the user's choice, so no file names a host."""
    findings = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        if (text := text_of(path)) is not None
        for word in FORBIDDEN
        if word in text
    ]
    assert findings == []


def local_links(text: str) -> list[str]:
    """List the targets of Markdown links and images that point into the repository."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose)
    targets += re.findall(r"^\[[^\]]+\]:\s+(\S+)", prose, flags=re.MULTILINE)
    return [t for t in targets if not re.match(r"[a-z][a-z0-9+.-]*:", t)]


def anchors(text: str) -> set[str]:
    """List the anchors that a page's headings make."""
    headings = re.findall(r"^#+ +(.*?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def pages() -> list[str]:
    """List the pages a reader starts from."""
    found = {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")}
    return sorted(page.relative_to(ROOT).as_posix() for page in found)


@pytest.mark.parametrize("name_of_page", pages())
def test_links_lead_somewhere(name_of_page: str) -> None:
    """Each link to a file of the repository finds it, and each anchor its heading."""
    page = ROOT / name_of_page
    for link in local_links(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{name_of_page}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_links_are_found() -> None:
    """The check above sees inline links and references, and not what is code or elsewhere."""
    text = "[a](b.md#c) ![d](<e.png>) [f](https://g)\n[h]: i.md\n```\n[j](k)\n```\n"
    assert local_links(text) == ["b.md#c", "e.png", "i.md"]
    assert anchors("# Who may import whom?\n## `make lock`\n") == {
        "who-may-import-whom",
        "make-lock",
    }
