"""What is advised: for each cause of dead bytes a cure, with the bytes it brings."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from lamella.analysis.advice import Advice, AdviceKind, advise
from lamella.analysis.caches import CACHES, cache_of
from lamella.analysis.grade import RULE, grade
from lamella.analysis.instruction import health_check, instruction
from lamella.analysis.model import Analysis, Secret
from tests.analysis.looking import analyze
from tests.support.tars import entry, layer, whiteout

_BIG = b"x" * 50_000


def named(analysis: Analysis, *steps: str) -> Analysis:
    """Return an analysis whose layers were made by such steps."""
    pairs = zip(analysis.layers, steps, strict=True)
    return replace(analysis, layers=tuple(replace(one, command=step) for one, step in pairs))


def only(analysis: Analysis) -> Advice:
    """Return the one piece of advice."""
    [found] = advise(analysis, None)
    return found


def test_chown_of_what_was_copied() -> None:
    """The whole second copy goes; the flag has the owner, the line can be pasted."""
    analysis = named(
        analyze(layer(("app/a", _BIG)), layer(entry("app/a", _BIG, uid=7))),
        "COPY . /app # buildkit",
        "RUN /bin/sh -c chown -R app:app /app && true # buildkit",
    )
    found = only(analysis)
    assert (found.kind, found.layers) == (AdviceKind.CHOWN, (1, 2))
    assert found.saved == analysis.dead_bytes
    assert found.text == "use COPY --chown=app:app in layer 1 instead of RUN chown in layer 2"
    assert found.code == "COPY --chown=app:app . /app"
    classic = "/bin/sh -c #(nop) COPY dir:0f in /app ", "/bin/sh -c chown -R 7 /app"
    assert only(named(analysis, *classic)).code == "COPY --chown=7 … /app"


_CHECK = 'HEALTHCHECK &{["CMD'


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (
            f"""/bin/sh -c #(nop)  {_CHECK}-SHELL" "a \\"x\\" || b"] "5m0s" "3s" "0s" '\\x00'}}""",
            'HEALTHCHECK --interval=5m0s --timeout=3s CMD a "x" || b',
        ),
        (
            f"""{_CHECK}" "/check" "a b"] "0s" "0s" "10s" "1s" '\\x03'}} # buildkit""",
            'HEALTHCHECK --start-period=10s --start-interval=1s --retries=3 CMD ["/check", "a b"]',
        ),
        (f"""{_CHECK}" "x"] "0s" "0s" "0s" '\\t'}}""", 'HEALTHCHECK --retries=9 CMD ["x"]'),
        ("""HEALTHCHECK &{["NONE"] "0s" "0s" "0s" '\\x00'}""", "HEALTHCHECK NONE"),
        (f"""{_CHECK}" "\\x0"] "0s" '\\x00'}}""", f"""{_CHECK}" "\\x0"] "0s" '\\x00'}}"""),
        ("HEALTHCHECK &{[]}", "HEALTHCHECK &{[]}"),
    ],
)
def test_a_health_check_is_shown_as_it_was_written(told: str, shown: str) -> None:
    """Go's form is for nobody; what can't be read stays."""
    assert instruction(told) == shown


def test_escapes_that_go_does_not_write_warn_of_nothing() -> None:
    """Python would, on standard error, of an image that somebody made up."""
    told = f"""{_CHECK}" "\\d"] "0s" '\\x00'}}"""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert instruction(told) == told
    assert said == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            {"Test": ["CMD-SHELL", "a || b"], "Interval": 300 * 10**9, "Timeout": 15 * 10**8},
            "--interval=300s --timeout=1.5s CMD a || b",
        ),
        ({"Test": ["CMD", "/check"], "Retries": 3}, '--retries=3 CMD ["/check"]'),
        ({"Test": ["NONE"]}, "NONE"),
        ({}, ""),
        ({"Test": []}, ""),
        ({"Test": 1}, ""),
        ("x", ""),
        ({"Test": ["CMD", "x"], "Interval": "1s"}, ""),
        ({"Test": ["CMD", "x"], "Retries": {}}, ""),
    ],
)
def test_a_health_check_of_the_config_is_shown_alike(value: object, shown: str) -> None:
    """Not as nanoseconds; one of another form is left to who asks."""
    assert health_check(value) == shown


