"""Fields on token grids brought to the voxels of the picture, and back."""

from __future__ import annotations

import torch
from torch.nn import functional

from bundle.networks.spline import spline_upsample


def full_size(field: torch.Tensor, padded: torch.Tensor) -> torch.Tensor:
    """A field in tokens, (B, 2, h, w), as voxels at the size of ``padded``; float32."""
    scaled = field * (padded.shape[-1] / field.shape[-1])
    return spline_upsample(scaled, padded.shape[-2], padded.shape[-1])


def in_tokens(ddf: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """A field in voxels, (B, 2, H, W), averaged on the grid of tokens (B, C, h, w), in tokens."""
    stride = ddf.shape[-1] // tokens.shape[-1]
    return functional.avg_pool2d(ddf, stride) / stride if stride > 1 else ddf


def field_outputs(
    image: torch.Tensor,
    padded: torch.Tensor,
    rounds: list[torch.Tensor],
    flows: list[torch.Tensor],
    found: list[torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Fields at full size and cropped to the image.

    Args:
        image: (B, C, H, W), gives the size.
        padded: the same padded, as the network saw it.
        rounds: the ddf before the first and after each round of refinement, in tokens.
        flows: the fields of both pathways, in tokens of their scales.
        found: what the window of each scale says, in tokens of their scales.

    Returns:
        see :meth:`bundle.networks.BiMSRec.all_fields`.
    """
    outputs = {"ddf": full_size(rounds[-1], padded)}
    named = {"flows": flows, "matches": found, "rounds": rounds[:-1]}
    for name, fields in named.items():
        if len(fields) > 0:
            outputs[name] = torch.stack([full_size(field, padded) for field in fields], dim=1)
    return {
        name: field[..., : image.shape[-2], : image.shape[-1]] for name, field in outputs.items()
    }
