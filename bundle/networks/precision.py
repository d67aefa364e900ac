"""Half precision, where a device is fast in it, and float32 where it would lose too much."""

from __future__ import annotations

import torch

CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""What a processor has that computes in bfloat16; others take many times as long as in float32."""


def autocast(device: torch.device, wanted: bool = True, cache: bool = True) -> torch.autocast:
    """Autocast to bfloat16 where the device is fast in it, else float32.

    Args:
        device: on which the network computes.
        wanted: False for float32 on every device.
        cache: whether weights are kept in bfloat16 until the context ends.
    """
    enabled = wanted and fast_in_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=cache)


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16, and does not only imitate it."""
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(flag) for flag in CPU_FLAGS)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return True


def picture_mean(picture: torch.Tensor) -> torch.Tensor:
    """Mean of each channel over the picture, (B, C, H, W) to (B, C, 1, 1).

    ONNX Runtime adds one value after the other in float32: over a whole picture that loses three
    digits. So an exported graph takes the mean of each row first.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 (scripting skips the body of this form)
        if torch.onnx.is_in_onnx_export():
            return picture.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)
    return picture.mean(dim=(2, 3), keepdim=True)


def float32_product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Matrix product in float32, within autocast too: bfloat16 has three digits, fields need more.

    Not so in TorchScript, where autocast casts it still: call scripted files without autocast.

    Args:
        first: (..., N, K).
        second: (..., K, M).

    Returns:
        (..., N, M), float32.
    """
    first, second = first.float(), second.float()
    if torch.jit.is_scripting():  # takes no device of an autocast that is not a constant
        return torch.matmul(first, second)
    with torch.autocast(first.device.type, enabled=False):
        return torch.matmul(first, second)
