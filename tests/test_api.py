"""The calls: what a program can ask for, and what it gets."""

from __future__ import annotations

import gc
import inspect
import io
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import lamella
from lamella.errors import (
    ImageNotFound,
    InvalidReference,
    MalformedImage,
    OutputError,
    UnknownLayer,
    UsageError,
)
from lamella.transport.registry import Backoff
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.support.images import docker_archive
from tests.support.progress import Recorder
from tests.support.tars import layer
from tests.transport.forms import TARS, layout_of, state_of, to_file, validate_archive


@pytest.fixture
def app(tmp_path: Path) -> str:
    """Name an archive of three layers."""
    return to_file(tmp_path / "app.tar", docker_archive(*TARS, tags=["app:latest"]))


def test_public_names_are_sorted_and_there() -> None:
    """Each is loaded when it is first used."""
    for name in lamella.__all__:
        assert getattr(lamella, name).__name__ == name
    assert set(lamella.__all__) <= set(dir(lamella))
    with pytest.raises(AttributeError, match="no attribute 'squeeze'"):
        lamella.squeeze  # noqa: B018 - the lookup is the test


_WIRING = {"Backoff", "Blob", "Connections", "LayerOpener", "PodmanService", "Source", "Spool"}
"""What an `Environment` and an open image are made of inside; nobody outside makes or gets one."""


def _mentioned(hint: object) -> Iterator[type]:
    """Yield the types of a type hint."""
    if arguments := get_args(hint):
        for argument in arguments:
            yield from _mentioned(argument)
    elif isinstance(hint, type):
        yield hint


def _hints(public: object) -> Iterator[object]:
    """Yield the type hints of a function, or of a class's fields, properties and methods.

    Those that only a type checker can look up are passed over.
    """
    said = [public]
    for name, value in vars(public).items() if isinstance(public, type) else ():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function):
            said.append(function)
    for one in said:
        with suppress(NameError, AttributeError):
            yield from get_type_hints(one).values()


def test_every_type_that_a_caller_meets_is_public() -> None:
    """Fields, arguments and results of what is public; so it can be named in one's own code."""
    for name in lamella.__all__:
        for met in {kind for hint in _hints(getattr(lamella, name)) for kind in _mentioned(hint)}:
            if met.__module__.startswith("lamella") and not met.__name__.startswith("_"):
                assert met.__name__ in {*lamella.__all__, *_WIRING}, f"{name} mentions {met}"


def test_a_place_for_temporary_files_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a name would stay there if lamella was killed at that moment."""

    def trial() -> str:
        message = "a file is written"
        raise AssertionError(message)

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", trial)
    own = tmp_path / "own"
    own.mkdir()
    for variables, wanted in (
        ({"TMPDIR": str(own)}, str(own)),
        ({"TMPDIR": str(tmp_path / "none"), "TMP": str(own)}, str(own)),
        ({}, "/tmp"),  # noqa: S108 - where it is by default
    ):
        env = lamella.Environment.from_env(variables)
        assert env.tmp_dir == wanted
        env.spool.file().close()


def test_import_costs_nothing() -> None:
    """What is not used is not loaded."""
    code = "import sys, lamella; print(sum(name.startswith('lamella') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert done.stdout == b"1\n"


def test_squash_tells_what_it_did(app: str, tmp_path: Path) -> None:
    """A typed sample of the public face."""
    result: lamella.Result = lamella.squash(
        app, base="#1", tag="app:slim", output=f"docker-archive:{tmp_path}/new.tar", check=True
    )
    assert (result.layers_before, result.layers_after, result.kept) == (3, 2, 1)
    assert result.squashed
    assert result.verified
    assert result.tags == ("app:slim",)
    assert result.id
    assert validate_archive(tmp_path / "new.tar")
    differences: list[lamella.Difference] = lamella.verify(app, f"{tmp_path}/new.tar")
    assert differences == []
    with lamella.open_image(f"{tmp_path}/new.tar") as image:
        opened: lamella.Image = image
        assert str(opened.id) == result.id


def test_tag_may_be_one_or_several(app: str, tmp_path: Path) -> None:
    """As text or as a sequence."""
    for tag, tags in (("a", ("a:latest",)), (["a", "b:1"], ("a:latest", "b:1")), ((), ())):
        target = f"docker-archive:{tmp_path}/new.tar"
        assert lamella.squash(app, tag=tag, output=target).tags == tags


def open_files(*, collect: bool = True) -> int:
    """Count this process's open files, where the system tells."""
    if collect:
        gc.collect()  # what other tests have let go of is none of ours
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def test_layers_stay_readable_inside_the_block(app: str) -> None:
    """And the file is closed behind it."""
    before = open_files()
    with lamella.open_image(app) as image, image.layers[0].blob.open() as stream:
        assert stream.read(4) == TARS[0][:4]
    assert open_files() == before


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_nothing_stays_open(compression: str, tmp_path: Path) -> None:
    """Not even until Python looks for circles: temporary files would stay on the disk so long."""
    layout = layout_of([*TARS, layer(("x", b"1")), layer(("x", b"2"))], compression)
    source = f"oci:{layout.write(tmp_path / 'app')}"
    before = open_files()
    gc.disable()
    try:
        lamella.squash(source, output=f"docker-archive:{tmp_path}/new.tar")
        lamella.verify(source, f"{tmp_path}/new.tar")
        after = open_files(collect=False)
    finally:
        gc.enable()
    assert after <= before  # a thread of another test may have ended meanwhile


