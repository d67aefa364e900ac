"""MONAI's own networks as registration baselines, with the interface of BiMSRec."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets import BasicUNet, LocalNet, RegUNet
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import warp_tokens
from bundle.networks.layers import pad_to_multiple

DEEPEST = 16  # all three halve the picture four times


def _localnet() -> nn.Module:
    levels: Any = (0, 1, 2, 3, 4)  # MONAI declares one level only
    return LocalNet(2, 2, 32, extract_levels=levels, out_channels=2)


def _regunet() -> nn.Module:
    return RegUNet(2, 2, 32, depth=4, out_channels=2)


def _unet() -> nn.Module:
    return BasicUNet(2, 2, 2, features=(32, 32, 64, 128, 256, 32))


ARCHITECTURES = {"LocalNet": _localnet, "RegUNet": _regunet, "BasicUNet": _unet}


class MonaiRegistration(nn.Module):
    """A network of MONAI on both pictures as channels, whose output is the ddf.

    Trains and is evaluated by the bundle's own configurations; the fusion is the maximum.

    Args:
        architecture: "LocalNet", "RegUNet" or "BasicUNet".
        reduction: as for :class:`bundle.networks.BiMSRec`: registration sees the picture averaged
            by 4 / reduction, so that weights trained at 64 px serve at 256 px.
        stage: for the configurations; there is nothing but registration.

    Raises:
        ValueError: no such architecture or reduction.
    """

    def __init__(
        self, architecture: str = "LocalNet", reduction: int = 1, stage: str = "registration"
    ) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES or reduction not in (1, 2, 4):
            raise ValueError(
                f"architecture must be one of {', '.join(ARCHITECTURES)} and reduction 1, 2 or 4, "
                f"got {architecture!r} and {reduction!r}"
            )
        self.pool = 4 // reduction
        self.multiple = DEEPEST * self.pool
        self.net = ARCHITECTURES[architecture]()

    def register(self, image: torch.Tensor) -> torch.Tensor:
        """Register.

        Args:
            image: (B, 2, H, W) in [0, 1].

        Returns:
            ddf (B, 2, H, W), float32, voxels, ij, pull-back.
        """
        padded = pad_to_multiple(image, self.multiple)
        ddf = self.net(functional.avg_pool2d(padded, self.pool)).float()
        if self.pool > 1:
            size = padded.shape[-2:]
            ddf = self.pool * functional.interpolate(ddf, size, mode="bicubic")
        return ddf[..., : image.shape[-2], : image.shape[-1]]

    def all_fields(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """``ddf`` (B, 2, H, W) and, the same again, ``flows`` (B, 1, 2, H, W)."""
        ddf = self.register(image)
        return {"ddf": ddf, "flows": ddf[:, None]}

    def forward(self, image: torch.Tensor) -> Any:
        """In training :meth:`all_fields`; in eval mode (B, 3, H, W): maximum, ddf_i, ddf_j."""
        outputs = self.all_fields(image)
        if self.training:
            return outputs
        warped = warp_tokens(image[:, 1:], outputs["ddf"], padding_mode="zeros")
        return torch.cat([torch.maximum(image[:, :1], warped), outputs["ddf"]], dim=1)
