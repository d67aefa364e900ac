"""Middle slices of volumes in three planes, as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw
from scipy.ndimage import map_coordinates

from bundle.geometry.transform import onto
from bundle.results.describe import Shown
from bundle.results.page import Panel, grey, heat
from bundle.results.report import UNCERTAIN

FINEST = 1.0
"""Millimetres per pixel of a picture at least: the page has to stay small."""

LINES = 10.0
"""Millimetres between the lines of a deformation grid, unless its pixels are too large for it."""

BETWEEN = 5
"""Pixels from line to line at least: closer lines would whiten the picture."""


@dataclass(frozen=True)
class View:
    """A plane through axial slices (H, W, D).

    Attributes:
        name: of the plane.
        axis: array axis that it cuts.
        place: index on that axis.
        size: millimetres per row and column of the picture.
    """

    name: str
    axis: int
    place: int
    size: tuple[float, float]

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """The slice, head up, with square pixels."""
        return self.turned(self.slice_of(volume))

    def slice_of(self, volume: np.ndarray) -> np.ndarray:
        """The slice as it lies in the volume, a view."""
        return volume[(slice(None),) * self.axis + (self.place,)]

    def turned(self, view: np.ndarray) -> np.ndarray:
        """A slice that was cut along the axis, head up, with square pixels."""
        view = self.upright(view)
        rows, columns = (
            (starts / size).astype(int)
            for starts, size in zip(self.starts(view.shape), self.size, strict=True)
        )
        return view[rows][:, columns]

    def upright(self, view: np.ndarray) -> np.ndarray:
        """A slice that was cut along the axis, head up, in its own voxels."""
        return view if self.axis == 2 else np.swapaxes(view, 0, 1)[::-1]

    @property
    def pixel(self) -> float:
        """Millimetres per pixel of the picture."""
        return max(FINEST, min(self.size))

    @property
    def lines(self) -> float:
        """Millimetres between the lines of its deformation grid."""
        return max(LINES, BETWEEN * self.pixel)

    def starts(self, shape: Sequence[int]) -> list[np.ndarray]:
        """Where the rows and the columns of the picture begin, mm from its corner.

        Args:
            shape: of the upright slice.
        """
        lengths = [count * size for count, size in zip(shape, self.size, strict=True)]
        return [self.pixel * np.arange(math.ceil(one / self.pixel - 1e-6)) for one in lengths]


def views(head: np.ndarray, spacing: Sequence[float]) -> list[View]:
    """Axial, coronal and sagittal plane through the middle of the head.

    Args:
        head: bool (H, W, D).
        spacing: millimetres along x, y and z.
    """
    x, y, z = spacing
    places = [
        int(np.mean(np.flatnonzero(head.any(axis=other)))) for other in ((1, 2), (0, 2), (0, 1))
    ]
    return [
        View("axial", 2, places[2], (y, x)),
        View("coronal", 0, places[0], (z, x)),
        View("sagittal", 1, places[1], (z, y)),
    ]


def panels(view: View, shown: Shown) -> list[Panel]:
    """The pictures of a plane.

    Args:
        view: the plane.
        shown: the volumes.
    """
    fixed = view.cut(shown.fixed)
    rows, columns = np.indices(fixed.shape) // 24
    board = np.where((rows + columns) % 2 == 0, fixed, view.cut(shown.warped))
    mesh = grid_lines(view, shown.displacement, shown.grid)
    change = view.turned(in_plane(shown.jacobian, view, shown.grid)) - 1
    found = [
        Panel("fused", grey(view.cut(shown.fused), 0.0, 1.0)),
        Panel("checkerboard of fixed and warped", grey(board, 0.0, 1.0)),
        Panel(
            f"deformation grid ({view.lines:.0f} mm)",
            grey(np.where(mesh, 1.0, 0.5 * fixed), 0.0, 1.0),
        ),
        Panel("change of volume (black = none, light = half)", heat(np.abs(change), 0.5)),
    ]
    if shown.uncertainty is not None:
        uncertainty = view.turned(in_plane(shown.uncertainty, view, shown.grid))
        caption = f"uncertainty (black = 0, light = {UNCERTAIN:.0f} mm and more)"
        found.append(Panel(caption, heat(uncertainty, UNCERTAIN)))
    return found


def in_plane(smooth: sitk.Image, view: View, grid: sitk.Image) -> np.ndarray:
    """A smooth volume, or vectors, on the voxels of a plane, as :meth:`View.slice_of` gives them.

    Args:
        smooth: on any grid.
        view: the plane.
        grid: a volume in the orientation LPS whose axial slices it cuts.
    """
    cut = [slice(None)] * 3
    cut[(1, 0, 2)[view.axis]] = slice(view.place, view.place + 1)  # rows are y, columns are x
    plane = np.moveaxis(sitk.GetArrayFromImage(onto(smooth, grid[tuple(cut)])), 0, 2)
    return plane.squeeze(view.axis)


def grid_lines(view: View, field: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Where planes of the moving volume, equally far apart along each axis, cross a plane.

    Displacements are interpolated between the voxels: else lines would be as thick as a slice.

    Args:
        view: the plane.
        field: total displacement in millimetres, LPS, on any grid.
        grid: a volume in the orientation LPS whose axial slices the plane cuts.

    Returns:
        bool, as large as the plane's pictures: on a line.
    """
    direction = np.reshape(grid.GetDirection(), (3, 3)).astype(np.float32)
    plane = view.upright(in_plane(field, view, grid) @ direction)  # along x, y, z of the grid
    places = [  # of the pixels' middles, mm from that of the first voxel
        starts + (view.pixel - size) / 2
        for starts, size in zip(view.starts(plane.shape[:2]), view.size, strict=True)
    ]
    voxels = np.meshgrid(*(p / s for p, s in zip(places, view.size, strict=True)), indexing="ij")
    if view.axis != 2:  # head up: the first row is the last slice
        places[0] = (plane.shape[0] - 1) * view.size[0] - places[0]
    found = np.zeros(voxels[0].shape, bool)
    for k, component in enumerate(((2, 0), (2, 1), (1, 0))[view.axis]):
        moved = np.expand_dims(places[k], 1 - k) + map_coordinates(
            plane[..., component], voxels, order=1, mode="nearest"
        )
        # rounded, so that a line right through the middles of pixels is drawn without gaps
        found |= moved.round(3) % view.lines < view.pixel
    return found


def histogram(lengths: np.ndarray) -> Panel:
    """Draw how often displacements of which length occur.

    Args:
        lengths: millimetres, any shape.
    """
    highest = max(1.0, float(np.ceil(np.percentile(lengths, 99.9))))
    counts, _ = np.histogram(lengths.clip(max=highest), bins=20, range=(0, highest))
    picture = Image.new("L", (440, 260), 255)
    draw = ImageDraw.Draw(picture)
    for k, count in enumerate(counts):
        top = 220 - 200 * count / max(1, counts.max())
        draw.rectangle((20 + 20 * k, top, 37 + 20 * k, 220), fill=70)
    for k in range(5):
        draw.text((15 + 100 * k, 230), f"{highest * k / 4:.1f}", fill=0)
    return Panel("displacements in the head: how many of which length (mm)", np.asarray(picture))
