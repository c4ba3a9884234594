"""Instructions mean what they mean to Docker; `tests/engines/test_changes` asks Docker itself."""

from __future__ import annotations

from typing import Any

import pytest

from lamella.errors import MalformedImage, UsageError
from lamella.restate.changes import Changes
from tests.support.images import image
from tests.support.tars import layer

SETTINGS: dict[str, Any] = {
    "Env": ["PATH=/bin", "A=one"],
    "Cmd": ["true"],
    "Entrypoint": ["env"],
    "WorkingDir": "/srv",
    "Labels": {"kept": "as it is"},
    "ExposedPorts": {"53/udp": {}},
    "Volumes": {"/old": {}},
    "Future": {"x": 1},
}
SHELL = ["/bin/sh", "-c"]
HOUR = 3600 * 10**9


def settings(*changes: str, os: str = "linux", **more: object) -> dict[str, Any]:
    """Return what instructions make of the settings."""
    value = {"os": os, "config": {**SETTINGS, **more}}
    return dict(Changes.parse(changes).config_value(value)["config"])


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        (["CMD echo $A && ls"], {"Cmd": [*SHELL, "echo $A && ls"]}),
        (['CMD ["echo", "a b", "$A"]'], {"Cmd": ["echo", "a b", "$A"]}),
        (["CMD [ -f /x ]"], {"Cmd": [*SHELL, "[ -f /x ]"]}),
        (["CMD []"], {"Cmd": None}),
        (['entrypoint ["sh"]'], {"Entrypoint": ["sh"], "Cmd": None}),
        (['CMD ["x"]', 'ENTRYPOINT ["sh"]'], {"Entrypoint": ["sh"], "Cmd": ["x"]}),
        (["CMD []", 'ENTRYPOINT ["sh"]'], {"Entrypoint": ["sh"], "Cmd": None}),
        (["ENTRYPOINT []", "CMD x"], {"Entrypoint": None, "Cmd": [*SHELL, "x"]}),
        (["ENV A=two B=$A"], {"Env": ["PATH=/bin", "A=two", "B=one"]}),
        (["ENV A=two", "ENV B=$A"], {"Env": ["PATH=/bin", "A=two", "B=two"]}),
        (["ENV A  old form "], {"Env": ["PATH=/bin", "A=old form"]}),
        (["ENV PATH=/x:$PATH A="], {"Env": ["PATH=/x:/bin", "A="]}),
        (['ENV A="b c" B=d\\ e'], {"Env": ["PATH=/bin", "A=b c", "B=d e"]}),
        (["ENV A='$A' B=\"\\$A\""], {"Env": ["PATH=/bin", "A=$A", "B=$A"]}),
        (["ENV A=${A:+x}${N:-y}${A:-z}"], {"Env": ["PATH=/bin", "A=xyone"]}),
        (['ENV A=a"b c"d\\e'], {"Env": ["PATH=/bin", "A=ab cde"]}),
        (["EXPOSE 80 81/TCP"], {"ExposedPorts": {"80/tcp": {}, "81/tcp": {}, "53/udp": {}}}),
        (["EXPOSE 7-8/udp"], {"ExposedPorts": {"7/udp": {}, "8/udp": {}, "53/udp": {}}}),
        (['LABEL "a b"="c $A" kept='], {"Labels": {"kept": "", "a b": "c one"}}),
        (["ONBUILD RUN $A", "ONBUILD USER x"], {"OnBuild": ["RUN $A", "USER x"]}),
        (["STOPSIGNAL SIGRTMIN+3"], {"StopSignal": "SIGRTMIN+3"}),
        (["USER ${A}:0"], {"User": "one:0"}),
        (["VOLUME /a /$A"], {"Volumes": {"/a": {}, "/one": {}, "/old": {}}}),
        (['VOLUME ["/a b"]'], {"Volumes": {"/a b": {}, "/old": {}}}),
        (["WORKDIR data", "WORKDIR ../x/."], {"WorkingDir": "/srv/x"}),
        (["WORKDIR /a/../$A"], {"WorkingDir": "/a/../one"}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (
            ["HEALTHCHECK --interval=1h0.5s --retries=3 CMD a b"],
            {
                "Healthcheck": {
                    "Test": ["CMD-SHELL", "a b"],
                    "Interval": HOUR + HOUR // 7200,
                    "Retries": 3,
                }
            },
        ),
        (['HEALTHCHECK CMD ["a b"]'], {"Healthcheck": {"Test": ["CMD", "a b"]}}),
    ],
)
def test_settings_that_come_of_it(changes: list[str], made: dict[str, Any]) -> None:
    """Just these fields; what is unknown stays."""
    assert settings(*changes) == {**SETTINGS, **made}


