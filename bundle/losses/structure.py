"""How much of each source's structure the fused picture lacks."""

from __future__ import annotations

import torch

from bundle.metrics.windows import gaussian_window, window_mean

WINDOW = gaussian_window(11, 1.5)
LUMINANCE, CONTRAST = 0.01**2, 0.03**2  # stability constants of a scale 0 to 1


def structure_loss(fused: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """1 - SSIM (Wang et al., IEEE TIP 13(4), 2004) to each source, in float32.

    What MONAI's ``SSIMLoss`` says, for several sources at once and without a window that is sent
    to the GPU in every step.

    Args:
        fused: (B, 1, H, W), scale 0 to 1.
        sources: (B, S, H, W).

    Returns:
        (B, S), 0 for a copy.

    Raises:
        ValueError: H or W is below 11.
    """
    fused, sources = fused.float(), sources.float()
    mean, means = window_mean(fused, WINDOW), window_mean(sources, WINDOW)
    variance = window_mean(fused * fused, WINDOW) - mean * mean
    variances = window_mean(sources * sources, WINDOW) - means * means
    covariance = window_mean(fused * sources, WINDOW) - mean * means
    luminance = (2 * mean * means + LUMINANCE) / (mean * mean + means * means + LUMINANCE)
    contrast = (2 * covariance + CONTRAST) / (variance + variances + CONTRAST)
    return 1 - (luminance * contrast).mean(dim=(2, 3))
