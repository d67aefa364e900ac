"""Check a folder of tissue maps of whole heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.images.kinds import visible
from bundle.training.heads.pairs import VALIDATION
from bundle.training.heads.tissues import BRAIN, Tissue
from bundle.training.verify.findings import SPLITS, Finding, same_files

HIGHEST = int(Tissue.VEIN)
"""Tissues beyond it are added while painting; maps hold none of them."""

VOXEL = 0.05
"""Millimetres by which voxels may differ from 1 mm."""


def maps_of(root: Path, split: str | None = None) -> list[Path]:
    """Tissue maps of a split, or all of them, sorted."""
    paths = sorted(root.glob("head_*.nii.gz"))
    return [path for path in paths if split in (None, _split(path))]


def present(root: Path) -> bool:
    """Whether a folder holds tissue maps."""
    return bool(maps_of(root))


def verify(root: Path, splits: Sequence[str]) -> list[Finding]:
    """Check every map, and that the splits have some.

    Args:
        root: see :func:`bundle.training.heads.pairs.list_head_slices`.
        splits: those that are needed.
    """
    findings = []
    for split in SPLITS:
        if not maps_of(root, split):
            findings.append(
                Finding(
                    f"{root}: holds no map for {split}; {', '.join(VALIDATION)} are val, all "
                    "others train",
                    split in splits,
                )
            )
    odd = sorted(set(visible(root, "*.nii*")) - set(maps_of(root)))
    if odd:
        findings.append(
            Finding(
                f"{odd[0]}: is left out, with {len(odd) - 1} more; name it head_NN.nii.gz",
                error=False,
            )
        )
    findings += [finding for path in maps_of(root) for finding in _map(path)]
    return [*findings, *same_files(maps_of(root, "train"), maps_of(root, "val"))]


def summary(root: Path) -> list[str]:
    """Number of maps in train and val."""
    train, val = (len(maps_of(root, split)) for split in SPLITS)
    return [f"heads: {train} train, {val} val"]


def _split(path: Path) -> str:
    return "val" if path.name.removesuffix(".nii.gz") in VALIDATION else "train"


def _map(path: Path) -> Iterator[Finding]:
    """Findings of one file."""
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        yield Finding(f"{path}: cannot be read as a volume; copy it anew")
        return
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        yield Finding(f"{path}: is no label map; it must be one 3D volume of whole numbers")
        return
    values = np.unique(sitk.GetArrayViewFromImage(image))
    strange = values[(values != np.round(values)) | (values < 0) | (values > HIGHEST)]
    if len(strange):
        yield Finding(
            f"{path}: is no label map of tissues 0 to {HIGHEST}: it holds {strange[0]:g} and "
            f"{len(strange) - 1} other such values; relabel it"
        )
    elif values.max() == Tissue.BACKGROUND:
        yield Finding(f"{path}: is empty (all background); remove it")
    elif not ((values >= BRAIN[0]) & (values <= BRAIN[1])).any():
        yield Finding(f"{path}: holds no brain (labels {BRAIN[0]:d} to {BRAIN[1]:d}); remove it")
    if np.abs(np.array(image.GetSpacing()) - 1).max() > VOXEL:
        spacing = " x ".join(f"{length:g}" for length in image.GetSpacing())
        yield Finding(f"{path}: has voxels of {spacing} mm; resample it to 1 mm", error=False)
