"""Make a stack of DICOM slices a regular grid: tilted gantry, uneven spacing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import shift

from bundle.errors import InputError, Remark

UNEVEN = 0.02
"""Largest deviation of a slice's distance from the median one, as a share, that is let pass."""

SINGLE = 2
"""So many uneven distances are of one slice in a wrong place: nobody scans so."""

MISSING = 0.8
"""From this deviation on a slice is missing, which nothing can replace."""

SIDEWAYS = 0.5
"""Largest distance in mm of a slice from where the others have it in plane that is let pass."""

ASTRAY = 10.0
"""Millimetres from which on a slice beside the others is a wrong header, no jump of a table."""

TILT = 0.5
"""Largest angle in degrees between the stack of slices and their normal that is let pass."""


def regular_volume(
    volume: sitk.Image, places: np.ndarray | None, folder: Path
) -> tuple[sitk.Image, tuple[Remark, ...]]:
    """Resample a series whose slices do not lie on a regular grid.

    Args:
        volume: the slices, stacked in the order of ``places``.
        places: centre of each slice's first pixel, (n, 3) mm LPS; None: nothing to check.
        folder: named in errors.

    Returns:
        the volume on a regular grid along the slices' normal, linearly interpolated; and a remark
        of what was wrong, none if nothing was (the volume is then unchanged).

    Raises:
        InputError: a slice is missing, or two lie at one position.
    """
    if places is None or len(places) != volume.GetSize()[2]:
        return volume, ()
    direction = np.reshape(volume.GetDirection(), (3, 3))
    shifts = (places - places[0]) @ direction  # along rows, columns and normal
    steps = np.diff(shifts[:, 2])
    step = float(np.median(steps))
    uneven = np.abs(steps - step) / max(abs(step), 1e-6)
    if uneven.max() > MISSING or step == 0:
        worst = int(uneven.argmax())
        raise InputError(
            f"{folder}: the distance after slice {worst + 1} is {abs(steps[worst]):.2f} mm, "
            f"elsewhere {abs(step):.2f} mm; a slice is missing or there twice: export the series "
            "again"
        )
    across = float(np.hypot(*shifts[-1, :2]))
    tilt = float(np.degrees(np.arctan2(across, abs(shifts[-1, 2]))))
    straight = np.linspace(0.0, 1.0, len(shifts))[:, None] * shifts[-1]
    away = np.abs(shifts - straight)
    aside = float(away[:, :2].max())
    if aside > ASTRAY:
        raise InputError(
            f"{folder}: slice {int(away[:, :2].max(axis=1).argmax()) + 1} is shifted by "
            f"{aside:.0f} mm against the others (ImagePositionPatient); export the series again"
        )
    found = []
    if tilt > TILT:
        found.append(f"the gantry was tilted by {tilt:.1f} degrees")
    if aside > SIDEWAYS:
        found.append(f"slices are shifted by up to {aside:.1f} mm")
    if max(uneven.max(), away[:, 2].max() / abs(step)) > UNEVEN:
        least, most = np.abs(steps).min(), np.abs(steps).max()
        found.append(f"the slices are {least:.2f} to {most:.2f} mm apart")
    if not found:
        return volume, ()
    width = np.array(volume.GetSize()[:2]) * volume.GetSpacing()[:2]
    if (np.ptp(shifts[:, :2], axis=0) > width).any():
        raise InputError(
            f"{folder}: its slices are shifted by up to "
            f"{np.ptp(shifts[:, :2], axis=0).max():.0f} mm, more than they are wide; "
            "export the series again"
        )
    single = 0 < int((uneven > UNEVEN).sum()) <= SINGLE < len(steps) / 2
    text = f"{' and '.join(found)}: resampled to a regular grid"
    return _resampled(volume, shifts, direction), (
        Remark("resampled", text, warning=single or aside > SIDEWAYS),
    )


def _resampled(volume: sitk.Image, shifts: np.ndarray, direction: np.ndarray) -> sitk.Image:
    values = sitk.GetArrayFromImage(volume)
    lowest = values.min()
    spacing = np.array(volume.GetSpacing()[:2])
    pixels = shifts[:, :2] / spacing
    first, last = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
    wider = (last - first).astype(int)  # columns, rows
    room = np.pad(values, [(0, 0), (0, wider[1]), (0, wider[0])], constant_values=lowest)
    moved = (pixels - first)[:, ::-1]
    upright = np.stack(
        [shift(s, m, order=1, cval=lowest) for s, m in zip(room, moved, strict=True)]
    )
    step = float(np.median(np.diff(shifts[:, 2])))
    count = round(shifts[-1, 2] / step) + 1
    wanted = np.arange(count) * step
    position = np.interp(np.abs(wanted), np.abs(shifts[:, 2]), np.arange(len(shifts)))
    below = np.minimum(position.astype(int), len(shifts) - 2)
    share = (position - below)[:, None, None]
    result = sitk.GetImageFromArray((1 - share) * upright[below] + share * upright[below + 1])
    result.SetSpacing((*spacing, abs(step)))
    if step < 0:
        direction = direction * [1, 1, -1]
    result.SetDirection(direction.ravel())
    result.SetOrigin(np.array(volume.GetOrigin()) + direction[:, :2] @ (first * spacing))
    return result
