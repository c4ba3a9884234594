"""How many cores are counted on: those of the process, and no more than its control group gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella.cores import usable_cores


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group of version 2, `/jobs/one`; the process may run on eight cores."""
    folder = tmp_path / "cgroup/jobs/one"
    folder.mkdir(parents=True)
    own = tmp_path / "self"
    own.write_text("4:memory:/elsewhere\n0::/jobs/one\n")
    monkeypatch.setattr("lamella.cores._CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr("lamella.cores._OWN", own)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    return folder


def test_without_a_limit_all_cores_of_the_process_are_used(group: Path) -> None:
    """No file, "max", and what no kernel writes: none of them takes a core away."""
    assert usable_cores() == 8
    for text in ("max 100000\n", "odd", "-1 100000", "1 0"):
        (group / "cpu.max").write_text(text)
        assert usable_cores() == 8


@pytest.mark.parametrize(("quota", "cores"), [(250000, 3), (1000, 1), (1600000, 8)])
def test_a_share_of_the_cores_is_rounded_up(group: Path, quota: int, cores: int) -> None:
    """A container that was given two and a half cores keeps three threads busy."""
    (group / "cpu.max").write_text(f"{quota} 100000\n")

    assert usable_cores() == cores


def test_the_limit_of_a_group_above_counts(group: Path) -> None:
    """A job may have no limit of its own, and be in a group that has one."""
    (group / "cpu.max").write_text("600000 100000\n")
    (group.parent / "cpu.max").write_text("200000 100000\n")

    assert usable_cores() == 2


def test_a_process_without_control_groups_uses_what_it_may_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has neither of the two."""
    monkeypatch.setattr("lamella.cores._OWN", tmp_path / "nothing")
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 5)

    assert usable_cores() == 5