def test_environment_is_an_argument(
    app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is given one reads no variable; one that is given none reads them all."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    target = f"docker-archive:{tmp_path}/new.tar"
    for env, created in (
        (lamella.Environment(), "2024-05-06T07:08:09Z"),
        (None, "1970-01-01T00:00:00Z"),
        (lamella.Environment.from_env({"SOURCE_DATE_EPOCH": "60"}), "1970-01-01T00:01:00Z"),
    ):
        lamella.squash(app, output=target, env=env)
        assert validate_archive(tmp_path / "new.tar")["created"] == created


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither of the variables nor of the proxies."""
    secrets = ("s3cret-auth", "s3cret-proxy", "s3cret-header")
    env = lamella.Environment.from_env(
        {
            "DOCKER_AUTH_CONFIG": f'{{"auths": {{"a.b": {{"auth": "{secrets[0]}"}}}}}}',
            "HTTPS_PROXY": f"http://me:{secrets[1]}@proxy.example",
            "DOCKER_CUSTOM_HEADERS": f"X-Token={secrets[2]}",
            "HOME": str(tmp_path),
        }
    )
    assert env.registry.environment["HTTPS_PROXY"]
    assert env.engine.environment["DOCKER_CUSTOM_HEADERS"]
    for shown in (repr(env), str(env), repr(env.engine), repr(env.registry)):
        assert not any(secret in shown for secret in secrets)


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"layers": range(1, 3)}, {"layers": ["2-3"]}),
        ({"layers": "2-3"}, {"layers": ["2-3"]}),
        ({"layers": [range(1, 3)]}, {"layers": ["2-3"]}),
        ({"created": datetime(2026, 1, 2, tzinfo=UTC)}, {"created": "2026-01-02T00:00:00Z"}),
        ({"created": "source"}, {}),
        ({"compression": lamella.Compression.parse("gzip:1")}, {"compression": "gzip:1"}),
        ({"platform": lamella.Platform.parse("linux/amd64")}, {"platform": "linux/amd64"}),
    ],
)
def test_values_say_what_text_says(
    app: str, tmp_path: Path, given: dict[str, Any], same: dict[str, Any]
) -> None:
    """Ranges are of positions, as in `image.layers`; times have a time zone."""
    ids = [
        lamella.squash(app, output=f"oci:{tmp_path}/new:a", **choice).digest
        for choice in (given, same)
    ]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": range(0, 3, 2)},
        {"layers": range(2, 2)},
        {"created": datetime(2026, 1, 2)},  # noqa: DTZ001 - that is what is wrong with it
    ],
)
def test_values_that_say_nothing(app: str, wrong: dict[str, Any]) -> None:
    """They are errors that name the parameter."""
    with pytest.raises(UsageError, match=f"`{next(iter(wrong))}`"):
        lamella.squash(app, dry_run=True, **wrong)


def test_a_path_is_that_of_a_file(
    app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is called: as text its name could be an image's."""
    monkeypatch.chdir(tmp_path)
    Path(app).rename("debian")
    layout_of(tag="a").write(tmp_path / "layout")
    with lamella.open_image(Path("debian")) as image:
        assert len(image.layers) == len(TARS)
    assert lamella.verify(Path("debian"), Path("layout"))
    with pytest.raises(ImageNotFound, match=r"no file '\./none' here"):
        lamella.squash(Path("none"), dry_run=True)
    with pytest.raises(UsageError, match=r"give docker-archive:\./new"):
        lamella.squash(Path("debian"), output=Path("new"))


def test_a_session_is_no_worse_off_after_an_error(app: str, tmp_path: Path) -> None:
    """A registry that could not be reached is looked for again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    options = lamella.RegistryOptions(backoff=Backoff(tries=1))
    with lamella.Environment(registry=options) as env:
        with pytest.raises(lamella.EngineError, match="Connection refused"):
            lamella.squash(app, output=f"docker://{host}/app:1", env=env)
        with registry_in_memory(Oddly(0), port=int(host.rpartition(":")[2])) as registry:
            lamella.squash(app, output=f"docker://{host}/app:1", env=env)
            assert ("app", "1") in registry.manifests


def test_a_cancelled_environment_does_nothing_more(app: str, tmp_path: Path) -> None:
    """What is under way ends, from another thread, and leaves nothing."""

    class Cancelling(Recorder):
        def phase(self, name: str, total: int | None = None) -> None:
            super().phase(name, total)
            if name == "write the merged layer":
                thread = threading.Thread(target=env.cancel)
                thread.start()
                thread.join()

    recorder = Cancelling()
    env = lamella.Environment(progress=recorder)
    for _ in range(2):
        with pytest.raises(lamella.Cancelled) as error:
            lamella.squash(app, output=f"docker-archive:{tmp_path}/new.tar", env=env)
        assert error.value.exit_code == 130
    assert recorder.phases[-1] == "write the merged layer"
    assert set(state_of(tmp_path)) == {"app.tar"}


def test_streams_are_arguments(tmp_path: Path) -> None:
    """What is read and written as ``-``: here in memory."""
    out = io.BytesIO()
    env = lamella.Environment(stdin=io.BytesIO(docker_archive(*TARS)), stdout=out)
    lamella.squash("-", env=env)
    (tmp_path / "out.tar").write_bytes(out.getvalue())
    assert len(validate_archive(tmp_path / "out.tar")["rootfs"]["diff_ids"]) == 1


def test_progress_is_an_argument(app: str, tmp_path: Path) -> None:
    """Phases have names and sizes, and come to their end."""
    recorder = Recorder()
    env = lamella.Environment(progress=recorder)
    result = lamella.squash(app, output=f"docker-archive:{tmp_path}/new.tar", env=env)
    assert recorder.phases[0] == "read layers"
    assert recorder.phases[-1] == "publish"
    assert not recorder.notes
    assert recorder.bytes["write the merged layer"] == result.ranges[0].bytes_after


def test_temporary_files_go_where_they_are_told(tmp_path: Path) -> None:
    """A folder that isn't there is an error, not a reason to take another."""
    packed = to_file(tmp_path / "app", layout_of().tar())
    env = lamella.Environment(tmp_dir=str(tmp_path / "none"))
    with pytest.raises(OutputError, match="none: No such file or directory; try another `tmp_dir`"):
        lamella.squash(packed, output=f"docker-archive:{tmp_path}/new.tar", env=env)
    assert set(state_of(tmp_path)) == {"app"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"base": "#9"}, UnknownLayer),
        ({"base": "#1", "last": 1}, UsageError),
        ({"last": 0}, UsageError),
        ({"layers": ["1-2", "2-3"]}, UsageError),
        ({"tag": "Bad"}, InvalidReference),
        ({"created": "yesterday"}, UsageError),
        ({"platform": "linux"}, UsageError),
        ({"compression": "rar"}, UsageError),
        ({"output": "docker-archive:/none/new.tar"}, OutputError),
    ],
)
def test_errors_are_one_tree(
    app: str, tmp_path: Path, arguments: dict[str, object], error: type[lamella.LamellaError]
) -> None:
    """Each kind can be told apart; all can be caught at once; nothing is left."""
    wanted = {"output": f"docker-archive:{tmp_path}/new.tar", **arguments}
    with pytest.raises(error) as caught:
        lamella.squash(app, **wanted)  # type: ignore[arg-type]
    assert isinstance(caught.value, lamella.LamellaError)
    assert "\n" not in str(caught.value)
    assert set(state_of(tmp_path)) == {"app.tar"}


