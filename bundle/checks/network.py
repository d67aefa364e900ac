"""The network that the inference configuration describes, ready to be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from bundle.inference.weights import load_weights

ROOT = Path(__file__).resolve().parents[2]


def shipped_network(checkpoint: str | Path) -> tuple[torch.nn.Module, Any]:
    """Build the network and its inferer, and load weights.

    Args:
        checkpoint: a ``state_dict``.

    Returns:
        the network on the CPU in evaluation mode, and the inferer, called with (image, network).

    Raises:
        InputError: see :func:`bundle.inference.weights.load_weights`.
    """
    config = ConfigParser()
    config.read_config(ROOT / "configs" / "inference.json")
    config["device"] = "$torch.device('cpu')"
    network = load_weights(config.get_parsed_content("network_def"), checkpoint)
    return network, config.get_parsed_content("inferer")
