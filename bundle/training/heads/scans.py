"""Painted heads as scans that show a part of them, or that have thick slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from bundle.training.heads.volumes import HeadPair

WHOLE, SLAB, THICK = "whole", "slab", "thick"
SCANS = (WHOLE, SLAB, THICK)
"""The whole head in thin slices, a slab of it, the whole head in thick slices."""

_HEIGHT = (32.0, 64.0)
"""Height of a slab in mm, from and to."""

_THICKNESS = (4.0, 7.0)
"""Thickness of thick slices in mm, from and to; whole slices of the painted volume form one."""


def as_scan(pair: HeadPair, scan: str, seed: int) -> HeadPair:
    """Both volumes as a scan would show them.

    Args:
        pair: of a whole head; its slices lie along z.
        scan: one of :data:`SCANS`. Both volumes have the same slab, at any height of the brain;
            thick slices are means of thin ones, in each volume by itself.
        seed: of the height and the thickness.
    """
    random = np.random.default_rng((seed, 3))
    if scan == SLAB:
        return _slab(pair, random)
    if scan == THICK:
        return _thick(pair, random)
    return pair


def _slab(pair: HeadPair, random: np.random.Generator) -> HeadPair:
    shown = np.flatnonzero(sitk.GetArrayViewFromImage(pair.brain).any(axis=(1, 2)))
    lowest, highest = (_height(pair.brain, int(k)) for k in (shown[0], shown[-1]))
    height = min(random.uniform(*_HEIGHT), highest - lowest)
    bottom = random.uniform(lowest, highest - height)
    fixed, moving, brain = (
        _between(volume, bottom, bottom + height)
        for volume in (pair.fixed, pair.moving, pair.brain)
    )
    return replace(pair, fixed=fixed, moving=moving, brain=brain)


def _between(volume: sitk.Image, bottom: float, top: float) -> sitk.Image:
    """The slices whose middles lie between two heights in mm."""
    heights = np.array([_height(volume, k) for k in range(volume.GetDepth())])
    chosen = np.flatnonzero((heights >= bottom) & (heights <= top))
    return volume[:, :, int(chosen[0]) : int(chosen[-1]) + 1]


def _height(volume: sitk.Image, k: int) -> float:
    """Of a slice, mm along z of LPS."""
    return volume.TransformIndexToPhysicalPoint((0, 0, k))[2]


def _thick(pair: HeadPair, random: np.random.Generator) -> HeadPair:
    thin = (pair.fixed, pair.moving)
    fixed, moving = (_in_thick_slices(one, random.uniform(*_THICKNESS)) for one in thin)
    brain = sitk.Resample(pair.brain, fixed, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return replace(pair, fixed=fixed, moving=moving, brain=brain)


def _in_thick_slices(volume: sitk.Image, thickness: float) -> sitk.Image:
    """Means of as many slices as come next to a thickness in mm."""
    return sitk.BinShrink(volume, [1, 1, max(1, round(thickness / volume.GetSpacing()[2]))])