def test_chmod_of_what_was_copied() -> None:
    """By numbers; of letters only the flag is named."""
    analysis = analyze(layer(("app/a", _BIG)), layer(entry("app/a", _BIG, mode=0o755)))
    found = only(named(analysis, "COPY . /app", "RUN chmod -R 755 /app"))
    assert found.code == "COPY --chmod=755 . /app"
    found = only(named(analysis, "COPY . /app", "RUN chmod -R +x /app"))
    assert (found.kind, found.code) == (AdviceKind.CHMOD, "")
    assert found.text == "use COPY --chmod in layer 1 instead of RUN chmod in layer 2"


def test_chown_of_what_a_run_made() -> None:
    """No COPY to give a flag to."""
    analysis = analyze(layer(("app/a", _BIG)), layer(entry("app/a", _BIG, uid=7)))
    found = only(named(analysis, "RUN make", "RUN chown 7 /app/a"))
    assert found.text == "set owner, mode and time in layer 1, not in layer 2"


def test_caches_of_several_runs_are_one_advice() -> None:
    """All that filled it, all that emptied it."""
    deb = "var/cache/apt/archives/a.deb"
    tars = [
        layer((deb, _BIG)),
        layer((f"{deb}2", _BIG)),
        layer(whiteout(deb)),
        layer(whiteout(f"{deb}2")),
    ]
    analysis = named(analyze(*tars), "RUN apt-get a", "RUN apt-get b", "RUN rm", "RUN rm")
    found = only(analysis)
    assert (found.kind, found.layers, found.saved) == (
        AdviceKind.CACHE,
        (1, 2, 3, 4),
        analysis.dead_bytes,
    )
    assert found.text == (
        "delete the cache of apt in the RUN of layers 1 and 2, not in layers 3 and 4"
    )
    assert found.code.splitlines() == [
        "&& apt-get clean && rm -rf /var/lib/apt/lists/*",
        "RUN --mount=type=cache,target=/var/cache/apt …",
    ]


def test_caches_that_are_still_there() -> None:
    """Nothing is dead, and yet they could go; but not what came with the base."""
    pip = layer(("root/.cache/pip/http/a", _BIG), ("usr/lib/a", _BIG))
    analysis = analyze(layer(("var/cache/apk/x", _BIG)), pip)
    found = only(named(analysis, "ADD file:… /", "RUN pip install a"))
    assert (found.kind, found.layers) == (AdviceKind.LIVE_CACHE, (2,))
    assert found.saved == 512 + 50_176
    assert found.text == "empty the cache of pip in the RUN of layer 2"
    assert found.code.startswith("pip install --no-cache-dir …")


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        (b"var/lib/apt/lists", "apt"),
        (b"root/.cache/pip/http", "pip"),
        (b"home/me/.npm/_cacache/content-v2", "npm"),
        (b"root/.cache/pipenv", ""),
        (b"srv/var/lib/apt/lists", ""),
        (b"opt/conda/pkgs", "conda"),
        (b"root/.cache/go-build/00", "go"),
    ],
)
def test_caches_are_known_by_their_directories(path: bytes, cache: str) -> None:
    """Whole names of directories count, those of the system from the root on."""
    assert cache_of(path) == cache
    assert not cache or CACHES[cache].cure


def test_what_is_deleted() -> None:
    """Who made it decides: a RUN can clean up behind itself, a COPY can leave out."""
    analysis = analyze(layer(("t/a", _BIG), ("t/b", _BIG)), layer(whiteout("t")))
    made = only(named(analysis, "RUN make", "RUN rm -r /t"))
    assert made.text == "delete /t/ in the RUN of layer 1, not in layer 2"
    copied = only(named(analysis, "COPY t /t", "RUN rm -r /t"))
    assert copied.text == "don't copy /t/ in layer 1; it is deleted in layer 2"
    base = only(named(analysis, "ADD rootfs.tar /", "RUN rm -r /t"))
    assert base.text == "use a base without /t/ (layer 2 deletes it)"


def test_what_was_chowned_is_blamed_on_who_copied_it() -> None:
    """Deleted from the second copy: what should change is the first."""
    tars = [layer(("a", _BIG)), layer(entry("a", _BIG, uid=1)), layer(whiteout("a"))]
    analysis = named(analyze(*tars), "COPY a /", "RUN chown 1 /a", "RUN rm /a")
    assert "don't copy /a in layer 1; it is deleted in layer 3" in [
        one.text for one in advise(analysis, None)
    ]


