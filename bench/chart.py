"""Bars of seconds on a logarithmic scale, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from xml.sax.saxutils import escape

WIDTH, LABELS, ROW, GAP = 860, 260, 20, 16
STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-weight:bold}"
    "rect{fill:#9db4c8}.own{fill:#d2691e}line{stroke:#ddd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#444}}"
)


def bars(groups: Iterable[tuple[str, list[tuple[str, float]]]]) -> str:
    """Draw groups of bars: a title, and for each bar its label and its seconds."""
    drawn = list(groups)
    seconds = [value for _, rows in drawn for _, value in rows]
    if not seconds:
        raise SystemExit("nothing was measured that could be drawn")
    low = 10.0 ** math.floor(math.log10(min(seconds)))
    high = max(seconds) * 1.3
    room = WIDTH - LABELS - 60

    def at(value: float) -> float:
        return LABELS + room * math.log(value / low) / math.log(high / low)

    out, y = [], 8
    for title, rows in drawn:
        y += ROW
        out.append(f'<text class="title" x="4" y="{y}">{escape(title)}</text>')
        for label, value in rows:
            y += ROW
            own = ' class="own"' if label.startswith("lamella") else ""
            long = at(value) - LABELS
            out.append(f'<text x="{LABELS - 6}" y="{y}" text-anchor="end">{escape(label)}</text>')
            out.append(
                f'<rect{own} x="{LABELS}" y="{y - 12}" width="{long:.1f}" height="{ROW - 5}"/>'
            )
            out.append(f'<text x="{at(value) + 5:.1f}" y="{y}">{value:.3g} s</text>')
        y += GAP
    grid, tick = [], low
    while tick < high:
        x = f"{at(tick):.1f}"
        grid.append(f'<line x1="{x}" y1="12" x2="{x}" y2="{y}"/>')
        grid.append(f'<text x="{x}" y="{y + 14}" text-anchor="middle">{tick:g} s</text>')
        tick *= 10
    size = f'width="{WIDTH}" height="{y + 24}" viewBox="0 0 {WIDTH} {y + 24}"'
    body = "\n".join([f"<style>{STYLE}</style>", *grid, *out])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'
