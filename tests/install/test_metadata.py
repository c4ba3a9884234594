"""What a package index shows of lamella."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from lamella import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def metadata() -> ProjectMetadata[PluginManager]:
    """What the build backend makes of pyproject.toml and its hook."""
    return ProjectMetadata(str(ROOT), PluginManager())


def test_readme_links_work_away_from_the_repository(
    metadata: ProjectMetadata[PluginManager],
) -> None:
    """Links and pictures of the README are addresses, of this version; the text is the README's."""
    shown, readme = metadata.core.readme, (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", shown)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    home = metadata.core.urls["Source"]
    assert f"]({home}/raw/v{__version__}/docs/images/report.png)" in shown
    assert f"]({home}/blob/v{__version__}/docs/cli.md)" in shown
    readme = readme.replace("URL-OF-THIS-REPOSITORY", home)
    assert f"$ git clone {home} lamella" in shown
    assert re.sub(r"\]\(.*?\)", "", shown) == re.sub(r"\]\(.*?\)", "", readme)
    assert metadata.core.readme_content_type == "text/markdown"


def test_the_address_of_the_repository_stands_in_one_place(
    metadata: ProjectMetadata[PluginManager],
) -> None:
    """Whoever moves the project changes one line."""
    home = metadata.core.urls["Source"]
    assert {"Changelog", "Documentation", "Homepage", "Issues", "Source"} == set(metadata.core.urls)
    assert all(url.startswith(home) for url in metadata.core.urls.values())
    pages = [*ROOT.glob("*.*"), *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.py")]
    found = {page.name: page.read_bytes().count(home.encode()) for page in pages if page.is_file()}
    assert {name: count for name, count in found.items() if count} == {
        "pyproject.toml": 1,
        "releasing.md": 1,
    }


def test_the_sources_know_the_version_that_the_changelog_tells() -> None:
    """A release has its section, with a date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
