"""Synthetic heads as a BIDS dataset; each CT and PET image lies in a place of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from bundle.phantom.head import make_head

TURN, SHIFT = 6.0, 8.0
"""Degrees about each axis and millimetres along it, by which an image is away at most."""

IMAGES = {
    "anat/{}_T1w": ("T1", 1000),
    "ct/{}_ct": ("CT", 1),
    "pet/{}_trc-FDG_pet": ("PET", 1000),
}
"""Names to contrasts of :meth:`bundle.phantom.head.Head.contrast`, and what they are scaled by."""


def write_bids(root: Path, subjects: int, seed: int = 0, **grid: Any) -> None:
    """Write a dataset of different heads with a T1w, a CT and a PET each.

    CT and PET are turned and shifted about the head's middle, by their headers alone.

    Args:
        root: folder; made if need be.
        subjects: how many.
        seed: of the whole dataset.
        **grid: shape, spacing and centre of :func:`make_head`.
    """
    root.mkdir(parents=True, exist_ok=True)
    _write_json(root / "dataset_description.json", {"Name": "Phantoms", "BIDSVersion": "1.10.0"})
    (root / "README.md").write_text("Synthetic heads, no person's data.\n", encoding="utf-8")
    digits = max(2, len(str(subjects)))
    for number in range(1, subjects + 1):
        subject = f"sub-{number:0{digits}d}"
        head = make_head((seed, number), **grid)
        for place, (name, (contrast, scale)) in enumerate(IMAGES.items()):
            path = root / subject / f"{name.format(subject)}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.round(head.contrast(contrast) * scale).astype(np.int16)
            affine = head.affine if contrast == "T1" else _away((seed, number, place)) @ head.affine
            image = nib.Nifti1Image(values, affine)
            image.header.set_xyzt_units("mm")
            nib.save(image, path)
        said = {"TracerName": "FDG", "Units": "arbitrary"}
        _write_json(root / subject / "pet" / f"{subject}_trc-FDG_pet.json", said)


def _away(seed: tuple[int, ...]) -> np.ndarray:
    """A rigid motion (4, 4), mm."""
    rng = np.random.default_rng(seed)
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-TURN, TURN, 3), True).as_matrix()
    motion[:3, 3] = rng.uniform(-SHIFT, SHIFT, 3)
    return motion


def _write_json(path: Path, content: dict[str, str]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
