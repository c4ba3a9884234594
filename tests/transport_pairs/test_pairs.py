"""One image, squashed from every kind of place into every kind of place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.transport.registry.images import digest_of
from tests.transport_pairs.destinations import DESTINATIONS, Tools, destination_of
from tests.transport_pairs.image import ARGUMENTS, SQUASHED, archive, squashed
from tests.transport_pairs.sources import ENGINES, SOURCES, Place, client_of
from tests.transport_pairs.table import NOT_RUN, PAGE, read_table

PAIRS = [(source, destination) for source in SOURCES for destination in DESTINATIONS]
YES, PIPE = "yes", "by pipe"


def label(source: str, destination: str) -> tuple[str, str]:
    """Return what the table calls a pair."""
    return SOURCES[source], DESTINATIONS[destination]


@pytest.mark.engine
@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_squashed_from_one_to_the_other(
    place: Place,
    source: str,
    destination: str,
    tools: Tools,
    lamella: Lamella,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """The same layers and config wherever they come from; others read them; the page is true."""
    name, message = f"pairs/new:{source}", f"{source} to {destination}"
    there = destination_of(destination, request.getfixturevalue, tmp_path, name)
    settings = {**place.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    by_pipe = False
    if destination in ENGINES:
        client = client_of(destination, request.getfixturevalue)
        by_pipe = not client.can_take(place)
        settings = {**client.lamella, **settings}
    output = "-" if by_pipe else there.output
    names = ["-t", name] if output == "-" else []

    ran = lamella(
        *("squash", place.reference, *ARGUMENTS, "--message", message, "-o", output, *names),
        stdin=place.stdin,
        env=settings,
    ).worked()

    if output in {"-", "oci-archive:-:new"}:
        there.take(ran.out)
    found, reference = there.read(tools)
    assert found.diff_ids == [digest_of(tar) for tar in SQUASHED]
    assert found.config == squashed(message)
    (tmp_path / "old.tar").write_bytes(archive())
    lamella("verify", f"docker-archive:{tmp_path}/old.tar", reference, env=settings).worked()
    unpacked = destination in ENGINES and not found.manifest
    cell = PIPE if by_pipe else YES if unpacked else str(found)
    record_property("pair", (*label(source, destination), cell))
    told = read_table(PAGE.read_text(encoding="utf-8"))[label(source, destination)]
    assert told == cell, "python -m tests.transport_pairs writes the table anew"


def test_table_has_every_pair() -> None:
    """All of them were run."""
    table = read_table(PAGE.read_text(encoding="utf-8"))
    assert list(table) == list(dict.fromkeys(label(*pair) for pair in PAIRS))
    assert NOT_RUN not in table.values()
