"""Settings of the whole test run."""

from __future__ import annotations

import logging
import os

import pytest
import torch

# One thread each: two of them collapse when a machine of two cores does anything else.
# The variables are for the commands that tests start; ITK of this process reads its own, too.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_log_handlers():
    """Bundle runs set up logging to the stdout of the test they run in: undo that after it."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = before
