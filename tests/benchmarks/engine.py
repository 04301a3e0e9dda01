"""What the engine costs: the table that `penstock bench` prints.

Run by hand: ``python tests/benchmarks/engine.py [--quick] [--only NAME,...] [--rounds N]``.
"""

from __future__ import annotations

import sys

from penstock.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