def test_commands_are_for_the_images_own_shell() -> None:
    """That of SHELL, or that of the system."""
    assert settings("CMD x", Shell=["pwsh", "-c"])["Cmd"] == ["pwsh", "-c", "x"]
    assert settings("CMD x", os="windows")["Cmd"] == ["cmd", "/S", "/C", "x"]


def test_a_field_that_is_new_comes_last_and_no_field_comes_of_nothing() -> None:
    """An empty list is no reason for a field."""
    assert list(settings("USER x")) == [*SETTINGS, "User"]
    assert Changes.parse("CMD []").config_value({"config": {"Env": []}}) == {"config": {"Env": []}}
    assert Changes.parse("USER x").config_value({}) == {"config": {"User": "x"}}


KEYWORDS = (
    "expected one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, "
    "VOLUME or WORKDIR"
)
PORT = "expected PORT or FIRST-LAST, and perhaps /tcp, /udp or /sctp, got "
TIME = "expected a time such as 30s or 1m30s, at least 1ms, got "


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("FOO bar", KEYWORDS),
        ("RUN ls", KEYWORDS),
        ("", KEYWORDS),
        ("USER", "expected something after USER"),
        ("ENV A=b\nENV B=c", "expected one line"),
        ("ENV A", "expected NAME=VALUE"),
        ("ENV A=b c", "expected NAME=VALUE, got c"),
        ("LABEL =x", "expected NAME=VALUE, got =x"),
        ('ENV ""=x', "expected a name before ="),
        ('ENV A="b', 'expected a closing ", got the end'),
        ("ENV A='b", "expected a closing ', got the end"),
        ("USER ${A", "expected ${NAME}, ${NAME:-WORD} or ${NAME:+WORD}"),
        ("USER ${A:-b", "expected }, got the end"),
        ('USER ""', "expected a value, got an empty one"),
        ("EXPOSE http", f"{PORT}'http'"),
        ("EXPOSE 65536", f"{PORT}'65536'"),
        ("EXPOSE 9-8", f"{PORT}'9-8'"),
        ("STOPSIGNAL SIGFOO", "expected a signal such as SIGTERM or 15, got 'SIGFOO'"),
        ("STOPSIGNAL 65", "expected a signal such as SIGTERM or 15, got '65'"),
        ("ONBUILD from x", "FROM can't be a trigger"),
        ('CMD ["a", 1]', "expected a list of texts"),
        ('CMD ["a"] b', "expected nothing after the list, got b"),
        ("CMD --x y", "CMD has no option --x"),
        ('VOLUME [""]', "expected paths, got an empty one"),
        ("HEALTHCHECK --retries=0 CMD y", "--retries: expected a number from 1, got '0'"),
        ("HEALTHCHECK --timeout=1 CMD y", f"--timeout: {TIME}'1'"),
        ("HEALTHCHECK --timeout=1us CMD y", f"--timeout: {TIME}'1us'"),
        (f"HEALTHCHECK --timeout=1{'0' * 19}s CMD y", f"--timeout: {TIME}'1{'0' * 19}s'"),
        ("HEALTHCHECK --foo=1 CMD y", "HEALTHCHECK has no option --foo"),
        (
            "HEALTHCHECK NONE x",
            "expected NONE, or [--interval=TIME] [--timeout=TIME] [--retries=N] … CMD COMMAND",
        ),
    ],
)
def test_what_makes_no_sense_is_said_without_an_image(change: str, why: str) -> None:
    """One line: what was given, and what was expected."""
    with pytest.raises(UsageError) as refused:
        Changes.parse(change)
    assert str(refused.value) == f"`change` {change!r}: {why}"


@pytest.mark.parametrize("change", ["ENV A=\udcff", 'CMD ["\\ud800"]', "USER \ud800"])
def test_documents_are_utf_8(change: str) -> None:
    """Neither other bytes nor half a surrogate pair; nor does the message have any."""
    with pytest.raises(UsageError, match="expected UTF-8") as refused:
        Changes.parse(change)
    str(refused.value).encode()


@pytest.mark.parametrize("change", ["EXPOSE $A", "STOPSIGNAL $A", "USER $N", "VOLUME $N"])
def test_what_variables_stand_for_is_known_with_an_image(change: str) -> None:
    """Then it is the same error."""
    parsed = Changes.parse(change)
    with pytest.raises(UsageError, match="`change`"):
        parsed.config(image(layer("a"), config=SETTINGS).config)


def test_a_field_of_another_type_is_an_error() -> None:
    """Of those that are not looked at when an image is read."""
    with pytest.raises(MalformedImage, match="Shell: expected a list of texts"):
        settings("CMD x", Shell=[1])
