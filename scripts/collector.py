"""Python's garbage collector, kept away from the many objects of imported packages."""

from __future__ import annotations

import atexit
import gc

SELDOM = 50_000
"""How many more objects there are when it runs again; by default it runs far more often."""


def collect_seldom() -> None:
    """Let the collector run less often in this process, and not at its end.

    MONAI imports so much that looking for unused objects among it takes a second while it is
    imported, and more than that when the interpreter ends. For a command's own process only.
    """
    gc.set_threshold(SELDOM)
    atexit.register(gc.freeze)
