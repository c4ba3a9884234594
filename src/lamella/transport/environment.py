"""What a call needs from the world around it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Self

from lamella.errors import Cancelled, EngineError
from lamella.layer.spool import Spool
from lamella.progress import SILENT, Progress
from lamella.transport.connections import Connections
from lamella.transport.engine.options import EngineOptions
from lamella.transport.registry.options import RegistryOptions

__all__ = ["Environment", "used"]

_TEMPORARY = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - files without names


@dataclass(frozen=True)
class Environment:
    """What a call needs from the world around it.

    As a context it is a session: connections, logins and what an engine or a registry has said stay
    until the end of the ``with`` block. Else they last for one call.

    It is for one thread at a time, but any thread may `cancel` it.
    """

    tmp_dir: str | os.PathLike[str] | None = None
    """Where spooled layers go; None: TMPDIR, or the system's place."""
    progress: Progress = SILENT
    stdin: BinaryIO | None = None
    """What ``-`` is read from."""
    stdout: BinaryIO | None = None
    """What ``-`` is written to."""
    engine: EngineOptions = field(default_factory=EngineOptions)
    """How engines are reached."""
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    """How registries are reached, and who we are there."""
    source_date_epoch: str | None = None
    """Seconds since 1970: the time of new images for which none is given; None: their source's."""
    connections: Connections = field(default_factory=Connections, repr=False, compare=False)
    """Shared by all that use this environment at the same time."""

    @classmethod
    def from_env(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Return what the environment variables say: what calls use that are given nothing.

        They are those of `docker`, `podman` and `skopeo`: DOCKER_HOST, DOCKER_CONTEXT and the
        other DOCKER_ variables of its command, CONTAINER_HOST, CONTAINER_CONNECTION,
        CONTAINERS_CONF; REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, DOCKER_CONFIG, and the files of
        `docker login` and `podman login`; HTTPS_PROXY, HTTP_PROXY, NO_PROXY; XDG_CACHE_HOME and
        HOME for what is remembered of layers; SOURCE_DATE_EPOCH for the time of new images; TMPDIR,
        TEMP and TMP for temporary files.

        Args:
            variables: are used instead of ``os.environ``.
        """
        variables = os.environ if variables is None else variables
        cache = _cache_folder(variables)
        return cls(
            tmp_dir=_temporary_folder(variables),
            engine=EngineOptions.from_variables(variables, cache),
            registry=RegistryOptions.from_variables(variables, cache),
            source_date_epoch=variables.get("SOURCE_DATE_EPOCH"),
        )

    @property
    def spool(self) -> Spool:
        """Makes temporary files."""
        return Spool(None if self.tmp_dir is None else os.fspath(self.tmp_dir))

    def apart(self, progress: Progress) -> Environment:
        """Return the same for other work, which is told to `progress` and cancelled by itself."""
        return replace(self, progress=progress, connections=Connections())

    def cancel(self) -> None:
        """End what is under way, from any thread; it raises `Cancelled`, and so do later calls."""
        self.connections.cancel()

    def __enter__(self) -> Self:
        """Begin a session."""
        self.connections.enter()
        return self

    def __exit__(self, *error: object) -> None:
        """Close all connections."""
        self.connections.leave()


@contextmanager
def used(env: Environment | None) -> Iterator[Environment]:
    """Use an environment for one call; None: that of the variables.

    Raises:
        Cancelled: it was cancelled before, or meanwhile.
    """
    env = env or Environment.from_env()
    connections = env.connections
    with connections.used():
        try:
            connections.check()
            yield replace(env, progress=_Checking(env.progress, connections))
        except Exception as error:
            if isinstance(error, EngineError):
                connections.forget()  # what a session keeps must not be what has failed
            if connections.is_cancelled and not isinstance(error, Cancelled):
                raise Cancelled from error  # what was stopped in the middle says something else
            raise


@dataclass(frozen=True)
class _Checking:
    """Progress of work that may be cancelled; a `progress.Progress`."""

    told: Progress
    connections: Connections

    def phase(self, name: str, total: int | None = None) -> None:
        self.connections.check()
        self.told.phase(name, total)

    def advance(self, amount: int) -> None:
        self.connections.check()
        self.told.advance(amount)

    def note(self, message: str) -> None:
        self.told.note(message)

    def debug(self, message: str) -> None:
        self.told.debug(message)


def _temporary_folder(variables: Mapping[str, str]) -> str | None:
    """Return where temporary files go; None: who makes one finds a place.

    As `tempfile.gettempdir`, but no file is written to try it: it would have a name, and stay there
    if lamella is killed at that moment.
    """
    named = [variables.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")]
    usable = (folder for folder in [*named, *_TEMPORARY] if folder and _is_writable(folder))
    return next(usable, None)


def _is_writable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH112 - of a text


def _cache_folder(variables: Mapping[str, str]) -> str | None:
    """Return where listings are kept: https://specifications.freedesktop.org/basedir-spec/latest/."""
    home = variables.get("HOME")
    folder = variables.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    return f"{folder}/lamella/listings" if folder.startswith("/") else None
