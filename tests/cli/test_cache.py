"""`lamella cache`: what is remembered is shown and removed, and nothing else."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from lamella.layer.blob import Bytes
from lamella.layer.partial.listings import ListingCache
from lamella.report.text import human_size
from lamella.spec.digest import Digest
from tests.cli.conftest import Lamella
from tests.transport.forms import TARS


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in whose cache two layers are remembered."""
    cache = ListingCache(tmp_path / "home" / ".cache" / "lamella" / "listings")
    for tar in TARS[:2]:
        cache.save(Digest.of(tar), Bytes(tar))
    return tmp_path / "home"


def at(home: Path) -> dict[str, str]:
    """Return the variables that name a cache."""
    return {"HOME": str(home), "XDG_CACHE_HOME": ""}


def test_what_is_remembered_is_shown(lamella: Lamella, home: Path) -> None:
    """Where, of how many layers, and how big."""
    folder = home / ".cache" / "lamella" / "listings"
    text = lamella("cache", "show", env=at(home)).worked().text
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert text == f"{folder}: 2 layers, {human_size(size)}\n"


def test_cleared_it_is_gone(lamella: Lamella, home: Path) -> None:
    """With its folders; the user's own stay."""
    assert "2 layers" in lamella("cache", "clear", env=at(home)).worked().text
    assert [path.name for path in (home / ".cache").iterdir()] == []
    assert lamella("cache", "clear", env=at(home)).worked().text == "the cache is empty\n"
    assert ": 0 layers, 0 B" in lamella("cache", "show", env=at(home)).worked().text


def test_what_others_put_there_stays(lamella: Lamella, home: Path) -> None:
    """It is not ours to remove."""
    other = home / ".cache" / "lamella" / "listings" / "notes.txt"
    other.write_text("mine", encoding="utf-8")
    lamella("cache", "clear", env=at(home)).worked()
    assert [path for path in home.rglob("*") if path.is_file()] == [other]


def test_what_the_one_file_unpacked_is_told_and_removed(lamella: Lamella, home: Path) -> None:
    """It is the larger part."""
    unpacked = home / ".cache" / "lamella" / "one-file"
    (unpacked / "lamella.pyz_1").mkdir(parents=True)
    (unpacked / "lamella.pyz_1" / "module.py").write_bytes(bytes(1000))
    told = f"{unpacked}: the one file, unpacked, 1.00 kB\n"
    assert lamella("cache", "show", env=at(home)).worked().text.endswith(told)
    assert lamella("cache", "clear", env=at(home)).worked().text.endswith(f"removed {told}")
    assert list((home / ".cache").iterdir()) == []


def test_wherever_the_one_file_unpacked_itself_is_told(
    lamella: Lamella, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the cache that the user names; among temporary files, if no cache can be written."""
    folders = [
        tmp_path / "cache" / "lamella" / "one-file",
        tmp_path / "home" / ".cache" / "lamella" / "one-file",
        tmp_path / "temporary" / f"lamella-{os.getuid()}" / "one-file",
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    env = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    told = [f"{folder}: the one file, unpacked, 0 B" for folder in folders]
    assert lamella("cache", "show", env=env).worked().text.splitlines()[1:] == told
    cleared = lamella("cache", "clear", env=env).worked().text.splitlines()
    assert cleared == [f"removed {line}" for line in told]
    assert not any(folder.exists() for folder in folders)


def test_a_file_that_can_not_be_removed_is_told(lamella: Lamella, home: Path) -> None:
    """Nobody may think that it is gone."""
    folder = home / ".cache" / "lamella" / "listings"
    path = min(folder.iterdir())
    path.unlink()
    path.mkdir()  # also root can't unlink that
    ran = lamella("cache", "clear", env=at(home)).failed(1, "can't remove")
    assert re.search(re.escape(str(path)), ran.err)


def test_without_a_home_nothing_is_remembered(lamella: Lamella, tmp_path: Path) -> None:
    """And that is no failure."""
    env = {"HOME": "", "XDG_CACHE_HOME": "relative"}
    assert "there is no cache" in lamella("cache", "show", env=env).worked().text
