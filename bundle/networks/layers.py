"""Small convolutional layers shared by the parts of the network."""

from __future__ import annotations

import torch
from torch import nn

from bundle.networks.precision import picture_mean


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), 3 x 3, without normalisation.

    Where displacements are among the features a normalisation would remove their mean, which
    is the translation; so there is none here.

    Args:
        channels: channels in and out.
        dilation: of the first convolution.
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return features + self.body(features)


class InstanceNorm(nn.InstanceNorm2d):
    """PyTorch's, whose mean and variance an exported ONNX graph takes with :func:`picture_mean`.

    Args:
        channels: channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        if not torch.jit.is_scripting():  # noqa: SIM102 (scripting skips the body of this form)
            if torch.onnx.is_in_onnx_export():
                return self._exported(features)
        return nn.functional.instance_norm(
            features, weight=self.weight, bias=self.bias, eps=self.eps
        )

    def _exported(self, features: torch.Tensor) -> torch.Tensor:
        centred = features - picture_mean(features)
        spread = (picture_mean(centred * centred) + self.eps).sqrt()
        return centred / spread * self.weight[:, None, None] + self.bias[:, None, None]


class NormedConv(nn.Sequential):
    """3 x 3 convolution, instance normalisation, leaky ReLU: contrast-invariant features.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        stride: stride of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            InstanceNorm(out_channels),
            nn.LeakyReLU(0.1),
        )


def use_channels_last(module: nn.Module) -> None:
    """Store convolution weights channels-last, the layout in which CPU and GPU are fast."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def small_init(layer: nn.Conv2d, std: float) -> nn.Conv2d:
    """Normal weights of the given spread and no bias: an output that starts near zero."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def resize_as(features: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Bilinear resize of (B, C, h, w) to the height and width of ``reference``."""
    return nn.functional.interpolate(
        features, size=reference.shape[-2:], mode="bilinear", align_corners=False
    )


def pad_to_multiple(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad (B, C, H, W) with zeros below and right: sides divide by ``multiple``, at least twice.

    One token is not enough for an instance norm, so the coarsest scale has 2 x 2 or more.
    """
    height, width = image.shape[-2], image.shape[-1]
    below = max(2, -(-height // multiple)) * multiple - height
    right = max(2, -(-width // multiple)) * multiple - width
    return nn.functional.pad(image, [0, right, 0, below])
