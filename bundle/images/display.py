"""What the network sees of a pair: luminance, windowed, as a dictionary transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.transforms import Transform

from bundle.errors import InputError
from bundle.images.color import luma

CT_WINDOW = (-20.0, 150.0)
UNUSED = (
    "moving volume: ct_window is not used, since there is no air of -1000 HU in it: it is shown "
    "by percentiles"
)

HOUNSFIELD = -200.0
AIR = 0.05
"""A volume with this share of its voxels below ``HOUNSFIELD`` holds Hounsfield units: air is -1000.

Other scales start at 0; an MRI that was resampled by splines dips below it at few voxels.
"""


class NormalizePaird(Transform):
    """Make the network's input ``image``: fixed and moving luminance in [0, 1].

    Args:
        ct_window: lower and upper Hounsfield units shown as 0 and 1 in CT volumes.
        percentiles: of the voxels in the head (above the minimum where no head is known), shown
            as 0 and 1 in all others.
    """

    def __init__(
        self,
        ct_window: Sequence[float] = CT_WINDOW,
        percentiles: Sequence[float] = (0.5, 99.5),
    ) -> None:
        if not ct_window[0] < ct_window[1]:
            raise InputError(f"ct_window: {list(ct_window)} is empty; give [lower, upper] in HU")
        self.ct_window = ct_window
        self.percentiles = percentiles

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Normalise one record: adds ``image``, float32 (2, H, W[, D])."""
        images = data["fixed_image"], data["moving_image"]
        units = data.get("hounsfield", [is_hounsfield(image) for image in images])
        channels = [self._channel(*one, data) for one in zip(images, units, strict=True)]
        asked = tuple(self.ct_window) != CT_WINDOW and data.get("modality") == "CT"
        if asked and "notes" in data and not any(units):
            notes = [*filter(None, [data["notes"]]), UNUSED]
            data = {**data, "notes": "\n".join(notes)}
        return {**data, "image": torch.cat(channels).clamp(0, 1).float()}

    def _channel(self, image: torch.Tensor, hounsfield: bool, data: dict[str, Any]) -> torch.Tensor:
        if image.ndim == 3:
            return luma(image) / 255
        windowed = hounsfield and data.get("modality", "CT") == "CT"
        lower, upper = self.ct_window if windowed else self._limits(image, data.get("head"))
        return (image - lower) / (upper - lower)

    def _limits(self, image: torch.Tensor, head: torch.Tensor | None) -> tuple[float, float]:
        """Percentiles; of a volume with hardly any distinct values, the extremes."""
        counted = image > image.min()
        if head is not None and (counted & (head > 0)).any():
            counted &= head > 0
        inside = image[counted].sort().values
        ranks = [round(p / 100 * (len(inside) - 1)) for p in self.percentiles]
        lower, upper = inside[ranks[0]].item(), inside[ranks[1]].item()
        return (lower, upper) if lower < upper else (image.min().item(), image.max().item())


def is_hounsfield(values: torch.Tensor) -> bool:
    """Tell from a volume's values whether they are Hounsfield units."""
    return bool((values < HOUNSFIELD).double().mean() >= AIR)
