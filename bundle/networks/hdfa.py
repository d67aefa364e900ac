"""Hierarchical Deformation Field Alignment (Eq. 2)."""

from __future__ import annotations

import torch
from torch import nn

from bundle.geometry.warp import warp_tokens


class HDFA(nn.Module):
    """Pull the moving features of one scale back by every field of that scale."""

    def forward(self, moving: torch.Tensor, flows: list[torch.Tensor]) -> torch.Tensor:
        """Align.

        Args:
            moving: F_B of this scale, (B, C, H, W).
            flows: flow_i and flow_{11-i} (or the one there is), each (B, 2, H, W) in tokens,
                ij, pull-back.

        Returns:
            (B, len(flows) * C, H, W), float32.
        """
        return torch.cat([warp_tokens(moving, flow) for flow in flows], dim=1)
