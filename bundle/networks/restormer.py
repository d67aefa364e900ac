"""MONAI's Restormer block with a forward that scripts, exports and is fast on a CPU."""

from __future__ import annotations

from typing import cast

import torch
from monai.networks.nets.restormer import MDTATransformerBlock
from torch import nn
from torch.nn import functional

from bundle.networks.precision import float32_product, picture_mean


class RestormerBlock(nn.Module):
    """Transposed attention over channels, then a gated feed-forward part; 2D.

    Parameters (``block``) and results are those of MONAI's ``MDTATransformerBlock`` (Zamir et
    al., CVPR 2022); only the order of the arithmetic differs. The attention between C channels
    is a C x C matrix, so its norms and the output projection are applied to that matrix, and
    the instance norms to the 1 x 1 convolutions behind them, instead of to every pixel. Full
    resolution is bound by memory traffic: this halves it. It also avoids what
    ``torch.jit.script`` rejects.

    Args:
        channels: channels in and out.
        num_heads: heads of the attention; must divide ``channels``.
        expansion: channel expansion of the feed-forward part.
    """

    def __init__(self, channels: int, num_heads: int = 2, expansion: float = 1.5) -> None:
        super().__init__()
        block = MDTATransformerBlock(2, channels, num_heads, expansion, bias=False)
        self.num_heads = num_heads
        self.temperature = block.attn.temperature
        self.qkv = cast(nn.Conv2d, block.attn.qkv.conv)
        self.qkv_depthwise = cast(nn.Conv2d, block.attn.qkv_dwconv.conv)
        self.attention_out = cast(nn.Conv2d, block.attn.project_out.conv)
        self.gate_in = cast(nn.Conv2d, block.ffn.project_in.conv)
        self.gate_depthwise = cast(nn.Conv2d, block.ffn.dwconv.conv)
        self.gate_out = cast(nn.Conv2d, block.ffn.project_out.conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        x = x + self._attention(x)
        return x + self._feed_forward(x)

    def _attention(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        qkv = self.qkv_depthwise(normed_linear(x, self.qkv.weight))
        tokens = as_tokens(qkv)
        gram = gram_matrix(tokens[..., : 2 * channels])
        # einsum instead of diagonal, which PyTorch's tracing exporter turns into wrong ONNX
        length = torch.einsum("bcc->bc", gram).clamp(min=1e-12).sqrt()
        cosine = gram[:, :channels, channels:]
        cosine = cosine / (length[:, :channels, None] * length[:, None, channels:])
        per_head = channels // self.num_heads
        cosine = cosine.reshape(batch, self.num_heads, per_head, self.num_heads, per_head)
        heads = torch.einsum("bhchd->bhcd", cosine)
        weights = (heads * self.temperature).softmax(dim=-1)
        projection = self.attention_out.weight.reshape(channels, self.num_heads, per_head)
        mixed = torch.einsum("ohc,bhcd->bhdo", projection.float(), weights)
        mixed = mixed.reshape(batch, channels, channels).to(tokens.dtype)
        out = torch.bmm(tokens[..., 2 * channels :], mixed)
        return out.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def _feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        # Two halves apart: a chunk of a channels-last tensor is strided, and slow to walk.
        hidden = self.gate_out.weight.shape[1]
        gate = self._half(x, 0, hidden)
        content = self._half(x, hidden, 2 * hidden)
        return self.gate_out(functional.gelu(gate) * content)

    def _half(self, x: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        half = normed_linear(x, self.gate_in.weight[start:stop])
        kernel = self.gate_depthwise.weight[start:stop]
        return functional.conv2d(half, kernel, padding=1, groups=stop - start)


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) to (B, H * W, C); no copy where ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], x.shape[2] * x.shape[3], x.shape[1])


def gram_matrix(tokens: torch.Tensor) -> torch.Tensor:
    """Inner products of all channels: (B, N, C) to (B, C, C), float32."""
    tokens = tokens.float()
    return float32_product(tokens.transpose(1, 2), tokens)


def normed_linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Instance norm without affine part, then a 1 x 1 convolution, in one pass over pixels.

    Args:
        x: (B, C, H, W).
        weight: (O, C, 1, 1).

    Returns:
        (B, O, H, W), channels-last.
    """
    batch, channels, height, width = x.shape
    tokens = as_tokens(x)
    mean = picture_mean(x.float()).reshape(batch, 1, channels)
    centred = tokens - mean.to(tokens.dtype)
    variance = torch.einsum("bcc->bc", gram_matrix(centred)) / (height * width)
    linear = weight.reshape(-1, channels).float().transpose(0, 1)
    linear = linear * (variance + 1e-5).rsqrt()[:, :, None]
    out = torch.bmm(centred, linear.to(tokens.dtype))
    return out.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
