"""The volumes of the page's viewer: 8 bits, about 2 mm, cut to the head."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn.functional import adaptive_avg_pool3d

from bundle.domain import Range
from bundle.fusion import FusedVolumes, color_slices, color_table
from bundle.geometry.grid import same_extent
from bundle.geometry.region import box_of
from bundle.geometry.transform import onto
from bundle.images.nifti_write import affine_of, nifti_of
from bundle.results.describe import Shown
from bundle.results.report import UNCERTAIN
from bundle.results.units import UNKNOWN_UNIT, shown_unit

STEP = 2.0
"""Millimetres per voxel; coarser voxels stay as they are."""

VOXELS = 900_000
"""Of one volume at most, else its voxels grow: eight bytes of each, which nothing may compress, are
10 MB in base64 and leave room for the viewer and the still pictures in a page of 15 MB."""

MARGIN = 8.0
"""Millimetres around the head."""

OPAQUE = 32
"""Step of a colour map from which on it hides the MRI wholly: air and noise let it through."""

UNCLIPPED = (False, False)
"""No values lie beyond the window."""


@dataclass(frozen=True)
class Layer:
    """A volume of the viewer.

    Attributes:
        name: of the volume.
        label: what it shows.
        nifti: base64 of the compressed file.
        window: values shown as the first and the last colour.
        colormap: name of the colours, of :func:`color_maps`; of an RGB volume none.
        unit: of the values.
        clipped: whether the window's first and last value also stand for those beyond it.
    """

    name: str
    label: str
    nifti: str
    window: Range
    colormap: str
    unit: str
    clipped: tuple[bool, bool]


@dataclass(frozen=True)
class Reduction:
    """How volumes are brought to the viewer's grid.

    Attributes:
        box: rows, columns and slices that are kept, of axial slices (H, W, D).
        size: of the result, (H', W', D').
        grid: an empty volume, the result's voxels in space, LPS.
    """

    box: tuple[slice, slice, slice]
    size: tuple[int, int, int]
    grid: sitk.Image

    @property
    def affine(self) -> np.ndarray:
        """(4, 4), from x, y, z of the result to millimetres, RAS."""
        return affine_of(self.grid)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Average (H, W, D) to float32 (D', H', W'), slices first."""
        part = torch.from_numpy(np.ascontiguousarray(values[self.box], dtype=np.float32))
        return adaptive_avg_pool3d(part[None], self.size)[0].movedim(-1, 0).numpy()


def reduction_to(head: np.ndarray, grid: sitk.Image) -> Reduction:
    """The viewer's grid.

    Args:
        head: bool (H, W, D), axial slices.
        grid: a volume in the orientation LPS of which these are the slices.
    """
    spacing = np.array(grid.GetSpacing())[[1, 0, 2]]
    rows, columns, slices = box_of(head, [round(MARGIN / step) for step in spacing])
    count = np.array([side.stop - side.start for side in (rows, columns, slices)])
    step, size = STEP, count
    while True:
        size = np.maximum(1, np.floor(count * spacing / np.maximum(spacing, step))).astype(int)
        if size.prod() <= VOXELS:
            break
        step *= 1.02
    cells = same_extent(grid[columns, rows, slices], size[[1, 0, 2]].tolist())
    return Reduction((rows, columns, slices), (int(size[0]), int(size[1]), int(size[2])), cells)


def color_maps(names: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """Colour maps as the viewer takes them: channels, opacity and places, 0 to 255."""
    found = {}
    for name in names:
        table = color_table(name).T.tolist()
        opacity = [min(255, 255 * k // OPAQUE) for k in range(256)]
        found[name] = dict(zip("RGB", table, strict=True)) | {"A": opacity, "I": list(range(256))}
    return found


def layers(fused: FusedVolumes, shown: Shown, colormap: str) -> list[Layer]:
    """The viewer's volumes: fixed, start, warped, fused, in colours, uncertainty if known.

    Args:
        fused: the pair.
        shown: the same in axial slices.
        colormap: of the moving volume.
    """
    pair, windows = fused.registration.pair, list(fused.registration.initial.windows)
    moving = pair.modality or "moving"
    factor, unit = shown_unit(pair)
    windows[1] = (factor * windows[1][0], factor * windows[1][1])
    reduce = reduction_to(shown.head, shown.grid)
    small = {name: reduce(getattr(shown, name)) for name in ("fixed", "start", "warped", "fused")}
    colors = color_slices(small["fused"], small["warped"], color_table(colormap))
    mri = "HU" if pair.hounsfield[0] else UNKNOWN_UNIT
    found = [
        _layer(reduce, "fixed", "fixed (MRI)", small["fixed"], windows[0], "gray", mri),
        _layer(reduce, "start", f"{moving}, start", small["start"], windows[1], colormap, unit),
        _layer(reduce, "warped", f"{moving}, warped", small["warped"], windows[1], colormap, unit),
        _layer(reduce, "fused", "fused", small["fused"], (0.0, 1.0), "gray", "", UNCLIPPED),
        _layer(reduce, "color", "fused, in colours", colors, (0.0, 255.0), "", "", UNCLIPPED),
    ]
    if shown.uncertainty is not None:
        values = sitk.GetArrayFromImage(onto(shown.uncertainty, reduce.grid))
        share = np.clip(values / UNCERTAIN, 0, 1)
        drawn = (0.0, UNCERTAIN), "hot", "mm", (False, True)
        found.append(_layer(reduce, "uncertainty", "uncertainty", share, *drawn))
    return found


def _layer(
    reduce: Reduction,
    name: str,
    label: str,
    values: np.ndarray,
    window: Range,
    colormap: str,
    unit: str,
    clipped: tuple[bool, bool] = (True, True),
) -> Layer:
    """Of values in [0, 1], which stand for those of the window, or of uint8 RGB."""
    slope = (window[1] - window[0]) / 255
    if values.ndim == 3:
        values = np.rint(255 * values.clip(0, 1)).astype(np.uint8)
    file: Any = nifti_of(values, reduce.affine, (slope, window[0]))
    packed = base64.b64encode(gzip.compress(file.to_bytes(), compresslevel=6, mtime=0)).decode()
    return Layer(name, label, packed, window, colormap, unit, clipped)


def viewer_data(found: Sequence[Layer], colormap: str) -> Mapping[str, Any]:
    """What the page's script reads."""
    names = dict.fromkeys([colormap, "gray", "hot"])
    return {"layers": [vars(layer) for layer in found], "colormaps": color_maps(list(names))}
