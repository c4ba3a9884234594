"""Build the documentation as a site: `python .ci/site.py FOLDER`, as `make site` does.

Pages are copied and their links made to fit: those to pages lead to pages, and have their titles
instead of file names; those to other files of the repository lead to its address. Then Zensical
builds the copy; a link to nothing is an error.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
_CODE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")
_NAMED = re.compile(r"\[([\w./-]+\.md)\]\(([^)#\s]+)")
"""A link that has a file's name for its words."""
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_CLONED = "URL-OF-THIS-REPOSITORY"


def files() -> dict[str, str]:
    """Return what the site is made of: paths in the repository, and in the site's sources."""
    found = (
        path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()
    )
    return TOP | {path: path.removeprefix("docs/") for path in found}


def linked(text: str, old: str, moved: dict[str, str], address: str) -> str:
    """Return a page whose links fit its new place.

    Args:
        text: the page.
        old: its path in the repository.
        moved: new paths by old ones.
        address: of the repository's files.
    """

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(old), found[2]))
        if target not in moved:
            return f"{found[1]}{address}/{target}"
        return found[1] + posixpath.relpath(moved[target], posixpath.dirname(moved[old]) or ".")

    def named(found: re.Match[str]) -> str:
        page = ROOT / posixpath.dirname(old) / found[2]
        title = _TITLE.search(page.read_text(encoding="utf-8")) if page.is_file() else None
        return f"[{title[1] if title else found[1]}]({found[2]}"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(link, _NAMED.sub(named, part)) for part in parts[::2]]
    return "".join(parts)


def gather(folder: Path, home: str) -> None:
    """Copy all pages, and what they show, to a folder."""
    moved = files()
    for old, new in moved.items():
        target = folder / new
        target.parent.mkdir(parents=True, exist_ok=True)
        if old.endswith(".md"):
            text = (ROOT / old).read_text(encoding="utf-8").replace(_CLONED, home)
            target.write_text(linked(text, old, moved, f"{home}/blob/HEAD"), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / old, target)


def main(site: Path) -> int:
    """Build the site in a folder, which is replaced."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    home = settings["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    with tempfile.TemporaryDirectory(prefix="lamella-site-") as folder:
        gather(Path(folder, "pages"), home)
        shutil.copy(ROOT / ".ci/zensical.toml", folder)
        Path(folder, "pages/assets").mkdir()
        for name in ("iframe-worker.js", "site.css"):
            shutil.copy(ROOT / ".ci" / name, Path(folder, "pages/assets"))
        zensical = [sys.executable, "-m", "zensical", "build", "--strict"]
        if subprocess.run(zensical, cwd=folder, check=False).returncode:  # noqa: S603 - as named
            return 1
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(Path(folder, "site"), site)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
