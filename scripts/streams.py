"""What a command says on stdout and stderr, which may be closed or lead to a full disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


def say(line: str) -> None:
    """Print a line on stdout, if it can be written."""
    with unless_lost("stdout"):
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def tell(line: str) -> None:
    """Print a line on stderr, above a progress bar that may stand there, if it can be written."""
    from tqdm import tqdm

    with unless_lost("stderr"):
        if sys.stderr is not None:
            tqdm.write(line, file=sys.stderr)


@contextmanager
def unless_lost(stream: Literal["stdout", "stderr"]) -> Iterator[None]:
    """Write to a stream of the process: work and its results do not depend on who listens.

    A stream that fails is given up, else Python would fail again at its own end.
    """
    try:
        yield
    except (OSError, ValueError):  # a broken pipe, a full disk, a closed file
        setattr(sys, stream, None)
