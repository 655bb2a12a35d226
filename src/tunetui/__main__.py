"""``python -m tunetui``."""

from __future__ import annotations

import sys

from tunetui.cli import main

if __name__ == "__main__":
    sys.exit(main())
