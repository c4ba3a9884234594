from __future__ import annotations

import re
from pathlib import Path

from lamella import limits

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def test_the_table_of_limits_is_what_the_code_has() -> None:
    """The page names every limit with its value, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(value) for name, value in rows} == {
        name: getattr(limits, name) for name in limits.__all__
    }
