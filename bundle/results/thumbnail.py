"""A small picture of a registered pair, to look at many of them side by side."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import MODALITIES, Modality, Range
from bundle.fusion import FusedVolumes, color_table, colored_over, colormap_of

SIDE = 96
"""Pixels of a plane's longer side."""

HEAD = 0.2
"""Of the displayed fixed values, above which the middle is looked for."""


def thumbnail(fused: FusedVolumes, colormap: str | None = None) -> torch.Tensor:
    """Axial, coronal and sagittal plane through the middle, side by side.

    CT is shown fused with the MRI; of PET and SPECT the registered image in colours over it, as
    far as it is bright.

    Args:
        fused: the pair.
        colormap: matplotlib's name of the colours; by default those of the modality.

    Returns:
        (3, H, W), 0 to 255.
    """
    registration = fused.registration
    windows = registration.initial.windows
    fixed = _displayed(registration.pair.fixed.image, windows[0])
    modality = registration.pair.modality
    if modality in MODALITIES and Modality[str(modality)].activity:
        warped = _displayed(registration.warped, windows[1])
        shown = colored_over(fixed, warped, color_table(colormap_of(modality, colormap)))
    else:
        shown = 255 * _displayed(fused.fused, (0.0, 1.0))[..., None].repeat(3, axis=-1)
    planes = _planes(shown, fixed)
    height = max(len(plane) for plane in planes)
    padded = [np.pad(plane, ((0, height - len(plane)), (0, 0), (0, 0))) for plane in planes]
    return torch.from_numpy(np.concatenate(padded, axis=1)).movedim(-1, 0)


def _displayed(volume: sitk.Image, window: Range) -> np.ndarray:
    """In [0, 1] by a window, see :func:`_small`."""
    lower, upper = window
    return ((_small(volume) - lower) / max(upper - lower, 1e-9)).clip(0, 1)


def _small(volume: sitk.Image) -> np.ndarray:
    """On cubes of one size, (Z, Y, X), first slice at the feet, first row in front."""
    volume = sitk.DICOMOrient(volume, "LPS")
    extent = np.multiply(volume.GetSize(), volume.GetSpacing())
    step = float(extent.max()) / SIDE
    size = [max(1, round(float(length) / step)) for length in extent]
    corner = 0.5 * step - 0.5 * np.array(volume.GetSpacing())
    origin = np.array(volume.GetOrigin()) + np.reshape(volume.GetDirection(), (3, 3)) @ corner
    small = sitk.Resample(
        volume, size, sitk.Transform(), sitk.sitkLinear, origin.tolist(), [step] * 3,
        volume.GetDirection(), 0.0, sitk.sitkFloat64, True,
    )  # fmt: skip
    return sitk.GetArrayFromImage(small)


def _planes(values: np.ndarray, where: np.ndarray) -> list[np.ndarray]:
    """Three planes through the middle of what is bright in ``where``, head up."""
    bright = np.argwhere(where > HEAD)
    z, y, x = bright.mean(axis=0).astype(int) if len(bright) else np.array(where.shape) // 2
    return [values[z], values[::-1, y], values[::-1, :, x]]
