"""Header blocks, read again in the order of the stream."""

from __future__ import annotations

import pytest

from lamella.tar.blocks import HeaderBlocks
from tests.tar.virtual import Virtual


def block(number: int) -> bytes:
    """Return a block that no other is like."""
    return number.to_bytes(2, "big") * 256


@pytest.mark.parametrize(
    ("size", "count", "most_calls", "most_read"),
    [(512, 1000, 20, 1000 * 1024 + (1 << 17)), (1 << 20, 30, 30, 30 * 2048)],
)
def test_little_is_read_for_a_header(
    size: int, count: int, most_calls: int, most_read: int
) -> None:
    """Small members share a system call; the content of large ones is not read."""
    tar = Virtual([part for number in range(count) for part in (block(number), size)])
    blocks = HeaderBlocks(tar)
    for number in range(count):
        assert blocks.at(number * (512 + size)) == block(number)
    assert tar.calls <= most_calls
    assert tar.read <= most_read


def test_any_order_is_right() -> None:
    """Back, again, and the last one, behind which nothing comes."""
    tar = Virtual([block(number) for number in range(200)])
    blocks = HeaderBlocks(tar)
    for number in (0, 199, 5, 5, 4, 150, 3, 199):
        assert blocks.at(number * 512) == block(number)
