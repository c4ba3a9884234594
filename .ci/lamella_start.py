"""How the one file starts: it has compiled modules for some Pythons, and says so to all others.

Old Pythons read this file, too, so it is written as they are.
"""

import importlib.machinery
import os
import platform
import sys

_OTHER = """\
lamella: {file} needs CPython 3.11 to 3.14 on the kind of machine in its name, this is {python} \
{version} on {system}-{machine}; run it as python3.12 {file}, or pip install lamella"""


def main():  # type: ignore[no-untyped-def] # noqa: ANN201 - see above
    """Run lamella, if this Python can."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - see above
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    if not os.path.exists(os.path.join(folder, "isal", "_isal" + suffix)):  # noqa: PTH110, PTH118 - see above
        told = {
            "file": os.path.basename(sys.argv[0]),  # noqa: PTH119 - see above
            "python": platform.python_implementation(),
            "version": platform.python_version(),
            "system": platform.system().lower(),
            "machine": platform.machine(),
        }
        sys.stderr.write(_OTHER.format(**told) + "\n")
        return 2
    from lamella.cli.main import main as run  # noqa: PLC0415 - it can be read only now

    return run()
