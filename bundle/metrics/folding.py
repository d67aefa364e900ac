"""Folding: where a field turns the image inside out."""

from __future__ import annotations

import torch

from bundle.geometry.jacobian import jacobian_determinant


def folding(ddf: torch.Tensor) -> dict[str, torch.Tensor]:
    """Share of pixels whose Jacobian determinant is not positive, and the smallest determinant.

    Args:
        ddf: as for :func:`jacobian_determinant`.

    Returns:
        ``folding`` (B,), 0 to 1, and ``min_jacobian`` (B,).
    """
    determinant = jacobian_determinant(ddf).flatten(start_dim=1)
    share = (determinant <= 0).double().mean(dim=1)
    return {"folding": share, "min_jacobian": determinant.amin(dim=1)}
