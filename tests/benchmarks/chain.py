"""A chain of ten trivial routines against the same hops by a bare thread pool, in one run.

Run by hand: ``python tests/benchmarks/chain.py [--quick] [--rounds N]``; the first line of what
`penstock bench` prints.
"""

from __future__ import annotations

import sys

from penstock.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["bench", "--only", "chain", *sys.argv[1:]]))
