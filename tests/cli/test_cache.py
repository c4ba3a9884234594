"""`lamella cache`: what is remembered is shown and removed, and nothing else."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from lamella import waiting
from lamella.fleet.ranges import Ranges, RangesCache
from lamella.layer.blob import Bytes
from lamella.layer.partial.listings import ListingCache
from lamella.report.text import human_size
from lamella.spec.digest import Digest
from lamella.transport.environment import Environment
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
    assert lamella("cache", "show", env=at(home)).worked().text.endswith("/listings: empty\n")


def test_images_that_were_planned_are_no_layers(lamella: Lamella, home: Path) -> None:
    """What their ranges would save is kept in the same folder."""
    folder = home / ".cache" / "lamella" / "listings"
    RangesCache(folder).save(Digest.of(b"x"), Ranges(((1,),), (0,), has_device=False))
    text = lamella("cache", "show", env=at(home)).worked().text
    assert text.startswith(f"{folder}: 2 layers, range sizes of 1 image, ")
    lamella("cache", "clear", env=at(home)).worked()
    assert not folder.exists()


def test_nothing_is_called_removed_before_it_is(lamella: Lamella, home: Path) -> None:
    """What can't be removed is an error, and no line says otherwise."""
    (home / "elsewhere").mkdir()
    unpacked = home / ".cache" / "lamella" / "one-file"
    unpacked.symlink_to(home / "elsewhere")
    ran = lamella("cache", "clear", env=at(home))
    assert ran.code == 1
    assert f"can't remove {unpacked}" in ran.err
    assert ran.text.startswith("removed ")
    assert "one-file" not in ran.text


def test_an_interrupt_does_not_say_that_nothing_is_left(
    lamella: Lamella, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of it may be removed, some not."""

    def interrupted(_env: Environment) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting._state, "left", "")  # noqa: SLF001 - other tests go on
    monkeypatch.setattr("lamella.cli.commands.cache.forget", interrupted)
    ran = lamella("cache", "clear", env=at(home))
    assert (ran.code, ran.err) == (
        130,
        "lamella: interrupted; what is not removed yet is kept; run it again\n",
    )


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


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders with what the one file unpacked: a cache, the usual one, among temporary files."""
    folders = [
        tmp_path / "cache" / "lamella" / "one-file",
        tmp_path / "home" / ".cache" / "lamella" / "one-file",
        tmp_path / "temporary" / f"lamella-{os.getuid()}" / "one-file",
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "module.py").write_bytes(bytes(1000))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    return folders


def test_only_what_these_settings_use_is_removed(
    lamella: Lamella, tmp_path: Path, unpacked: list[Path]
) -> None:
    """Others are told of, by `show` and by `clear`."""
    mine, usual, temporary = unpacked
    env = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    others = [
        f"{folder.parent}: 1.00 kB, not used with these settings" for folder in (usual, temporary)
    ]
    told = f"{mine}: the one file, unpacked, 1.00 kB"
    assert lamella("cache", "show", env=env).worked().text.splitlines()[1:] == [told, *others]
    cleared = lamella("cache", "clear", env=env).worked().text.splitlines()
    assert cleared == [f"removed {told}", *others]
    assert [folder.exists() for folder in unpacked] == [False, True, True]


def test_what_is_among_temporary_files_is_removed_where_there_is_no_cache(
    lamella: Lamella, unpacked: list[Path]
) -> None:
    """There the one file unpacks itself, if it can't write to a cache."""
    env = {"HOME": "relative", "XDG_CACHE_HOME": ""}
    text = lamella("cache", "clear", env=env).worked().text
    assert text == f"removed {unpacked[2]}: the one file, unpacked, 1.00 kB\n"
    assert [folder.exists() for folder in unpacked] == [True, True, False]


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