def test_what_is_written_twice() -> None:
    """Both steps are named; the same again is told from another."""
    other = analyze(layer(("f", _BIG)), layer(("f", b"y" * 50_000)))
    found = only(named(other, "RUN a", "RUN b"))
    assert found.text == "write /f once: layer 1 makes it, layer 2 replaces it"
    same = analyze(layer(("f", _BIG)), layer(("f", _BIG)))
    assert (
        only(named(same, "RUN a", "RUN b")).text
        == "write /f once: layer 2 stores the same as layer 1"
    )
    base = replace(other, shared=1)
    assert only(base).text == "use a newer base image: layer 2 replaces files of it in /f"


def test_secrets_come_first() -> None:
    """Whatever they weigh; SSH keys have a mount of their own."""
    analysis = analyze(layer(("a", _BIG)), layer(("a", b"y")), secrets=False)
    secrets = (Secret(b"root/.npmrc", "token", 1, 2), Secret(b"root/.ssh/id_rsa", "key", 1, None))
    found = advise(replace(analysis, secrets=secrets), None)
    assert [one.kind for one in found][:2] == [AdviceKind.SECRET, AdviceKind.SSH]
    assert [one.layers for one in found][:2] == [(1, 2), (1,)]
    assert found[0].code == "RUN --mount=type=secret,id=npmrc,target=/root/.npmrc …"


def test_secrets_of_the_config_are_one_advice() -> None:
    """Of no layer; the first is named, and says what the mount may be called."""
    analysis = analyze(layer(("a", b"x")), secrets=False)
    secrets = [Secret(b"", "token", None, None, where, "TOKEN_A") for where in ("env", "label")]
    found = advise(replace(analysis, secrets=tuple(secrets)), None)
    assert [(one.kind, one.layers) for one in found] == [(AdviceKind.SECRET_SETTING, ())]
    assert found[0].text.startswith("replace the secret in env TOKEN_A and 1 more; ")
    assert found[0].code == "RUN --mount=type=secret,id=TOKEN_A,env=TOKEN_A …"


def test_bytes_of_advice_add_up_to_the_dead_bytes() -> None:
    """Each dead entry is in one, but for a squash, which takes all of them."""
    tars = [
        layer(("a", _BIG), ("var/cache/apk/x", _BIG), ("d/x", _BIG), ("d/y", _BIG)),
        layer(entry("a", _BIG, uid=1), whiteout("var/cache/apk/x"), whiteout("d")),
        layer(("a", b"z")),
    ]
    analysis = analyze(*tars)
    squash = analysis.savings[1, 3]
    *others, last = advise(analysis, squash)
    assert sum(one.saved for one in others) == analysis.dead_bytes
    assert sum(one.size for one in analysis.wastes) == analysis.dead_bytes
    assert (last.kind, last.saved, last.layers) == (AdviceKind.SQUASH, squash.saved, (1, 3))
    assert last.text == "squash layers 1-3: 3 layers become 1"


def test_grades() -> None:
    """By the share of dead bytes; a secret is worse than all of them."""
    clean = analyze(layer(("a", _BIG)))
    assert grade(clean).letter == "A"
    assert grade(analyze(layer(("a", _BIG)), layer(("a", b"x")))).letter == "E"
    assert grade(replace(clean, secrets=(Secret(b"k", "key", 1, None),))).letter == "F"
    assert "secrets were not looked for" in grade(replace(clean, secrets=None)).reason
    assert "A up to 5%" in RULE


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("/bin/sh -c #(nop) COPY dir:465783c5ed07 in /tmp/wheels ", "COPY dir:… /tmp/wheels"),
        ("/bin/sh -c #(nop) ADD file:0a1b in / ", "ADD file:… /"),
        (
            "/bin/sh -c #(nop) COPY --chown=1:1 multi:00ff in /with in it/",
            "COPY --chown=1:1 multi:… /with in it/",
        ),
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/bash -o pipefail -c #(nop) COPY file:0f in /x ", "COPY file:… /x"),
        ("COPY dir:abc in /x # buildkit", "COPY dir:abc in /x"),
    ],
)
def test_steps_of_the_classic_builder_are_shown_by_their_path(recorded: str, shown: str) -> None:
    """Its hashes say nothing to anybody; what other builders write stays."""
    assert instruction(recorded) == shown
