"""An analysis as one page for a browser, which needs nothing but itself.

The page's own parts are in `page/`; all that an image says of itself (names, commands) gets in
through Jinja2, which escapes it, or as JSON, from which the script makes text and nothing else. The
page forbids itself, by its Content-Security-Policy, to load or to run anything but those parts.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lamella.analysis.advice import Advice, advise
from lamella.analysis.grade import RULE, grade
from lamella.analysis.hidden import hide_setting, hide_values, shown_instruction
from lamella.analysis.model import Analysis, Saving, Usage
from lamella.report.analyze import NOT_CHECKED_SENTENCE, best_savings, kept_text, squash_words
from lamella.report.leaving import marks, own_pattern
from lamella.report.page_parts import fold, home, title_of
from lamella.report.text import count_of, human_size, one_line, percent, printable
from lamella.tar.entry import join, path_text

__all__ = ["fill_page", "render"]

_LETTERS = "ABC"
"""Names of the squashes that are worth it; there are three at most."""
_NEARLY_ALL = 0.98


def render(analysis: Analysis, typed: str | None = None, squash: str = "", naming: str = "") -> str:
    """Return the page. The same analysis gives the same page.

    Args:
        analysis: what was found.
        typed: what to type for the image, where its name alone doesn't say where it is.
        squash: what to type for the squash that saves most, if there is more to it.
        naming: options that say what the result of any squash is called, and where it goes.
    """
    typed = typed or analysis.reference
    best = best_savings(analysis)
    if best and not squash:
        squash = shlex.join(["lamella", "squash", typed, *squash_words(analysis, best[0])])
    analysis = replace(analysis, root=_join(analysis.root))
    advice = advise(analysis, best[0] if best else None)
    return fill_page(
        "page.html",
        analysis=analysis,
        title=title_of(analysis),
        names=_other_names(analysis),
        grade=grade(analysis),
        rule=RULE,
        advice=advice,
        squash=squash,
        largest=max((layer.size for layer in analysis.layers), default=0),
        best=list(zip(_LETTERS, best, strict=False)),
        kept=kept_text(analysis),
        data=_data(analysis, best, typed) | _leaving(analysis, advice, best, naming),
        not_checked=NOT_CHECKED_SENTENCE,
        places=list(_with_rest(analysis.root)),
        rows=fold(analysis.dead),
    )


def fill_page(template: str, **facts: object) -> str:
    """Return a page whose style and script are known by their hashes."""
    pages = Environment(
        loader=PackageLoader("lamella.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    pages.filters |= {
        "bytes": "{:,}".format,
        "count": count_of,
        "hide": hide_values,
        "hide_setting": hide_setting,
        "path": _path,
        "percent": percent,
        "share": _share,
        "size": human_size,
        "step": _step,
        "text": printable,
    }
    style = _part(pages, "style.css")
    script = _part(pages, "leave.js") + _part(pages, "script.js")
    return pages.get_template(template).render(
        facts,
        home=home(),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _part(pages: Environment, name: str) -> str:
    if pages.loader is None:  # never: it was given one
        raise LookupError(name)
    return pages.loader.get_source(pages, name)[0]


def _hash(part: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()


# -- how facts are written


def _path(path: bytes) -> str:
    return printable(path_text(path))


def _other_names(analysis: Analysis) -> list[str]:
    """Return what else the image is called."""
    names = dict.fromkeys((analysis.reference, *analysis.tags))
    names.pop(title_of(analysis), None)
    return [*names]


def _step(command: str) -> str:
    return one_line(shown_instruction(command))


def _share(part: int, total: int) -> str:
    """Return a length in a picture."""
    return f"{100 * part / total if total else 0:.3f}%"


# -- what the script is given


def _data(analysis: Analysis, best: list[Saving], typed: str) -> dict[str, Any]:
    layers = range(1, len(analysis.layers) + 1)
    chosen = (best[0].first, best[0].last) if best else (1, len(layers))
    return {
        "chosen": chosen,
        "command": ["lamella", "squash", printable(shlex.quote(typed)), "--layers"],
        "layers": [_step(layer.command) for layer in analysis.layers],
        "places": _place(analysis.root, b""),
        "shared": analysis.shared,
        # by first layer; from there on by last: bytes before, bytes after
        "savings": [[_sizes(analysis.savings[a, b]) for b in layers if b >= a] for a in layers],
        "total": analysis.total,
    }


def _leaving(
    analysis: Analysis, advice: Sequence[Advice], best: list[Saving], naming: str
) -> dict[str, Any]:
    """Return what the script needs to leave out paths that are marked."""
    return {
        "leave": {
            **marks(analysis, advice),
            "range": (best[0].first, best[0].last) if best else None,
            "kept": analysis.kept,
            "naming": naming,
        }
    }


def _sizes(saving: Saving) -> tuple[int, int]:
    return saving.before, saving.after


def _join(place: Usage) -> Usage:
    """Make one place of a directory and what is nearly all of it: ``usr/lib``, as people say it."""
    kids = tuple(_join(kid) for kid in place.kids)
    if place.name and len(kids) == 1 and kids[0].kids:
        only, size = kids[0], place.live + place.dead
        if only.live + only.dead > _NEARLY_ALL * size:
            name = place.name + b"/" + only.name
            return replace(place, name=name, kids=only.kids, layers=only.layers)
    return replace(place, kids=kids)


def _place(place: Usage, path: bytes) -> list[Any]:
    """Name, live, dead, entries, places in it, live bytes by layer, its own pattern.

    The biggest come first. What is too small to be told has no name and no pattern.
    """
    kids = [_place(kid, join(path, kid.name)) for kid in _with_rest(place)]
    made = [_path(place.name), place.live, place.dead, place.entries, kids, place.layers]
    pattern = own_pattern(path) if place.name else ""
    return [*made, pattern] if pattern else made


def _with_rest(place: Usage) -> Iterator[Usage]:
    yield from place.kids
    rest = _rest(place)
    if place.kids and rest.live + rest.dead:
        yield rest


def _rest(place: Usage) -> Usage:
    """What a place has that is too small to be told, as a place without a name."""
    return Usage(
        b"",
        place.live - sum(kid.live for kid in place.kids),
        place.dead - sum(kid.dead for kid in place.kids),
        place.entries - sum(kid.entries for kid in place.kids),
        (),
    )
