"""Settings of the whole test run."""

from __future__ import annotations

import logging
import os

import pytest
import torch

# One thread each: two of them collapse when a machine of two cores does anything else.
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_log_handlers():
    """Bundle runs set up logging to the stdout of the test they run in: undo that after it."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = before
