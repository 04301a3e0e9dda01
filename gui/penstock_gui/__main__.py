"""``python -m penstock_gui``: the same as ``penstock open``."""

from __future__ import annotations

import sys

from penstock_gui.app import main

if __name__ == "__main__":
    sys.exit(main())
