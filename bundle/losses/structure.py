"""How much of each source's structure the fused picture lacks."""

from __future__ import annotations

import torch

from bundle.metrics.windows import gaussian_window, window_mean

LUMINANCE, CONTRAST = 0.01**2, 0.03**2  # stability constants of a scale 0 to 1


def structure_loss(
    fused: torch.Tensor, sources: torch.Tensor, size: int = 11, data_range: float = 1.0
) -> torch.Tensor:
    """1 - SSIM (Wang et al., IEEE TIP 13(4), 2004) to each source, in float32.

    What MONAI's ``SSIMLoss`` says, for several sources at once and without a window that is sent
    to the GPU in every step.

    Args:
        fused: (B, 1, H, W), compared with every source, or (B, S, H, W).
        sources: (B, S, H, W).
        size: side of the window in pixels.
        data_range: of the values.

    Returns:
        (B, S), 0 for a copy.

    Raises:
        ValueError: H or W is below ``size``.
    """
    fused, sources = fused.float(), sources.float()
    window = gaussian_window(size, 1.5)
    mean, means = window_mean(fused, window), window_mean(sources, window)
    variance = window_mean(fused * fused, window) - mean * mean
    variances = window_mean(sources * sources, window) - means * means
    covariance = window_mean(fused * sources, window) - mean * means
    first, second = LUMINANCE * data_range**2, CONTRAST * data_range**2
    luminance = (2 * mean * means + first) / (mean * mean + means * means + first)
    contrast = (2 * covariance + second) / (variance + variances + second)
    return 1 - (luminance * contrast).mean(dim=(2, 3))
