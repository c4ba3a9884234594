"""Everything that can go wrong, as one tree; each error knows its exit code.

::

    LamellaError                      1
    ├── ImageError                    1   the image can't be squashed as asked, or is malformed
    │   ├── MalformedImage                manifest, config, index or archive that says nonsense
    │   ├── MalformedTar                  a layer (or an archive) that is no sound tar
    │   ├── DigestMismatch                bytes that are not what their digest says
    │   └── Unsupported                   sound, but beyond what lamella or the destination can do
    ├── OutputError                   1   the result can't be written (disk full, no permission)
    ├── UsageError                    2   the request makes no sense (options, names, layers)
    │   ├── InvalidReference              a name or tag that breaks the reference grammar
    │   ├── UnknownLayer                  no layer of the image has that name
    │   ├── NoSuchFile                    no file of the image has that path
    │   └── Ambiguous                     several things have that name
    ├── EngineError                   5   an engine or registry refused, or broke off
    │   └── EngineUnreachable                   nothing answers there
    ├── ImageNotFound                 7   there is no such image: no file, no tag, no image of it
    └── Cancelled                   130   another thread wanted it to end

Messages are one line: what failed, where, what was wanted and what was found, and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "Ambiguous",
    "Cancelled",
    "DigestMismatch",
    "EngineError",
    "EngineUnreachable",
    "ImageError",
    "ImageNotFound",
    "InvalidReference",
    "LamellaError",
    "MalformedImage",
    "MalformedTar",
    "NoSuchFile",
    "OutputError",
    "UnknownLayer",
    "Unsupported",
    "UsageError",
    "common_exit_code",
    "shortened",
]

FILES_NEED_NONE = "files need no engine (docker-archive:FILE)"
"""The way out where an engine is not all that may have been meant."""
_LONGEST = 1000
_TAIL = 160


def shortened(text: str, longest: int) -> str:
    """Return text of at most so many characters: what is longer loses its middle."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - _TAIL - 3]} … {text[-_TAIL:]}"


def common_exit_code(codes: Iterable[int]) -> int:
    """Return the exit code for several failures.

    0 if there are none; 5 if an engine or a registry failed, for another run may do better; else
    that which all have; else 1.
    """
    found = set(codes)
    if EngineError.exit_code in found:
        return EngineError.exit_code
    return found.pop() if len(found) == 1 else int(bool(found))


class LamellaError(Exception):
    """Base of all errors that lamella raises on purpose.

    As text it has at most 1,000 characters, whatever the input that it quotes.
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the message."""
        return shortened(super().__str__(), _LONGEST)


class ImageError(LamellaError):
    """The image can't be squashed as asked, or is malformed."""


class MalformedImage(ImageError):
    """A manifest, config, index or archive that says nonsense.

    Args:
        where: the file or blob, as a user can find it.
        what: what was wanted and what was found.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class MalformedTar(ImageError):
    """A tar stream that no engine would unpack.

    Args:
        what: what was wanted and what was found.
        offset: byte position in the uncompressed stream, if known.
        where: the stream, as a user can find it; filled in by the caller that knows it (`at`).
        is_cut: the stream ends in the midst of something.
    """

    def __init__(
        self, what: str, offset: int | None = None, where: str = "", *, is_cut: bool = False
    ) -> None:
        place = f"{where}: " if where else ""
        position = "" if offset is None else f" (at byte {offset})"
        super().__init__(f"{place}{what}{position}")
        self.what = what
        self.offset = offset
        self.where = where
        self.is_cut = is_cut

    def at(self, where: str) -> MalformedTar:
        """Return the same error with the name of the stream; the first name given stays."""
        if self.where:
            return self
        return MalformedTar(self.what, self.offset, where, is_cut=self.is_cut)


class DigestMismatch(ImageError):
    """Bytes that are not what their digest (or size) says they are."""

    def __init__(self, where: str, want: object, got: object) -> None:
        super().__init__(f"{where}: digest mismatch; expected {want}, got {got}")
        self.where = where
        self.want = want
        self.got = got


class Unsupported(ImageError):
    """Sound input that lamella, or the chosen destination, can't handle."""


class Cancelled(LamellaError):
    """Another thread wanted the work to end (`Environment.cancel`)."""

    exit_code = 130

    def __init__(self, left: str = "the new image was not written") -> None:
        super().__init__(f"cancelled; {left}")


class OutputError(LamellaError):
    """The result can't be written."""


class UsageError(LamellaError):
    """The request makes no sense."""

    exit_code = 2


class InvalidReference(UsageError):
    """A name, tag or digest that breaks the reference grammar."""


class NoSuchFile(UsageError, FileNotFoundError):
    """The image has no file of that path."""


class UnknownLayer(UsageError):
    """No layer of the image has that name.

    Args:
        what: what failed, and where.
        expected: what names a layer.
    """

    def __init__(self, what: str, expected: str = "") -> None:
        super().__init__(f"{what}; {expected}" if expected else what)
        self.expected = expected


class Ambiguous(UsageError):
    """Several images or layers have that name."""


class EngineError(LamellaError):
    """An engine could not be reached, refused, or broke off."""

    exit_code = 5
    may_pass: bool = True
    """Whether another try may help: where a login is refused, it can't."""


class EngineUnreachable(EngineError):
    """Nothing answers where an engine should be.

    Args:
        engine: what a message calls it.
        why: the reason, in the system's words.
        way_out: what helps.
        elsewhere: why the engine was asked at all: ``no file 'app' here``.
        denied: it is there, but the user may not use it.
    """

    def __init__(
        self, engine: str, why: str, way_out: str, elsewhere: str = "", *, denied: bool = False
    ) -> None:
        told = f"you may not use {engine} ({why})" if denied else f"can't reach {engine}: {why}"
        if elsewhere:
            verb = "may not be used" if denied else "can't be reached"
            told = f"{elsewhere}, and {engine} {verb} ({why})"
        super().__init__(f"{told}; {way_out}")
        self.engine, self.why, self.way_out, self.denied = engine, why, way_out, denied

    def after(self, elsewhere: str, other: str = FILES_NEED_NONE) -> EngineUnreachable:
        """Return the same error, which first says why the engine was asked.

        Args:
            elsewhere: that; empty: the error stays as it is.
            other: the way out if the user meant something else.
        """
        if not elsewhere:
            return self
        way_out = f"{self.way_out}; {other}"
        return EngineUnreachable(self.engine, self.why, way_out, elsewhere, denied=self.denied)


class ImageNotFound(LamellaError):
    """There is no such image: no file, no tag in a registry, no image in an engine."""

    exit_code = 7
