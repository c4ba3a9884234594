"""The page of an analysis, as text; tests/browser looks at it in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from lamella.analysis.model import Dead, HistoryLine, Setup, Usage, Waste
from lamella.merge.causes import Cause, Dropped
from lamella.report.html import render
from lamella.report.page_parts import fold, home, title_of, titles_of
from tests.browser.samples import HOSTILE, hostile, make_analysis, make_layer
from tests.report.elements import Elements

_NOTHING = Usage(b"", 0, 0, 0, ())


def test_same_analysis_same_page() -> None:
    """To the byte: there is no date in it, and nothing drawn by lot."""
    assert render(hostile()) == render(hostile())


def test_only_its_own_style_and_script_are_allowed() -> None:
    """The policy names them by their hashes, and nothing else but pictures that are in the page."""
    page = Elements(render(hostile()))
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.keys() == {
        "default-src",
        "style-src",
        "script-src",
        "img-src",
        "base-uri",
        "form-action",
    }
    assert {rules[name] for name in ("default-src", "base-uri", "form-action")} == {"'none'"}
    style, _, script = page.raw.values()
    for name, part in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_nothing_is_referred_to_outside() -> None:
    """But for the project's address, which nothing loads by itself; no attribute holds code."""
    outside = []
    for tag, attributes in Elements(render(hostile())).tags:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert "src" not in attributes
        for name in ("href", "xlink:href", "action"):
            address = attributes.get(name)
            if address is not None and address != "data:," and not address.startswith("#"):
                outside.append((tag, address, attributes.get("rel")))
    assert outside == [("a", home(), "noopener noreferrer")]


