"""Run all pairs and write what became of them into docs/transports.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pytest

from tests.transport_pairs.table import PAGE, read_table, with_table


class Collector:
    """A plugin of pytest that gathers what the tests of the pairs report."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a pair that was run to its end."""
        for name, value in report.user_properties:
            if name == "pair" and report.when == "call":
                row, column, cell = cast("tuple[str, str, str]", value)
                other = self.cells.setdefault((row, column), cell)
                assert other == cell, f"{row}, {column}: {other} as a file, {cell} as a stream"


def main() -> int:
    """Tests that found the page to be stale fail here, which does not matter; others do."""
    collector = Collector()
    pytest.main([str(Path(__file__).parent), "-q", "--tb=line"], plugins=[collector])
    page = with_table(PAGE.read_text(encoding="utf-8"), collector.cells)
    PAGE.write_text(page, encoding="utf-8")
    missing = set(read_table(page)) - set(collector.cells)
    print(f"{PAGE.name}: {len(collector.cells)} cells written, {len(missing)} not run")  # noqa: T201
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
