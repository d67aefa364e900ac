"""The network that the inference configuration describes, ready to be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from bundle.networks.weights import load_weights

ROOT = Path(__file__).resolve().parents[2]


def shipped_network(checkpoint: str | Path, image_size: int = 256) -> tuple[torch.nn.Module, Any]:
    """Build the network and its inferer, and load weights.

    Args:
        checkpoint: a ``state_dict``.
        image_size: pixels per side, 64, 128 or 256, of the pictures that the network itself will
            be given; the inferer takes any.

    Returns:
        the network on the CPU in evaluation mode, and the inferer, called with (image, network).

    Raises:
        InputError: see :func:`bundle.networks.weights.load_weights`.
    """
    config = ConfigParser()
    config.read_config(ROOT / "configs" / "inference.json")
    config["device"] = "$torch.device('cpu')"
    config["network_def"]["reduction"] = 256 // image_size
    network = load_weights(config.get_parsed_content("network_def"), checkpoint)
    return network, config.get_parsed_content("inferer")
