"""Linear interpolation along one axis as a matrix."""

from __future__ import annotations

import torch


def interpolation(places: torch.Tensor, count: int) -> torch.Tensor:
    """Weights of linear interpolation between the middles of cells.

    Args:
        places: (N,), 0 at the outer edge of the first cell and 1 at that of the last; what lies
            beyond the outermost middles takes their values.
        count: number of cells.

    Returns:
        (N, count), float32; each row sums to 1.
    """
    position = (places * count - 0.5).clamp(0, count - 1)[:, None]
    cells = torch.arange(count, device=places.device)
    return (1 - (position - cells).abs()).clamp(min=0)
