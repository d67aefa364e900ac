"""Middle slices of volumes in three planes, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw

from bundle.results.describe import Shown
from bundle.results.page import Panel, grey, heat

LINES = 10.0
"""Millimetres between the lines of a deformation grid."""


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
        """The slice, head up, stretched to square pixels."""
        view = np.take(volume, self.place, axis=self.axis)
        if self.axis != 2:
            view = np.swapaxes(view, 0, 1)[::-1]
        step = min(self.size)
        rows = np.arange(0, view.shape[0], step / self.size[0]).astype(int)
        columns = np.arange(0, view.shape[1], step / self.size[1]).astype(int)
        return view[rows][:, columns]


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


def panels(view: View, shown: Shown, lines: np.ndarray) -> list[Panel]:
    """The pictures of a plane.

    Args:
        view: the plane.
        shown: the volumes.
        lines: see :func:`grid_lines`.
    """
    fixed = view.cut(shown.fixed)
    rows, columns = np.indices(fixed.shape) // 24
    board = np.where((rows + columns) % 2 == 0, fixed, view.cut(shown.warped))
    others = [axis for axis in range(3) if axis != view.axis]
    mesh = view.cut(np.asarray(lines[..., others].any(axis=-1)))
    found = [
        Panel("fused", grey(view.cut(shown.fused), 0.0, 1.0)),
        Panel("checkerboard of fixed and warped", grey(board, 0.0, 1.0)),
        Panel(
            f"deformation grid ({LINES:.0f} mm)",
            grey(np.where(mesh, 1.0, 0.5 * fixed), 0.0, 1.0),
        ),
        Panel(
            "change of volume (black = none, light = half)",
            heat(np.abs(view.cut(shown.jacobian) - 1), 0.5),
        ),
    ]
    if shown.uncertainty is not None:
        caption = "uncertainty (black = 0, light = 5 mm and more)"
        found.append(Panel(caption, heat(view.cut(shown.uncertainty), 5.0)))
    return found


def grid_lines(field: sitk.Image) -> np.ndarray:
    """Where planes of the moving volume, ``LINES`` apart along each axis, are found.

    Args:
        field: total displacement in millimetres, LPS.

    Returns:
        bool (H, W, D, 3) in axial slices: on a line across rows, columns and slices.
    """
    field = sitk.DICOMOrient(field, "LPS")
    direction = np.reshape(field.GetDirection(), (3, 3)).astype(np.float32)
    vectors = sitk.GetArrayFromImage(field) @ direction  # along x, y, z of the grid
    found = np.empty(vectors.shape, bool)
    for axis, step in enumerate(field.GetSpacing()):
        places = np.arange(field.GetSize()[axis], dtype=np.float32) * step
        places = places.reshape([-1 if 2 - axis == other else 1 for other in range(3)])
        found[..., axis] = (places + vectors[..., axis]) % LINES < max(step, 1.0)
    return np.moveaxis(found, 0, 2)[..., [1, 0, 2]]


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
