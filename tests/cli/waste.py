"""An image with waste of every kind, and a secret that is deleted again."""

from __future__ import annotations

from tests.support.images import made_by
from tests.support.tars import entry, layer, whiteout

__all__ = ["LAYERS", "STEPS"]

LAYERS = (
    layer("etc/", ("etc/conf", b"c" * 9000), ("bin/tool", b"t" * 300_000)),
    layer("var/lists/", *((f"var/lists/{n}", b"l" * 40_000) for n in range(5))),
    layer(("app/main", b"m" * 90_000), ("app/\x1b[2J\n\xe6\xa8\xa1".encode(), b"x" * 900)),
    layer(entry("app/main", b"m" * 90_000, uid=7), ("root/.ssh/id_rsa", b"key")),
    layer(whiteout("var/lists"), whiteout("root/.ssh/id_rsa"), ("etc/conf", b"d" * 9100)),
)
STEPS = made_by(
    "FROM scratch",
    "/bin/sh -c apt-get update && apt-get install a-rather-long-list of packages",
    "COPY . /app # buildkit",
    "RUN chown -R app /app",
    "RUN rm -rf /var/lists \N{CJK UNIFIED IDEOGRAPH-6A21}\N{CJK UNIFIED IDEOGRAPH-578B}",
)
