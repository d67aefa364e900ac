"""Let ITK compute on one thread, so that equal input gives equal results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk

_alone = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let ITK add up in one order, also in the filters that a registration runs by itself."""
    process = sitk.ProcessObject
    _alone.acquire()  # the number is the whole process's
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)
        _alone.release()
