"""What was done, on the disk before the next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lamella.errors import OutputError, UsageError
from lamella.fleet.journal import Journal, read_journal
from lamella.fleet.task import Noted, Outcome

DONE = Outcome("a", "b", "squashed", source_digest="sha256:1", digest="sha256:2", plan="sha256:3")
KNOWN = {("a", "b"): Noted("sha256:1", "sha256:3", "sha256:2")}


def test_the_last_word_counts(tmp_path: Path) -> None:
    """Failures are noted, and are nothing to go on from."""
    path = str(tmp_path / "journal")
    assert read_journal(path) == {}
    with Journal(path) as journal:
        journal.note(replace(DONE, digest="sha256:0"))
        journal.note(DONE)
        journal.note(Outcome("c", "d", "failed", exit_code=5, message="no\nanswer"))
    assert read_journal(path) == KNOWN
    lines = Path(path).read_text().splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["squashed", "squashed", "failed"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_off(tmp_path: Path, cut: int) -> None:
    """It is passed over, and the next run begins a line of its own."""
    path = tmp_path / "journal"
    with Journal(str(path)) as journal:
        journal.note(replace(DONE, source="lost"))
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(str(path)) as journal:
        journal.note(DONE)
    found = read_journal(str(path))
    assert found[("a", "b")] == KNOWN[("a", "b")]
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("text", ["[]\n", '{"a": 1}\n', "5\n", "x" * 70_000 + "\n"])
def test_what_is_no_journal(tmp_path: Path, text: str) -> None:
    """It is refused, not taken for an empty one."""
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"journal .*line 1"):
        read_journal(str(path))


def test_where_it_cannot_be(tmp_path: Path) -> None:
    """A folder is none; a full disk is told."""
    with pytest.raises(OutputError, match="journal"):
        Journal(str(tmp_path))
    with pytest.raises(UsageError, match="Is a directory"):
        read_journal(str(tmp_path))
    with Journal("/dev/full") as journal, pytest.raises(OutputError, match="No space left"):
        journal.note(DONE)
