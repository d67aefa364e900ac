"""What a registration looks at where masks leave regions out.

Left-out voxels do not count in the start, the guard and the measures. The network and the
optimiser need a value everywhere: theirs is continued from around (:mod:`bundle.geometry.fill`).
The start does without a mask that leaves out much of a head: what is left is not placed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError, Remark
from bundle.geometry.fill import filled
from bundle.geometry.head import find_head
from bundle.geometry.region import widened
from bundle.geometry.slices import to_slices
from bundle.images.pair import VolumePair

MOST, MUCH = 0.9, 0.25
"""Shares of a head: more cannot be left out, and from the second one on it is warned of: a
lesion or an implant is smaller, but not a brain that other tools want marked."""

AROUND, DARK = 15.0, 10.0
"""Air is what is further than this many mm from a head and darker than this percentile of it."""


@dataclass(frozen=True)
class Masked:
    """The volumes of a pair without what is left out.

    Attributes:
        image: float32 (2, H, W, D) in [0, 1], slices as displayed, left-out voxels filled.
        moving: the moving volume, left-out voxels filled.
        head: uint8 (1, H, W, D), the head without the voxels that either mask leaves out.
    """

    image: torch.Tensor
    moving: sitk.Image
    head: torch.Tensor


def has_masks(pair: VolumePair) -> bool:
    """Whether anything is left out."""
    return any(mask is not None for mask in pair.masks)


def without_masked(pair: VolumePair) -> tuple[sitk.Image, sitk.Image]:
    """Fixed and moving volume with what is left out filled from around."""
    fixed, moving = (
        volume.image if mask is None else filled(volume.image, _unknown(volume.image, mask))
        for volume, mask in zip((pair.fixed, pair.moving), pair.masks, strict=True)
    )
    return fixed, moving


def counted(head: torch.Tensor, pair: VolumePair, *to_moving: sitk.Transform) -> torch.Tensor:
    """The head without what the masks leave out.

    Args:
        head: uint8 (1, H, W, D), slices of the fixed volume in the pair's plane.
        pair: the volumes.
        *to_moving: fixed to moving points, mm, LPS; by each of them the moving volume's mask is
            brought onto the fixed grid.
    """
    fixed, moving = pair.masks
    found = head
    if fixed is not None:
        found = found * (to_slices(fixed, pair.plane) == 0)
    for transform in to_moving:
        if moving is not None:
            grid = pair.fixed.image
            there = sitk.Resample(moving, grid, transform, sitk.sitkNearestNeighbor, 0)
            found = found * (to_slices(there, pair.plane) == 0)
    return found


def shares_left_out(pair: VolumePair) -> tuple[float, float]:
    """Which shares of the fixed and the moving head the masks leave out.

    Raises:
        InputError: hardly anything is left of a head.
    """
    shares = [0.0, 0.0]
    for k, volume in enumerate((pair.fixed, pair.moving)):
        mask = pair.masks[k]
        if mask is None:
            continue
        head = sitk.GetArrayFromImage(find_head(volume.image)) > 0
        shares[k] = float((sitk.GetArrayViewFromImage(mask)[head] > 0).mean())
        if shares[k] > MOST:
            raise InputError(
                f"{volume.name}: its mask leaves out {100 * shares[k]:.1f} % of the head; mark "
                "what is to be left out, not what is to be used"
            )
    return shares[0], shares[1]


def seen_by_start(
    pair: VolumePair, shares: Sequence[float], without: tuple[sitk.Image, sitk.Image]
) -> tuple[sitk.Image, sitk.Image, sitk.Image | None]:
    """What the start is sought in: fixed and moving volume, and the fixed volume's mask.

    Args:
        pair: the volumes.
        shares: of the heads that the masks leave out; where it is much, the mask does not count.
        without: the volumes without what is left out.
    """
    volumes = zip((pair.fixed, pair.moving), without, shares, strict=True)
    fixed, moving = (one.image if share > MUCH else other for one, other, share in volumes)
    return fixed, moving, None if shares[0] > MUCH else pair.masks[0]


def remarks_left_out(pair: VolumePair, shares: Sequence[float]) -> Iterator[Remark]:
    """How much of each head its mask leaves out, as it is to be told."""
    for side, mask, share in zip(("fixed", "moving"), pair.masks, shares, strict=True):
        if mask is None:
            continue
        text = f"leaves out {100 * share:.1f} % of the head"
        if share > MUCH:
            text = (
                f"{text}, and the start does not use it: does it mark what is to be left out, not "
                "what is to be used?"
            )
        yield Remark("masked", f"{side} mask: {text}", warning=share > MUCH)


def _unknown(volume: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """What is filled of a mask: not the air far from the head, into which the head would go on."""
    head = find_head(volume)
    inside = sitk.GetArrayViewFromImage(volume)[sitk.GetArrayViewFromImage(head) > 0]
    dark = volume < float(np.percentile(inside, DARK))
    return (mask != 0) * (1 - dark * (widened(head, AROUND) == 0))