def test_verify_is_the_same_both_ways(app: str, tmp_path: Path) -> None:
    """What one has more, the other has less."""
    other = to_file(tmp_path / "other.tar", docker_archive(*TARS, layer(("more", b""))))
    there, back = lamella.verify(app, other), lamella.verify(other, app)
    assert len(there) == len(back) > 0
    assert any("more" in str(difference) for difference in there)


def test_verify_trusts_no_digest(app: str, tmp_path: Path) -> None:
    """Damage is an error, not a difference."""
    damaged = Path(app).read_bytes().replace(b"changed", b"chanced", 1)
    with pytest.raises(lamella.LamellaError, match="digest mismatch"):
        lamella.verify(app, to_file(tmp_path / "bad.tar", damaged))
    with pytest.raises(MalformedImage):
        lamella.verify(app, to_file(tmp_path / "bad.tar", b""))


def test_a_stream_that_nobody_gave_is_an_error(app: str) -> None:
    """`-` without a stream is refused before any work: its bytes would be lost."""
    for output in ("-", "oci-archive:-"):
        with pytest.raises(UsageError, match=r"'.*-': `stdout` is closed or not given"):
            lamella.squash(app, output=output)
    with pytest.raises(UsageError, match="'-': `stdin` is closed or not given"):
        lamella.squash("-", output="-", env=lamella.Environment(stdout=io.BytesIO()))
    with pytest.raises(UsageError, match="stdin"), lamella.open_image("-"):
        pass
    assert (lamella.Environment().stdin, lamella.Environment().stdout) == (None, None)
