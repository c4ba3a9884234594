"""The file that the docker command finds: it says what it is by itself, and starts lamella else.

Docker starts each plugin for each `docker --help` to ask what it is. So the answer is in the file,
which is for `sh`: it takes a millisecond or two, and Python a hundred.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any

__all__ = ["START", "Script", "make_script", "parse_script"]

START = "docker-cli-plugin"
"""The first argument of lamella when the docker command has started it."""
_MARK = "# Written by `lamella plugin install`; `lamella plugin remove` removes it."
# -P: what is called lamella in the working folder is not what is meant.
_TEXT = """\
#!/bin/sh
{mark}
metadata={metadata}
python={python}
if [ "$1" = docker-cli-plugin-metadata ]; then
    printf '%s\\n' "$metadata"
    exit
fi
if [ ! -x "$python" ]; then
    printf 'docker-squash: no %s; run `lamella plugin install` again, or remove %s\\n' \\
        "$python" "$0" >&2
    exit 127
fi
exec "$python" -P -m lamella {start} "$@"
"""
_PARTS = re.compile(
    r"^metadata=(?P<metadata>.*?)\npython=(?P<python>.*?)\nif \[", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Script:
    """What such a file says."""

    python: str
    """The interpreter that it starts."""
    metadata: dict[str, Any]
    """https://pkg.go.dev/github.com/docker/cli/cli-plugins/metadata#Metadata"""

    @property
    def version(self) -> str:
        """The version that the docker command shows."""
        return str(self.metadata.get("Version", ""))


def make_script(script: Script) -> bytes:
    """Return the file's content; any path is quoted."""
    text = _TEXT.format(
        mark=_MARK,
        metadata=shlex.quote(json.dumps(script.metadata)),
        python=shlex.quote(script.python),
        start=START,
    )
    return os.fsencode(text)


def parse_script(data: bytes) -> Script | None:
    """Read such a file; None: lamella did not write it."""
    text = os.fsdecode(data)
    found = _PARTS.search(text)
    if _MARK not in text or found is None:
        return None
    try:
        (metadata,), (python,) = (shlex.split(found[name]) for name in ("metadata", "python"))
        document = json.loads(metadata)
    except ValueError:
        return None
    return Script(python, document) if isinstance(document, dict) else None
