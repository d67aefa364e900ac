"""Settings of the whole test run."""

from __future__ import annotations

import os

import torch

# One thread each: two of them collapse when a machine of two cores does anything else.
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
torch.set_num_threads(1)
