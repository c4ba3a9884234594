"""What an analysis found: on one screen for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lamella.analysis.advice import Advice, AdviceKind, advise
from lamella.analysis.grade import grade
from lamella.analysis.hidden import shown_instruction
from lamella.analysis.instruction import instruction
from lamella.analysis.model import Analysis, LayerFacts, Saving
from lamella.report.drawing import BAR, Paint, cut, cut_front, draw_bar, plain
from lamella.report.text import count_of, human_size, one_line, percent, printable
from lamella.tar.entry import path_text

__all__ = [
    "NOT_CHECKED",
    "NOT_CHECKED_SENTENCE",
    "WIDTH",
    "advice_of",
    "best_savings",
    "head",
    "kept_text",
    "screen",
    "squash_words",
    "to_json",
]

FORMAT_VERSION = 1
WIDTH = 80
NOT_CHECKED = "not checked for secrets: ENV, labels, build history, files with ordinary names"
"""What a look for secrets has not seen."""
NOT_CHECKED_SENTENCE = f"N{NOT_CHECKED[1:]}."
_LAYERS, _DEAD, _SECRETS, _ADVICE = 15, 6, 4, 3
_SQUASHES = 3
_SHARES = (1.0, 0.9, 0.5)
_NEARLY = 0.9


def best_savings(analysis: Analysis) -> list[Saving]:
    """Return up to three squashes that are worth it.

    Layers that other images share, and the base, are not touched if there is anything to save above
    them: then the first squash is of all that is above, unless a part of it saves clearly more. Of
    the others each touches fewer layers and still saves all, nine tenths or half of what can be
    saved; the one that saves most comes first.
    """
    every = [saving for saving in analysis.savings.values() if saving.saved > 0]
    above = [saving for saving in every if saving.first > analysis.kept]
    every = above or every
    if not every:
        return []
    most = max(saving.saved for saving in every)
    best: list[Saving] = []
    whole = analysis.savings[analysis.kept + 1, len(analysis.layers)] if above else None
    if whole and analysis.kept and whole.saved >= _NEARLY * most:
        best.append(whole)
    for share in _SHARES:
        shortest = min((s for s in every if s.saved >= share * most), key=_effort)
        if shortest not in best:
            best.append(shortest)
    return best[:_SQUASHES]


def advice_of(analysis: Analysis) -> tuple[Advice, ...]:
    """Return what to do about an image, most pressing first."""
    best = best_savings(analysis)
    return advise(analysis, best[0] if best else None)


def squash_words(analysis: Analysis, saving: Saving) -> list[str]:
    """Return the options that choose what a squash takes.

    What is above a base that the image names needs no numbers: it is found again.
    """
    base, above = analysis.base, (saving.first - 1, saving.last)
    if base and base.found_by == "annotation" and above == (base.layers, len(analysis.layers)):
        return ["--from", "auto"]
    return ["--layers", f"{saving.first}-{saving.last}"]


def kept_text(analysis: Analysis) -> str:
    """Return which layers are better kept, and why; empty: none."""
    one, base = analysis.kept == 1, analysis.base
    if not analysis.kept:
        return ""
    if base and base.layers == analysis.kept:
        what = printable(str(base))
    else:
        layers = "layer 1 is" if one else f"layers 1-{analysis.kept} are"
        what = f"{layers} shared with other images here"
    return f"{what}; keep {'it' if one else 'them'}"


def _effort(saving: Saving) -> tuple[int, int, int]:
    """Few layers, then much saved, then high up, where fewer images share them."""
    return saving.last - saving.first, -saving.saved, -saving.first


# -- the screen


def screen(analysis: Analysis, command: str, paint: Paint = plain, width: int = WIDTH) -> list[str]:
    """Return the answer to where the bytes are.

    Args:
        analysis: what was found.
        command: what to type for the best of `best_savings`.
        paint: gives colours.
        width: columns; what has no room is cut off.
    """
    lines = [head(analysis), "", *_layers(analysis, paint, width)]
    for part in (_dead, _secrets, _advice, _squashes):
        if found := list(part(analysis, paint, width)):
            lines += ["", *found]
    if command:
        lines += ["", f"  {command}"]
    return lines


def head(analysis: Analysis) -> str:
    """Return one line: what it is, and how large."""
    layers = count_of(len(analysis.layers), "layer")
    return printable(
        f"{analysis.reference}  {analysis.platform}  {layers}, {human_size(analysis.total)}: "
        f"{human_size(analysis.live_bytes)} live, {human_size(analysis.dead_bytes)} dead "
        f"({percent(analysis.dead_bytes, analysis.total)})"
    )


def _layers(analysis: Analysis, paint: Paint, width: int) -> Iterator[str]:
    yield paint("title", f"  {'#':>3}  {'size':>8}  {'live █ dead ░':<{BAR}}  {'dead':>8}  step")
    largest = max(layer.size for layer in analysis.layers)
    biggest = sorted(analysis.layers, key=lambda layer: -layer.size)
    # A line that says of one layer that it is left out has room for the layer.
    shown = {x.number for x in biggest[: _LAYERS if len(biggest) > _LAYERS + 1 else None]}
    left_out: list[LayerFacts] = []
    for layer in analysis.layers:
        if layer.number in shown:
            yield from _left_out(left_out)
            left_out = []
            yield _layer(layer, largest, paint, width)
        else:
            left_out.append(layer)
    yield from _left_out(left_out)


def _layer(layer: LayerFacts, largest: int, paint: Paint, width: int) -> str:
    dead = layer.dead.total
    drawn = draw_bar(layer.size, largest, dead / layer.size if layer.size else 0, paint)
    start = f"  {layer.number:>3}  {human_size(layer.size):>8}  "
    lost = f"  {human_size(dead) if dead else '-':>8}  "
    room = width - len(start) - BAR - len(lost)
    return start + drawn + lost + cut(one_line(shown_instruction(layer.command)), room)


def _left_out(layers: Sequence[LayerFacts]) -> Iterator[str]:
    if layers:
        size = sum(layer.size for layer in layers)
        dead = sum(layer.dead.total for layer in layers)
        what = f"({count_of(len(layers), 'smaller layer')})"
        yield f"  {'…':>3}  {human_size(size):>8}  {what:<{BAR}}  {human_size(dead):>8}"


def _dead(analysis: Analysis, paint: Paint, width: int) -> Iterator[str]:
    if not analysis.dead:
        yield "nothing is dead: no layer deletes or replaces files of another layer"
        return
    yield paint("title", f"  {'dead':>8}  {'in':>4}   {'by':<4} {'why':<14} path")
    for row in analysis.dead[:_DEAD]:
        layers = f"{row.layer:>4} → {row.by:<4}"
        start = f"  {human_size(row.size):>8}  {layers} {row.cause.words:<14} "
        more = f"  ({row.entries} entries)" if row.directory else ""
        path = f"/{_text(row.path)}{'/' if row.directory else ''}"
        yield start + cut_front(path, width - len(start) - len(more)) + more
    rest = len(analysis.dead) - _DEAD
    if rest > 0:
        left = analysis.dead_bytes - sum(row.size for row in analysis.dead[:_DEAD])
        yield f"  {human_size(left):>8}  in other places; --json lists more"


def _secrets(analysis: Analysis, paint: Paint, width: int) -> Iterator[str]:
    if analysis.secrets is None:
        yield "secrets were not looked for"
        return
    if not analysis.secrets:
        yield "no secrets found"
        yield f"  {NOT_CHECKED}"
        return
    count = count_of(len(analysis.secrets), "likely secret")
    yield paint("secret", f"{count}; what a layer deletes still ships with the image")
    for secret in analysis.secrets[:_SECRETS]:
        gone = f" → {secret.removed_by}" if secret.removed_by else ", live"
        where = f"layer {secret.layer}{gone}"
        start = f"  {secret.kind:<22}  {where:<13}  "
        yield start + cut_front(f"/{_text(secret.path)}", width - len(start))
    if len(analysis.secrets) > _SECRETS:
        yield f"  … {len(analysis.secrets) - _SECRETS} more; --json shows all"
    yield f"  {NOT_CHECKED}"


def _advice(analysis: Analysis, paint: Paint, width: int) -> Iterator[str]:
    """Yield what to change in the build; what to squash is told below that."""
    found = [one for one in advice_of(analysis) if one.kind is not AdviceKind.SQUASH]
    secrets = [one for one in found if not one.saved]
    shown = [*secrets[:1], *[one for one in found if one.saved][:_ADVICE]]
    if shown:
        yield paint("title", f"  {'saves':>8}  change in the build")
    for one in shown:
        start = f"  {human_size(one.saved) if one.saved else '-':>8}  "
        yield start + cut(printable(one.text), width - len(start))
    if len(found) > len(shown):
        yield f"  … {len(found) - len(shown)} more; --json shows all"


def _squashes(analysis: Analysis, paint: Paint, width: int) -> Iterator[str]:
    del width  # figures alone
    best = best_savings(analysis)
    if not best:
        yield "no squash would make it smaller"
        return
    yield paint("title", f"  {'saves':>8}  {'squash':<18} {'size of these layers':<24} the image")
    for saving in best:
        ranged = f"--layers {saving.first}-{saving.last}"
        sizes = f"{human_size(saving.before)} → {human_size(saving.after)}"
        lost = saving.last - saving.first
        image = f"{count_of(len(analysis.layers) - lost, 'layer')}, "
        image += human_size(analysis.total - saving.saved)
        yield f"  {human_size(saving.saved):>8}  {ranged:<18} {sizes:<24} {image}"
    if kept := kept_text(analysis):
        yield f"  {kept}"


def _text(path: bytes) -> str:
    return printable(path_text(path))


# -- JSON


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return the document of ``lamella analyze --json`` (see docs/json.md)."""
    secrets = analysis.secrets
    return {
        "version": FORMAT_VERSION,
        "reference": analysis.reference,
        "id": analysis.id,
        "platform": analysis.platform,
        "tags": list(analysis.tags),
        "bytes": {
            "total": analysis.total,
            "live": analysis.live_bytes,
            "dead": analysis.dead_bytes,
        },
        "dive": {
            "efficiency": analysis.efficiency,
            "wasted_bytes": analysis.wasted,
            "user_bytes": analysis.user_bytes,
        },
        "shared_layers": analysis.shared,
        "base": None if analysis.base is None else asdict(analysis.base),
        "grade": grade(analysis).letter,
        "layers": [_layer_to_json(layer) for layer in analysis.layers],
        "dead": [
            {
                "path": path_text(row.path),
                "directory": row.directory,
                "bytes": row.size,
                "entries": row.entries,
                "layer": row.layer,
                "removed_by": row.by,
                "cause": row.cause.value,
            }
            for row in analysis.dead
        ],
        "secrets": None
        if secrets is None
        else [
            {
                "path": path_text(secret.path),
                "kind": secret.kind,
                "layer": secret.layer,
                "removed_by": secret.removed_by,
            }
            for secret in secrets
        ],
        "advice": [_advice_to_json(one, analysis) for one in advice_of(analysis)],
        "squashes": [
            {
                "first": saving.first,
                "last": saving.last,
                "bytes_before": saving.before,
                "bytes_after": saving.after,
                "saved": saving.saved,
                "sharing_lost": analysis.sharing_lost(saving),
            }
            for saving in analysis.savings.values()
            if saving.first < saving.last
        ],
    }


def _advice_to_json(advice: Advice, analysis: Analysis) -> dict[str, Any]:
    steps = (instruction(analysis.layers[number - 1].command) for number in advice.layers)
    return {
        "kind": advice.kind.value,
        "saved": advice.saved,
        "layers": list(advice.layers),
        "steps": [*steps],
        "text": advice.text,
        "why": advice.why,
        "code": advice.code,
    }


def _layer_to_json(layer: LayerFacts) -> dict[str, Any]:
    return {
        "number": layer.number,
        "id": layer.id,
        "diff_id": layer.diff_id,
        "command": layer.command,
        "tags": list(layer.tags),
        "entries": layer.entries,
        "whiteouts": layer.whiteouts,
        "bytes": layer.size,
        "stored": layer.stored,
        "live": layer.live,
        "dead": layer.dead.to_json(),
    }
