"""Fusion loss: structure, information and edges of both sources, the brighter value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.losses.edges import edge_loss, sobel
from bundle.losses.information import information_loss
from bundle.losses.structure import structure_loss
from bundle.metrics.constant import constant


class FusionLoss(nn.Module):
    """SSIM to both sources, L1 to their maximum, L1 to the stronger signed gradient; two more.

    The moving source is the ALIGNED picture: aiming at the network's own warped one would
    teach ghosts. Signed gradients, because unsigned ones permit flips. The paper has the first
    three terms. They leave a fused picture that a mere blend of the sources equals; what it
    keeps of their information and edges is therefore asked for directly. Both are differentiable
    forms of measures that fusion is judged by (VIF and Q), so those two favour this loss.

    Args:
        ssim_weight: weight of 1 - SSIM, averaged over the sources.
        information_weight: weight of - log VIF, averaged over the sources.
        fixed_share: share of the fixed source in both averages, one or one per modality: more keeps
            the MRI's texture, less what the moving picture shows.
        edge_weight: weight of 1 - Q.
        intensity_weight: weight of L1 to the maximum; too small, and bone is left out where the MRI
            has texture.
        gradient_weight: weight of L1 to the gradient of larger magnitude.
    """

    def __init__(
        self,
        ssim_weight: float = 1.0,
        information_weight: float = 0.4,
        fixed_share: float | Mapping[str, float] = 0.5,
        edge_weight: float = 1.0,
        intensity_weight: float = 5.0,
        gradient_weight: float = 1.5,
    ) -> None:
        super().__init__()
        self.ssim_weight = ssim_weight
        self.information_weight = information_weight
        self.fixed_share = fixed_share
        self.edge_weight = edge_weight
        self.intensity_weight = intensity_weight
        self.gradient_weight = gradient_weight

    def forward(
        self,
        fused: torch.Tensor,
        fixed: torch.Tensor,
        aligned: torch.Tensor,
        modalities: Sequence[str] | torch.Tensor = (),
    ) -> dict[str, torch.Tensor]:
        """Compute the terms, weighted; one of weight 0 is left out.

        Args:
            fused: (B, 1, H, W), scale 0 to 1.
            fixed: (B, 1, H, W).
            aligned: (B, 1, H, W), luminance of the aligned moving picture.
            modalities: of the moving pictures, B names or (B,) places in ``MODALITIES``; needed
                where shares differ.

        Returns:
            ``fusion_ssim``, ``fusion_information``, ``fusion_edges``, ``fusion_intensity`` and
            ``fusion_gradient``, scalars.

        Raises:
            InputError: a modality has no share.
            ValueError: H or W is below 17 and information is asked for.
        """
        share = self._shares(fused, modalities)
        structure = structure_loss(fused, torch.cat([fixed, aligned], dim=1))
        terms = {"fusion_ssim": self.ssim_weight * (share * structure).sum(dim=1).mean()}
        if self.information_weight > 0:
            lost = (share * information_loss(fused, fixed, aligned)).sum(dim=1).mean()
            terms["fusion_information"] = self.information_weight * lost
        if self.edge_weight > 0:
            terms["fusion_edges"] = self.edge_weight * edge_loss(fused, fixed, aligned).mean()
        brighter = functional.l1_loss(fused, torch.maximum(fixed, aligned))
        gradient = functional.l1_loss(sobel(fused), _stronger(sobel(fixed), sobel(aligned)))
        terms["fusion_intensity"] = self.intensity_weight * brighter
        terms["fusion_gradient"] = self.gradient_weight * gradient
        return terms

    def _shares(
        self, fused: torch.Tensor, modalities: Sequence[str] | torch.Tensor
    ) -> torch.Tensor:
        """Shares of fixed and aligned, (B, 2) or (1, 2)."""
        given = self.fixed_share
        if isinstance(given, Mapping):
            names = MODALITIES if isinstance(modalities, torch.Tensor) else modalities
            unknown = set(names) - set(given)
            if unknown:
                raise InputError(
                    f"fixed_share: has none for {sorted(unknown)[0]}; add one, or give a single "
                    "number: --loss#fusion#fixed_share 0.5"
                )
            shares = tuple(given[name] for name in names)
            share = constant(shares, fused.device, fused.dtype)[:, None]
            if isinstance(modalities, torch.Tensor):
                share = share[modalities]
        else:
            share = fused.new_full((1, 1), given)
        return torch.cat([share, 1 - share], dim=1)


def _stronger(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Pixel by pixel the gradient (B, 2, H, W) of larger magnitude."""
    larger = first.norm(dim=1, keepdim=True) > second.norm(dim=1, keepdim=True)
    return torch.where(larger, first, second)
