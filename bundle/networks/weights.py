"""Load a checkpoint into the network."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import torch

from bundle.errors import InputError
from bundle.networks.bimsrec import BiMSRec
from bundle.networks.device import usable_device
from bundle.networks.field_combiner import FieldCombiner
from bundle.paths import COMBINER, MODEL

REMEDY = "restore models/ from the repository, or name another checkpoint"


def load_weights(network: torch.nn.Module, path: Path | str) -> torch.nn.Module:
    """Load a checkpoint strictly.

    Args:
        network: the network to fill.
        path: a plain ``state_dict``, or a training checkpoint that holds one as ``model``.

    Returns:
        the same network, in evaluation mode.

    Raises:
        InputError: the file is missing, is no checkpoint, or belongs to another network.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; {REMEDY}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("model", state)
    except Exception as error:  # unpickling a file of another kind can raise nearly anything
        raise InputError(f"{path}: not a checkpoint; {REMEDY}") from error
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"{path}: the checkpoint belongs to another network than network_def; use the one "
            "that was trained with it"
        ) from error
    return network.eval()


def weights_sha256(path: Path | str | None) -> str | None:
    """Name weights by their content.

    Args:
        path: the checkpoint.

    Returns:
        the first 12 digits of the file's SHA-256; None where there is no such file.
    """
    if path is None or not Path(path).is_file():
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def load_network(checkpoint: Path | str = MODEL, device: str | None = None) -> torch.nn.Module:
    """BiMSRec with trained weights, read once per process as long as the file stays the same.

    Args:
        checkpoint: see :func:`load_weights`.
        device: such as ``cpu`` or ``cuda:0``; by default the GPU if there is one.

    Returns:
        the network in evaluation mode on the device.

    Raises:
        InputError: see :func:`load_weights`; or the device cannot be used.
    """
    path = Path(checkpoint).absolute()
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _network(path, changed, usable_device(device))


@lru_cache(maxsize=2)
def _network(path: Path, changed: int, device: torch.device) -> torch.nn.Module:
    return load_weights(BiMSRec(), path).to(device)


@lru_cache(maxsize=1)
def load_combiner() -> torch.nn.Module:
    """The network that combines two fields of a volume, on the CPU, read once per process.

    Raises:
        InputError: see :func:`load_weights`.
    """
    return load_weights(FieldCombiner(), COMBINER)