def test_project_has_one_address() -> None:
    """That of the package, which is the one in pyproject.toml."""
    config = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert home() == config["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]


def test_names_are_escaped() -> None:
    """In text and in JSON; nothing in the page closes the script that holds it."""
    text = render(hostile())
    page = Elements(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert text.count("</script") == 2
    for shown in HOSTILE.values():
        assert shown in page.text
    data = list(page.raw.values())[1]
    assert not set(data) & set("<>&\u2028\u202e")
    assert data.isascii()
    assert [kid[0] for kid in json.loads(data)["places"][4]][:-1] == list(HOSTILE.values())


def test_ranges_have_their_figures() -> None:
    """By first and last layer: bytes before and after, as the analysis has them."""
    analysis = hostile()
    found = json.loads(list(Elements(render(analysis)).raw.values())[1])["savings"]
    for (first, last), saving in analysis.savings.items():
        assert found[first - 1][last - first] == [saving.before, saving.after]
    assert sum(map(len, found)) == len(analysis.savings)


def test_one_layer_has_nothing_to_try() -> None:
    """Neither sliders nor squashes, nor dead paths."""
    page = Elements(render(make_analysis([make_layer(1, 4096)], _NOTHING)))
    assert "input" not in [tag for tag, _ in page.tags]
    for words in (
        "No squash would make it smaller",
        "Nothing is dead",
        "Nothing looks like a key",
        "(no command recorded)",
    ):
        assert words in page.text


def test_secrets_that_were_not_looked_for() -> None:
    """Is not the same as none."""
    analysis = replace(hostile(), secrets=None)
    assert "Secrets were not looked for" in render(analysis)


def test_an_empty_image_is_drawn() -> None:
    """Shares of nothing are nothing."""
    layers = [replace(make_layer(n, 0, Dropped()), size=0) for n in (1, 2)]
    text = render(make_analysis(layers, _NOTHING))
    assert re.search(r"<dd[^>]*>0 B <small>0\.0 %", text)
    assert "nan" not in text.lower().split()


def test_title_is_a_name_not_a_path() -> None:
    """The tag, or the file without its folders; what is no file stays as it is."""
    analysis = hostile()
    for reference, tags, title in (
        ("/a/b/app.tar", ("app:1",), "app:1"),
        ("docker-archive:/a/b/app.tar", (), "app.tar"),
        ("out/app.tar", (), "app.tar"),
        ("docker-archive:app.tar", (), "app.tar"),
        ("docker://reg.example/team/app:1", (), "docker://reg.example/team/app:1"),
        ("team/app:1", ("other:2", "team/app:1"), "team/app:1"),
    ):
        assert title_of(replace(analysis, reference=reference, tags=tags)) == title


def test_titles_of_two_images_differ() -> None:
    """Names if they do, else files, else all of the references."""
    image = replace(hostile(), tags=("app:1",), reference="x/a.tar")
    assert titles_of(image, replace(image, tags=("app:2",))) == ("app:1", "app:2")
    assert titles_of(image, replace(image, reference="x/b.tar")) == ("a.tar", "b.tar")
    assert titles_of(image, replace(image, reference="y/a.tar")) == ("x/a.tar", "y/a.tar")


def test_advice_has_its_bytes_steps_and_what_to_write() -> None:
    """And the command for the squash, as it was given."""
    layers = [
        make_layer(1, 9000, Dropped(metadata_only=900_000), "COPY . /app # buildkit"),
        make_layer(2, 900_000, command="RUN chown -R app /app"),
        make_layer(3, 9000),
    ]
    waste = Waste(1, 2, Cause.METADATA_ONLY, "", b"app", 900_000, 7)
    page = Elements(
        render(make_analysis(layers, _NOTHING, wastes=(waste,)), squash="lamella squash a -t b")
    )
    for words in (
        "−900 kB",  # noqa: RUF001 - a minus
        "use COPY --chown=app in layer 1 instead of RUN chown in layer 2",
        "COPY --chown=app . /app",
        "RUN chown -R app /app",
        "lamella squash a -t b",
    ):
        assert words in page.text


def test_configuration_without_what_is_secret() -> None:
    """Pages are mailed: values go by the names that they have."""
    setup = Setup(
        created="2026-01-01",
        fields=(("Entrypoint", '["/app"]'),),
        env=("PATH=/bin", "DB_PASSWORD=hunter2", "API_KEY='a b'"),
        labels=(("vendor", "us"), ("npm_token", "npm_0")),
        history=(HistoryLine(None, "ENV GITHUB_TOKEN=ghp_1"), HistoryLine(1, "COPY a b")),
    )
    text = Elements(render(make_analysis([make_layer(1, 9)], _NOTHING, setup=setup))).text
    for shown in ('["/app"]', "PATH=/bin", "DB_PASSWORD=(hidden)", "vendor=us", "COPY a b"):
        assert shown in text
    for value in ("hunter2", "a b'", "npm_0", "ghp_1"):
        assert value not in text


@pytest.mark.slow
@pytest.mark.parametrize("part", ["a.", "token ", "chown -", 'password="', "--", " "])
def test_long_commands_cost_little(part: str) -> None:
    """Whatever they are made of: ten seconds are a hundred times what it takes."""
    command = "RUN " + part * 50_000
    layers = [
        make_layer(1, 9, Dropped(metadata_only=9000), "COPY a b"),
        make_layer(2, 9, command=command),
    ]
    waste = Waste(1, 2, Cause.METADATA_ONLY, "", b"app", 9000, 7)
    start = time.process_time()
    render(make_analysis(layers, _NOTHING, wastes=(waste,), setup=Setup(env=(command,))))
    assert time.process_time() - start < 10


def test_compiled_modules_are_one_row() -> None:
    """Of one layer and one fate; others stay what they are."""

    def dead(path: bytes, size: int, layer: int = 1) -> Dead:
        return Dead(path, True, size, 2, layer, 3, Cause.DELETED)

    rows = fold(
        [
            dead(b"usr/lib/p/a/__pycache__", 50),
            dead(b"big", 70),
            dead(b"usr/lib/p/b/c/__pycache__", 30),
            dead(b"usr/lib/p/__pycache__", 10, 2),
        ]
    )
    assert [(row.path, row.size, row.entries, row.places) for row in rows] == [
        (b"usr/lib/p/*/__pycache__", 80, 4, 2),
        (b"big", 70, 2, 1),
        (b"usr/lib/p/__pycache__", 10, 2, 1),
    ]


def test_a_step_is_one_line() -> None:
    """Tabs and line ends of a command are blanks: they are no more than how it was laid out."""
    command = "RUN /bin/sh -c set -eux; \tapt-get update; \t\tgcc \\\n  make # buildkit"
    text = Elements(render(make_analysis([make_layer(1, 4096, command=command)], _NOTHING))).text
    assert "RUN set -eux; apt-get update; gcc \\ make" in text
