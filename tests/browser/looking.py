"""How well what is on a page can be seen: contrast, as WCAG 2.2 has it (1.4.3, 1.4.11)."""

from __future__ import annotations

__all__ = ["COLOURS", "contrast", "luminance"]

COLOURS = """
const parse = (text) => text.match(/[0-9.]+/g).map(Number);
const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const paper = (e) => {
  for (; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const e = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !shown(e) || e.closest("script, .unseen")) continue;
  const style = getComputedStyle(e);
  const ink = parse(e.closest("svg") ? style.fill : style.color);
  found.push([texts.currentNode.data.trim().slice(0, 40), ink, paper(e)]);
}
const drawn = "rect.live, rect.stripe, rect.other, rect.before, .lanes line";
for (const e of document.querySelectorAll(drawn)) {
  const style = getComputedStyle(e);
  const colour = style.stroke === "none" ? style.fill : style.stroke;
  found.push(["<" + e.getAttribute("class") + ">", parse(colour), paper(e.closest("svg"))]);
}
return found;
"""
"""Returns of each text, and each part of a picture, what it is, its colour and the one behind."""


def luminance(colour: list[float]) -> float:
    """Return WCAG's relative luminance."""
    parts = [c / 255 for c in colour[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    """Return WCAG's contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
