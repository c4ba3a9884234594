"""Which images are meant: named one by one, by patterns, or in files."""

from __future__ import annotations

from lamella.cli.text_file import STDIN, read_text
from lamella.errors import UsageError
from lamella.fleet.work import Listed, read_list, read_planned

__all__ = ["read_lists", "read_plan_of", "read_pulls"]


def read_lists(path: str | None) -> list[Listed]:
    """Return the lines of a list, if there is one; a dash is standard input.

    Raises:
        UsageError: it can't be read, or a line makes no sense.
    """
    if path is None:
        return []
    name = "standard input" if path == STDIN else path
    return list(read_list(read_text(path, "--list").splitlines(), name))


def read_plan_of(path: str) -> list[Listed]:
    """Return the images of a plan.

    Raises:
        UsageError: it can't be read, or is no plan.
    """
    return list(read_planned(read_text(path, "--plan").encode(), path))


def read_pulls(path: str) -> dict[str, int]:
    """Return how often images are pulled: a line has a number and a reference.

    Raises:
        UsageError: the file can't be read, or a line is something else.
    """
    pulls: dict[str, int] = {}
    for line in read_text(path, "--pulls").splitlines():
        number, _, name = " ".join(line.split()).partition(" ")
        if not number or number.startswith("#"):
            continue
        if not (number.isascii() and number.isdigit() and name):
            raise UsageError(f"--pulls {path}: expected lines NUMBER IMAGE, got {line!r:.60}")
        pulls[name] = pulls.get(name, 0) + int(number)
    return pulls
