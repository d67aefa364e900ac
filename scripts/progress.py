"""Show how far a command is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from bundle.progress import Progress, Stage, Step
from scripts.streams import unless_lost

PATIENCE = 5.0
"""Seconds that a pair may take without a line."""


class Display:
    """Shows the stages of pairs on stderr; an ignite handler, since pairs may fail.

    On a terminal that is a bar with the pair and its stage. Elsewhere a single pair of volumes gets
    a line per stage, once the volumes are read and found to take more than ``PATIENCE``; a list
    gets none, so that each line is that of a pair.

    Args:
        quiet: show nothing.
        pairs: how many there are.
    """

    def __init__(self, quiet: bool, pairs: int) -> None:
        self._pairs = pairs
        self._quiet = quiet
        self._bar: Any = None
        self._done = 0
        self._lines = 0

    def __call__(self, name: str) -> Progress:
        """What is told the stages of a pair."""
        return Progress(None if self._quiet else partial(self._show, name))

    def attach(self, engine: Any) -> None:
        """Count the pairs that are done, well or not."""
        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self._close)

    def _show(self, name: str, step: Step) -> None:
        if sys.stderr is None:
            return
        with unless_lost("stderr"):
            if sys.stderr.isatty():
                self._move(self._done + step.share, _words(name if self._pairs > 1 else "", step))
            elif self._pairs == 1 and (step.expected or 0.0) >= PATIENCE:
                about = "" if self._lines else f" (about {step.expected:.0f} s in all)"
                print(f"{step.stage}{about}", file=sys.stderr, flush=True)
                self._lines += 1

    def _move(self, place: float, words: str) -> None:
        """Move the bar to a number of pairs, or parts of one."""
        from tqdm import tqdm

        if self._bar is None:
            counts = "{desc} {percentage:3.0f} %|{bar}|" + f" of {self._pairs} pairs" * (
                self._pairs > 1
            )
            self._bar = tqdm(total=self._pairs, bar_format=counts, leave=False)
        self._bar.n = place
        self._bar.set_description_str(words)

    def _count(self, engine: Any) -> None:
        self._done = engine.state.iteration
        if self._bar is not None:
            with unless_lost("stderr"):
                self._bar.n = self._done
                self._bar.refresh()

    def _close(self, engine: Any, *error: Any) -> None:
        if self._bar is not None:
            with unless_lost("stderr"):
                self._bar.close()
            self._bar = None
        for one in error:
            raise one


def _words(name: str, step: Step) -> str:
    """A stage, of which pair, and what is to be expected."""
    about = "" if step.expected is None else f", about {step.expected:.0f} s in all"
    width = max(map(len, Stage))
    return f"{name}: {step.stage}{about}" if name else f"{step.stage + about:<{width}}"
