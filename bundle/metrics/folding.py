"""Folding: where a field turns the image inside out."""

from __future__ import annotations

import torch
from monai.utils import convert_to_tensor

from bundle.metrics.per_image import PerImageMetric


def jacobian_determinant(ddf: torch.Tensor) -> torch.Tensor:
    """Determinant of the Jacobian of x + ddf(x): central differences, one-sided at the border.

    Args:
        ddf: (B, 2, H, W), channel 0 along rows, channel 1 along columns, voxels.

    Returns:
        (B, H, W), float64; 1 without displacement, 0 or less where the mapping folds.
    """
    ddf = convert_to_tensor(ddf, dtype=torch.float64, track_meta=False)
    i_by_i, i_by_j = torch.gradient(ddf[:, 0], dim=(1, 2))
    j_by_i, j_by_j = torch.gradient(ddf[:, 1], dim=(1, 2))
    return (1 + i_by_i) * (1 + j_by_j) - i_by_j * j_by_i


def folding(ddf: torch.Tensor) -> dict[str, torch.Tensor]:
    """Share of pixels whose Jacobian determinant is not positive, and the smallest determinant.

    Args:
        ddf: as for :func:`jacobian_determinant`.

    Returns:
        ``folding`` (B,), 0 to 1, and ``min_jacobian`` (B,).
    """
    determinant = jacobian_determinant(ddf).flatten(start_dim=1)
    share = (determinant <= 0).double().mean(dim=1)
    return {"folding": share, "min_jacobian": determinant.amin(dim=1)}


class FoldingMetric(PerImageMetric):
    """:func:`folding` of ``y_pred`` = ddf; ``y`` is ignored."""

    terms = ("folding", "min_jacobian")

    def measure(self, y_pred: torch.Tensor, y: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """See :meth:`PerImageMetric.measure`."""
        return folding(y_pred)
