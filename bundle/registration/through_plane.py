"""Keep the in-plane fields of neighbouring slices alike."""

from __future__ import annotations

import torch


def smooth_through_plane(ddf: torch.Tensor, head: torch.Tensor, sigma: float = 1.5) -> torch.Tensor:
    """Average the fields of neighbouring slices, each counted by how much of the head it shows.

    A slice that hardly shows anything has a field that is a guess: its neighbours decide.

    Args:
        ddf: (B, C, H, W, D), voxels, in-plane.
        head: (B, 1, H, W, D), not 0 in the head.
        sigma: width of the Gaussian in slices; 0 leaves the fields as they are.

    Returns:
        (B, C, H, W, D).
    """
    if sigma <= 0 or ddf.shape[-1] < 2:
        return ddf
    places = torch.arange(ddf.shape[-1], dtype=ddf.dtype, device=ddf.device)
    near = torch.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    content = (head > 0).to(ddf).mean(dim=(0, 1, 2, 3)) + 1e-3
    weights = near * content
    weights = weights / weights.sum(dim=1, keepdim=True)
    return ddf @ weights.T
