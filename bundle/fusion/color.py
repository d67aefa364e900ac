"""The fused volume in colours: its luminance, with the hue of the warped moving volume."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import DEFAULT_COLORMAP, Modality
from bundle.fusion.fusion import FusedVolumes
from bundle.fusion.recolor import recolor
from bundle.images.display import displayed

OPAQUE = 0.7
"""Share of the colour where activity over the fixed image is brightest."""


def colormap_of(modality: str | None, chosen: str | None = None) -> str:
    """The colour map of a moving volume: the one that was chosen, or its modality's."""
    return chosen or (Modality[modality].colormap if modality else DEFAULT_COLORMAP)


def color_table(name: str) -> np.ndarray:
    """A colour map in 256 steps.

    Args:
        name: one of matplotlib's.

    Returns:
        uint8 (256, 3), RGB.
    """
    import matplotlib  # slow to load, and only wanted here

    colors = matplotlib.colormaps[name](np.linspace(0, 1, 256), bytes=True)
    return colors[:, :3]


def colored_over(fixed: np.ndarray, activity: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Activity in colours over the fixed image, the more opaque, the brighter it is.

    Args:
        fixed: any shape, in [0, 1].
        activity: likewise.
        table: of :func:`color_table`.

    Returns:
        RGB in one more axis, 0 to 255.
    """
    share = OPAQUE * activity[..., None]
    colors = table[np.round(255 * activity).astype(int)].astype(np.float64)
    mixed: np.ndarray = (1 - share) * 255 * fixed[..., None] + share * colors
    return mixed


def color_slices(fused: np.ndarray, shown: Iterable[np.ndarray], table: np.ndarray) -> np.ndarray:
    """Colour slices; see :func:`bundle.fusion.recolor`.

    Args:
        fused: (D, H, W) in [0, 1].
        shown: D times (H, W) in [0, 1], the warped moving volume as displayed.
        table: of :func:`color_table`.

    Returns:
        uint8 (D, H, W, 3) RGB, whose full-range BT.601 luminance is that of ``fused`` but for the
        rounding of the channels.
    """
    found = np.empty((*fused.shape, 3), np.uint8)
    for k, (luminance, values) in enumerate(zip(fused, shown, strict=True)):
        steps = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
        colored = torch.from_numpy(table[steps].astype(np.float32)).movedim(-1, 0)
        grey = torch.from_numpy(255 * np.clip(luminance, 0, 1).astype(np.float32))[None]
        found[k] = recolor(grey, colored).round().clamp(0, 255).movedim(0, -1).numpy()
    return found


def color_volume(fused: FusedVolumes, name: str) -> sitk.Image:
    """The fused volume in colours.

    Args:
        fused: the pair.
        name: of a colour map, for the warped volume as displayed.

    Returns:
        RGB, a vector of 3 uint8, on the fixed volume's grid.
    """
    registration = fused.registration
    window = registration.initial.windows[1]
    shown = (
        displayed(torch.from_numpy(part.astype(np.float32)), window).numpy()
        for part in sitk.GetArrayViewFromImage(registration.warped)
    )
    colors = color_slices(sitk.GetArrayViewFromImage(fused.fused), shown, color_table(name))
    volume = sitk.GetImageFromArray(colors, isVector=True)
    volume.CopyInformation(fused.fused)
    return volume
