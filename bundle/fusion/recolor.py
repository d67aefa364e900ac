"""Give a fused luminance the colours of the moving image."""

from __future__ import annotations

import torch

from bundle.images.color import rgb_to_ycbcr, ycbcr_to_rgb


def recolor(luminance: torch.Tensor, colored: torch.Tensor) -> torch.Tensor:
    """Join a luminance with the chrominance of a colour image.

    Where the two together leave the RGB cube, the chrominance is drawn towards grey just as far
    as needed: clipping the channels instead would change the luminance, which is the result.

    Args:
        luminance: (1, H, W), 0 to 255.
        colored: (3, H, W) RGB, 0 to 255; its own luminance is not used.

    Returns:
        (3, H, W) RGB in [0, 255] whose luminance is ``luminance``.
    """
    chroma = rgb_to_ycbcr(colored)
    chroma[0] = 0
    offset = ycbcr_to_rgb(chroma)  # what the colour adds to grey, channel by channel
    room = torch.where(offset > 0, 255 - luminance, luminance)
    reach = torch.where(offset == 0, torch.ones_like(offset), room / offset.abs())
    return luminance + offset * reach.amin(0, keepdim=True).clamp(0, 1)
