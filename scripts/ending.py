"""How a command ends that is told to, by Ctrl-C, a scheduler, or a terminal that is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPED = "stopped; results that are complete stay"

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Windows has no SIGHUP."""


class Ended(SystemExit):
    """A signal ended the process; its status is 128 and the number of the signal."""


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """Raise :class:`Ended` for a signal, so that what is half done is removed.

    Signals that are ignored, as by nohup, stay so, and so does every signal in other threads than
    the main one.
    """
    main = threading.current_thread() is threading.main_thread()
    changed = [one for one in SIGNALS if main and signal.getsignal(one) == signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        for one in changed:  # schedulers send several, and one is enough
            signal.signal(one, lambda *_: None)
        raise Ended(128 + number)

    for number in changed:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
