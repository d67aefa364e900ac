"""A pair of volumes that is aligned: what a misalignment is added to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from bundle.geometry.head import find_head


@dataclass(frozen=True)
class AlignedPair:
    """Two volumes that are aligned.

    Attributes:
        fixed: reference volume.
        moving: volume aligned with it.
        modality: of the moving volume, if it is known.
        labels: uint8 on the grid of both, 0 = background, if anatomy is known.
        landmarks: (K, 3) mm, LPS, if anatomy is known.
        where: uint8 on the fixed grid, 1 where errors count; None: the head.
        lacking: share of its height that the moving volume, once it is misaligned, does not show at
            the bottom: what is cut off before would leave an oblique border within its grid.
    """

    fixed: sitk.Image
    moving: sitk.Image
    modality: str | None = None
    labels: sitk.Image | None = None
    landmarks: np.ndarray | None = None
    where: sitk.Image | None = None
    lacking: float = 0.0

    @property
    def counted(self) -> sitk.Image:
        """uint8 on the fixed grid, 1 where errors count."""
        return find_head(self.fixed) if self.where is None else self.where
