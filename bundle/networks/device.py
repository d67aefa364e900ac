"""The device that a network computes on."""

from __future__ import annotations

import torch

from bundle.errors import InputError


def usable_device(name: str | None = None) -> torch.device:
    """Try whether torch can use a device.

    Args:
        name: such as ``cpu`` or ``cuda:1``; by default the GPU if there is one.

    Returns:
        the device.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    if name is None:
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=torch.device(name)).device
    except Exception as error:  # each kind of device fails in a way of its own
        count = torch.cuda.device_count()
        gpus = ", ".join(f"cuda:{index}" for index in range(count)) or "no GPU that torch can use"
        raise InputError(
            f"--device {name}: cannot be used here; this machine has cpu and {gpus}"
        ) from error


def device_of(network: torch.nn.Module) -> torch.device:
    """Where a network computes."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))
