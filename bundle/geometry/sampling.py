"""Values of a volume at points."""

from __future__ import annotations

import torch
from torch.nn import functional


def values_at(volume: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Sample a volume linearly; beyond its border it goes on.

    Torch samples a volume on one thread, and several beside each other: so the points are dealt
    out as if there were several.

    Args:
        volume: (1, C, H, W, D).
        places: (3, N), voxels, in the order of the axes; 0 is the middle of the first voxel.

    Returns:
        (C, N), differentiable in ``places``.
    """
    parts, count = torch.get_num_threads(), places.shape[1]
    size = places.new_tensor(volume.shape[2:]).view(3, 1)
    grid = ((2 * places + 1) / size - 1).flip(0).T
    grid = functional.pad(grid, (0, 0, 0, -count % parts)).view(parts, -1, 1, 1, 3)
    several = volume.expand(parts, *volume.shape[1:])
    found = functional.grid_sample(several, grid, padding_mode="border", align_corners=False)
    return found.transpose(0, 1).reshape(volume.shape[1], -1)[:, :count]
