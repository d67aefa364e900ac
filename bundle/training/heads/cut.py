"""Cut a tissue map in a plane, and show a slice in the square frame of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import maximum_filter1d
from torch.nn import functional

from bundle.domain import PLANES
from bundle.geometry.frame import Box, cut, head_frame
from bundle.training.heads.tissues import BRAIN

_SKULL = 14.0
"""Millimetres from the brain to the skin."""


@dataclass(frozen=True)
class PlaneMap:
    """A tissue map whose slices lie in a plane, like a radiological picture.

    Attributes:
        labels: uint8 (D, H, W), slices, rows and columns; see :data:`bundle.domain.PLANES`.
        spacing: mm per slice, row and column.
        frame: the square around the head, see :func:`bundle.geometry.frame.head_frame`; a volume's
            slices are seen in it.
        close: likewise around the skull, without nose and neck: pictures are cut like this.
    """

    labels: np.ndarray
    spacing: tuple[float, float, float]
    frame: Box
    close: Box


def in_plane(labels: sitk.Image, plane: str) -> PlaneMap:
    """Orient a map as :func:`bundle.geometry.slices.to_slices` does.

    Args:
        labels: uint8 tissue map.
        plane: axial, coronal or sagittal.
    """
    oriented = sitk.DICOMOrient(labels, PLANES[plane])
    array = sitk.GetArrayFromImage(oriented)
    columns, rows, slices = oriented.GetSpacing()
    steps = rows, columns
    whole = _frame(np.asarray((array > 0).any(axis=0)), steps, 0.0)
    brain = np.asarray(((array >= BRAIN[0]) & (array <= BRAIN[1])).any(axis=0))
    close = _frame(brain, steps, _SKULL) if brain.any() else whole
    return PlaneMap(array, (slices, *steps), whole, close)


def _frame(mask: np.ndarray, steps: tuple[float, float], around: float) -> Box:
    """The frame of a mask (H, W) that is widened by ``around`` mm on every side."""
    margins = [round(around / step) for step in steps]
    wide = np.pad(mask, [(m, m) for m in margins])
    for axis, m in enumerate(margins):
        wide = maximum_filter1d(wide, 2 * m + 1, axis=axis)
    row, column, rows, columns = head_frame(torch.from_numpy(wide)[..., None], steps)
    return row - margins[0], column - margins[1], rows, columns


def slab(
    head: PlaneMap, position: int, thickness: float, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """The slices that a thick slice is made of, and some around it.

    Args:
        head: the map.
        position: number of the slice in the middle.
        thickness: mm.
        margin: slices to each side of the thick slice.

    Returns:
        labels (D, H, W), the outermost slice again where the map ends; and shares (D,) that each
        slice has in the mean over the thickness, of sum 1.
    """
    half = thickness / head.spacing[0] / 2
    reach = int(np.ceil(half - 0.5)) + margin
    offsets = np.arange(-reach, reach + 1)
    covered = np.minimum(offsets + 0.5, half) - np.maximum(offsets - 0.5, -half)
    shares = covered.clip(0, 1)
    places = (position + offsets).clip(0, len(head.labels) - 1)
    return head.labels[places], shares / shares.sum()


def framed(picture: np.ndarray, frame: Box, outside: float) -> np.ndarray:
    """Cut the frame out of (H, W); ``outside`` where it reaches beyond."""
    both = torch.from_numpy(picture)[None, None] - outside
    return (cut(both, frame) + outside)[0, 0].numpy()


def resized(picture: np.ndarray, size: int) -> torch.Tensor:
    """A picture (H, W) with ``size`` pixels per side: (1, size, size), low-passed if smaller."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32))[None, None]
    return functional.interpolate(tensor, (size, size), mode="bilinear", antialias=True)[0]
