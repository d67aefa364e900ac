"""SD: the contrast of the fused image."""

from __future__ import annotations

import torch

from bundle.metrics.images import as_double


def standard_deviation(fused: torch.Tensor) -> dict[str, torch.Tensor]:
    """Population standard deviation over the whole frame, as ``numpy.std``.

    Args:
        fused: (B, 1, H, W), luma 0 to 255.

    Returns:
        ``SD`` (B,), grey levels, 0 (constant) to 127.5.
    """
    (fused,) = as_double(fused=fused)
    return {"SD": fused.std(dim=(1, 2, 3), correction=0)}
