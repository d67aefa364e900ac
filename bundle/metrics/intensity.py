"""MAE and NCC between the warped and the aligned moving image."""

from __future__ import annotations

import torch

from bundle.metrics.images import as_double


def intensity(warped: torch.Tensor, aligned: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean absolute error and normalised cross-correlation (Pearson's r) over the whole frame.

    Args:
        warped: (B, 1, H, W), luma 0 to 255.
        aligned: as ``warped``.

    Returns:
        ``MAE`` (B,), grey levels, and ``NCC`` (B,), -1 to 1; the NCC of a constant image is 0.
    """
    warped, aligned = as_double(warped=warped, aligned=aligned)
    mae = (warped - aligned).abs().mean(dim=(1, 2, 3))
    first, second = (image - image.mean(dim=(2, 3), keepdim=True) for image in (warped, aligned))
    energy = (first**2).sum(dim=(1, 2, 3)) * (second**2).sum(dim=(1, 2, 3))
    shared = (first * second).sum(dim=(1, 2, 3))
    ncc = torch.where(energy > 0, shared / energy.clamp(min=1e-12).sqrt(), 0.0)
    return {"MAE": mae, "NCC": ncc}
