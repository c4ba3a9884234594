"""The words of the site: pages with the titles of others in their links, read as sentences."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LISTED = re.compile(r"^- \[([^\]]+)\]\([^)]+\):? ?([^\n]*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """The script that makes the site."""
    spec = importlib.util.spec_from_file_location("lamella_site", ROOT / ".ci" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def test_no_link_is_said_twice(site: ModuleType) -> None:
    """What follows a title says something else; site.py makes titles of file names."""
    moved, found, twice = site.files(), 0, []
    for old in (path for path in moved if path.endswith(".md")):
        page = site.linked((ROOT / old).read_text(encoding="utf-8"), old, moved, "https://home")
        for title, rest in _LISTED.findall(page):
            found += 1
            if rest and set(_words(title)) <= set(_words(rest)):
                twice.append(f"{old}: {title}: {rest}")
    assert twice == []
    assert found > 10
