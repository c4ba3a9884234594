"""The base of an image: guessed from what the engine has, or from the history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lamella.analysis.base import base_of_others, guess_base
from lamella.analysis.known_base import Base
from lamella.analysis.model import Analysis
from lamella.image import Image
from lamella.report.analyze import best_savings, kept_text, squash_words
from lamella.spec.config import Config
from lamella.spec.json import format_json
from tests.analysis.looking import analyze
from tests.support.tars import layer, whiteout

_SAME = "2026-01-01T00:00:00Z"
_LATER = "2026-01-13T00:00:00.5Z"
_CMD = '/bin/sh -c #(nop)  CMD ["bash"]'


def image_of(*steps: tuple[str, str], **config: object) -> Image:
    """Make an image of such a history: times and commands; ``CMD`` and the like make no layer."""
    history = [
        {"created": created, "created_by": command, "empty_layer": "#(nop)  " in command}
        for created, command in steps
    ]
    count = sum(not one["empty_layer"] for one in history)
    value = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "history": history,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{n:064x}" for n in range(count)]},
    }
    return Image("app", Config.parse(format_json(value), "config"), (None,) * count)  # type: ignore[arg-type]


def test_it_ends_before_a_layer_that_was_made_much_later() -> None:
    """The nearest such end: what was built of a base is a base for others."""
    image = image_of(
        ("2025-06-01T00:00:00Z", "ADD rootfs.tar.xz / # buildkit"),
        ("2025-06-01T00:00:00Z", _CMD),
        (_SAME, "RUN apt-get install python"),
        (_SAME, '/bin/sh -c #(nop)  CMD ["python3"]'),
        (_LATER, "COPY . /app"),
        (_LATER, '/bin/sh -c #(nop)  ENTRYPOINT ["app"]'),
        (_LATER, "RUN chown app /app"),
    )
    assert guess_base(image) == Base(2, "", "the next layer was made 12 days later", "times")


@pytest.mark.parametrize("created", [_SAME, "", "yesterday"])
def test_without_times_it_is_the_first_that_says_how_to_start(created: str) -> None:
    """All at once, as reproducible builds say; or no time at all; or none that can be read."""
    steps = [(created, word) for word in ("ADD x /", _CMD, "RUN a", _CMD, "RUN b")]
    found = guess_base(image_of(*steps))
    assert found == Base(1, "", "CMD follows in the history", "history")


def test_nothing_to_guess() -> None:
    """No such step, one at the end only, one before all layers; no history."""
    assert guess_base(image_of((_SAME, "RUN a"), (_LATER, "RUN b"))) is None
    assert guess_base(image_of((_SAME, "RUN a"), (_SAME, "RUN b"), (_SAME, _CMD))) is None
    assert guess_base(image_of((_SAME, _CMD), (_SAME, "RUN b"), (_SAME, "RUN c"))) is None
    assert guess_base(image_of()) is None


def test_an_image_with_just_these_layers() -> None:
    """It is nearer than what the history tells; the same image under another name is none."""
    image = image_of((_SAME, "ADD x /"), (_SAME, _CMD), (_SAME, "RUN a"), (_LATER, "RUN b"))
    ids = image.diff_ids
    others = {ids[:2]: ["base:2", "base:1"], ids: ["app:old"], (ids[1],): ["other"], (): ["empty"]}
    assert base_of_others(image, others) == Base(2, "base:1", "", "image")
    assert base_of_others(image, {ids: ["app:old"], (): ["empty"]}) is None


def test_its_name_is_told_by_a_label() -> None:
    """As builders write it."""
    labels = {"org.opencontainers.image.base.name": "debian:12"}
    found = guess_base(image_of((_SAME, "ADD x /"), (_SAME, _CMD), (_SAME, "RUN b"), Labels=labels))
    assert found == Base(1, "debian:12", "CMD follows in the history", "history")


def analysis_of(base: Base | None, shared: int = 0) -> Analysis:
    """Four layers; what could be saved lies in all of them, most of it in the lowest."""
    found = analyze(
        layer(("a", b"x" * 90_000)),
        layer(whiteout("a"), ("b", b"x" * 40_000)),
        layer(whiteout("b"), ("c", b"x" * 10_000)),
        layer(whiteout("c"), ("d", b"x")),
    )
    return replace(found, base=base, shared=shared)


def test_the_base_is_kept() -> None:
    """What is above it is squashed as a whole, first; without a base, all may be squashed."""
    assert best_savings(analysis_of(None))[0].first == 1
    found = best_savings(analysis_of(Base(1, "", "so it seems", "history")))
    assert (found[0].first, found[0].last) == (2, 4)
    assert all(saving.first > 1 for saving in found)
    # of nothing above it: better that than nothing
    assert best_savings(analysis_of(Base(3, "", "so it seems", "history")))[0].first == 1


def test_what_to_type() -> None:
    """A base that the image names is found again; of a guess the layers are said."""
    named = analysis_of(Base(1, "debian:12", "", "annotation"))
    first, *others = (squash_words(named, saving) for saving in best_savings(named))
    assert first == ["--from", "auto"]
    assert all(words[0] == "--layers" for words in others)
    guessed = analysis_of(Base(1, "debian:12", "", "times"))
    assert squash_words(guessed, best_savings(guessed)[0]) == ["--layers", "2-4"]


def test_what_is_said_of_it() -> None:
    """Names what is guessed, and why; what is shared is known, not guessed."""
    assert kept_text(analysis_of(None)) == ""
    assert kept_text(
        analysis_of(Base(1, "debian:12", "CMD follows in the history", "history"))
    ) == ("layer 1 looks like debian:12 (CMD follows in the history); keep it")
    assert kept_text(analysis_of(Base(2, "", "so it seems", "history"))) == (
        "layers 1-2 look like the base (so it seems); keep them"
    )
    assert kept_text(analysis_of(Base(1, "debian:12", "", "image"))) == (
        "layer 1 is all of debian:12; keep it"
    )
    named = Base(1, "debian:12", "annotation of its manifest", "annotation")
    assert kept_text(analysis_of(named)) == (
        "layer 1 is all of debian:12 (annotation of its manifest); keep it"
    )
    assert kept_text(analysis_of(Base(1, "", "so it seems", "history"), shared=2)) == (
        "layers 1-2 are shared with other images here; keep them"
    )
