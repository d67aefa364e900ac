"""TorchScript: the network with the methods that registration and fusion call."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Dict, Tuple  # noqa: UP035 (scripting reads them)

import torch
from torch import nn

from bundle.errors import InputError
from bundle.networks import BiMSRec, Match


class Exported(nn.Module):
    """The network with the methods that registration and fusion call, for scripting.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: BiMSRec) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W) in, (B, 3, H, W) out: fused in [0, 1], ddf_i, ddf_j in voxels."""
        return self.network(image)

    @torch.jit.export
    def match(self, image: torch.Tensor) -> Match:
        """The ddf and the fields and features that guide the reconstruction."""
        return self.network.match(image)

    @torch.jit.export
    def guided(self, image: torch.Tensor, ddf: torch.Tensor) -> Match:
        """What :meth:`coefficients` and :meth:`reconstruct` take where the field is given."""
        return self.network.guided(image, ddf)

    @torch.jit.export
    def coefficients(self, image: torch.Tensor, match: Match) -> torch.Tensor:
        """Coefficients of :func:`bundle.networks.blend.blend`, (B, 4, h, w)."""
        return self.network.coefficients(image, match)

    @torch.jit.export
    def reconstruct(self, image: torch.Tensor, match: Match) -> torch.Tensor:
        """Fuse by what :meth:`match` found: (B, 1, H, W)."""
        return self.network.reconstruct(image, match)

    @torch.jit.export
    def all_fields(self, image: torch.Tensor) -> Dict[str, torch.Tensor]:  # noqa: UP006
        """Every field by itself, at full size, see :meth:`BiMSRec.all_fields`."""
        return self.network.all_fields(image)

    @torch.jit.export
    def register(self, image: torch.Tensor) -> torch.Tensor:
        """The ddf alone, (B, 2, H, W)."""
        return self.network.register(image)

    @torch.jit.export
    def register_with_spread(self, image: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:  # noqa: UP006
        """The ddf and how far the fields differ, see :meth:`BiMSRec.register_with_spread`."""
        return self.network.register_with_spread(image)

    @torch.jit.export
    def fuse(self, image: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        """Fuse by a given field: (B, 1, H, W)."""
        return self.network.fuse(image, ddf)


def torchscript_bytes(network: BiMSRec) -> bytes:
    """Script the network: the content of a file that takes any height and width.

    Torch ends the process where it cannot write a file itself, so the caller writes this.

    Args:
        network: in evaluation mode.
    """
    content = io.BytesIO()
    torch.jit.save(torch.jit.script(Exported(network)), content)  # type: ignore[arg-type]
    return content.getvalue()


def load_torchscript(path: Path | str) -> torch.jit.ScriptModule:
    """Load a file of :func:`torchscript_bytes`, in evaluation mode, on the CPU.

    Raises:
        InputError: there is no such file, or it is another one.
    """
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except (OSError, RuntimeError, ValueError) as error:  # torch has no one type for it
        raise InputError(f"{path}: not a TorchScript file; make one with scripts.export") from error
