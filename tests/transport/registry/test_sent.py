"""Progress of what is sent to a registry: no phase does more than it said it would."""

from __future__ import annotations

from pathlib import Path

import lamella
from lamella.transport.environment import Environment
from lamella.transport.registry.sent import Sent
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.support.images import docker_archive
from tests.support.progress import Recorder
from tests.support.tars import entry, layer


def test_no_phase_is_more_than_done(tmp_path: Path) -> None:
    """Layers that stay are sent while the new one is made, and are not counted as that."""
    tars = [layer(entry(f"f{n}", bytes([n]) * 700_000)) for n in range(5)]
    archive = tmp_path / "app.tar"
    archive.write_bytes(docker_archive(*tars))
    told = Recorder()
    with registry_in_memory(Oddly(0)) as registry:
        target = f"docker://{registry.host}/app:slim"
        lamella.squash(archive, last=2, output=target, env=Environment(progress=told))
    done = {name: told.bytes.get(name, 0) for name, total in told.totals.items() if total}
    assert done
    assert all(amount <= (told.totals[name] or 0) for name, amount in done.items())


def test_what_is_left_is_shown_at_the_end() -> None:
    """What was sent before somebody waits is no part of it."""
    told = Recorder()
    sent = Sent(told)
    sent.expect(100)
    sent.advance(30)
    assert told.phases == []
    sent.show()
    sent.advance(70)
    assert (told.totals, told.bytes) == ({"send layers": 70}, {"send layers": 70})


def test_nothing_is_shown_where_all_is_sent() -> None:
    """There is nothing to wait for."""
    told = Recorder()
    sent = Sent(told)
    sent.expect(5)
    sent.advance(5)
    sent.show()
    assert told.phases == []
