"""SSIM of the fused image to each source, and of any image to its reference."""

from __future__ import annotations

import torch
from monai.metrics.regression import SSIMMetric

from bundle.metrics.images import as_double


def ssim(image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """SSIM by MONAI (Wang et al., IEEE TIP 13(4), 2004): 11 x 11 Gaussian, sigma 1.5, no padding.

    MONAI computes in float32; windows that leave the frame are left out.

    Args:
        image: (B, 1, H, W), luma 0 to 255.
        reference: as ``image``.

    Returns:
        (B,), -1 to 1 (equal).

    Raises:
        ValueError: H or W is below 11.
    """
    image, reference = as_double(image=image, reference=reference)
    if min(image.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs at least 11 x 11 px, got {tuple(image.shape[-2:])}")
    metric = SSIMMetric(spatial_dims=2, data_range=255.0, win_size=11, kernel_sigma=1.5)
    return torch.as_tensor(metric(image, reference))[:, 0].double()


def structural_similarity(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Mean SSIM of the fused image to its two sources; see :func:`ssim`.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.
        fixed: as ``fused``.
        aligned: as ``fused``.

    Returns:
        ``SSIM_A`` (to fixed), ``SSIM_B`` (to aligned) and their mean ``SSIM``, (B,) each.
    """
    both = ssim(torch.cat([fused, fused]), torch.cat([fixed, aligned]))
    to_fixed, to_aligned = both.chunk(2)
    return {"SSIM": (to_fixed + to_aligned) / 2, "SSIM_A": to_fixed, "SSIM_B": to_aligned}
