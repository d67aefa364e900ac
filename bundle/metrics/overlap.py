"""Dice of warped labels, where anatomy is known."""

from __future__ import annotations

import torch
from monai.metrics import DiceMetric


def label_dice(
    warped_labels: torch.Tensor, fixed_labels: torch.Tensor, num_classes: int
) -> torch.Tensor:
    """Dice coefficient of every class but the background (MONAI ``DiceMetric``).

    Args:
        warped_labels: (B, 1, spatial...), integer classes 0 (background) to ``num_classes`` - 1,
            warped with nearest neighbour.
        fixed_labels: as ``warped_labels``.
        num_classes: number of classes, background included.

    Returns:
        (B, num_classes - 1), 0 to 1; NaN where the fixed labels lack the class.
    """
    metric = DiceMetric(include_background=False, reduction="none", num_classes=num_classes)
    return torch.as_tensor(metric(warped_labels, fixed_labels))
