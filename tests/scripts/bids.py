"""A BIDS dataset of small volumes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.inference.images import smooth, write_volume

DESCRIPTION = {"Name": "made", "BIDSVersion": "1.10.0"}


def write_bids(root: Path, *names: str) -> Path:
    """Write volumes by their names in the dataset, each of other values."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    for seed, name in enumerate(names):
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(path, np.pad(smooth((4, 40, 36), seed), 1))
    return root
