"""``python -m lamella``: the same as the command."""

from __future__ import annotations

import sys

from lamella.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
