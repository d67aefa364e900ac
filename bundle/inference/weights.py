"""Load a checkpoint into the network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from ignite.engine import Engine, Events

from bundle.errors import InputError, or_exit

MEND = "restore models/model.pt from the repository, or name another checkpoint"


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
        raise InputError(f"{path}: no such file; {MEND}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("model", state)
    except Exception as error:  # unpickling a file of another kind can raise nearly anything
        raise InputError(f"{path}: not a checkpoint; {MEND}") from error
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


class WeightsLoader:
    """Load a checkpoint when an engine starts; a bad one ends the process with one line.

    MONAI's ``CheckpointLoader`` does the same with a chain of tracebacks.

    Args:
        network: the network to fill.
        path: the checkpoint, see :func:`load_weights`.
    """

    def __init__(self, network: torch.nn.Module, path: Path | str) -> None:
        self.network = network
        self.path = path

    def attach(self, engine: Engine) -> None:
        """Attach to an engine."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Load the checkpoint; raises ``SystemExit`` if it cannot be used."""
        or_exit(load_weights, self.network, self.path)
