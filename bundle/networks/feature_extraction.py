"""Feature extraction of one image at full resolution (paper, section 2.2)."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from bundle.networks.restormer import RestormerBlock


class FeatureExtraction(nn.Module):
    """Restormer features of a single-channel image: 1 -> C channels, same size.

    Args:
        channels: C, 16 in the paper.
        num_blocks: Restormer blocks after the 3 x 3 embedding.
        num_heads: heads of the transposed attention.
        expansion: channel expansion of the gated feed-forward part.
    """

    def __init__(
        self, channels: int = 16, num_blocks: int = 1, num_heads: int = 2, expansion: float = 1.5
    ) -> None:
        super().__init__()
        # Restormer's overlapping patch embedding; MONAI's class for it cannot be scripted.
        self.embed = Convolution(2, 1, channels, kernel_size=3, conv_only=True)
        self.edges = Convolution(2, 1, channels, kernel_size=3, bias=False, conv_only=True)
        with torch.no_grad():  # derivatives, so that their magnitude ignores the contrast's sign
            for kernels in self.edges.parameters():
                kernels.sub_(kernels.mean(dim=(1, 2, 3), keepdim=True))
        self.blocks = nn.Sequential(
            *(RestormerBlock(channels, num_heads, expansion) for _ in range(num_blocks))
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Extract features.

        Args:
            image: (B, 1, H, W) in [0, 1].

        Returns:
            (B, C, H, W).
        """
        edges = 4.0 * self.edges(image).abs()
        return self.blocks(self.embed(image) + edges)
