"""ONNX: one graph for any batch size, height and width.

The graph is recorded by PyTorch's tracing exporter. Its newer exporter (``dynamo=True``) fixes
the size and takes fifty times as long; see docs/export.md.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bundle.errors import InputError
from bundle.networks import BiMSRec

OPSET = 20
PACKAGES = ("onnx", "onnxruntime")
AXES = {0: "batch", 2: "height", 3: "width"}
EXAMPLE = (2, 2, 192, 256)
"""Shape of the picture the trace is taken with. Both sides are at least twice the multiple that
the network pads to, so that the branches taken are those of every padded picture."""


class AnySize(nn.Module):
    """The network behind a padding whose sizes stay symbolic in a trace.

    The network's own padding rounds up by ``-(-height // multiple)``, which ONNX, whose integer
    division truncates, gets wrong; on a padded picture it has nothing left to do.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: BiMSRec) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W) in, (B, 3, H, W) out: fused in [0, 1], ddf_i, ddf_j in voxels."""
        height, width = (torch.as_tensor(side) for side in image.shape[-2:])
        padding = [0, self._missing(width), 0, self._missing(height)]
        output = self.network(functional.pad(image, padding))  # type: ignore[arg-type]
        return output[..., :height, :width]

    def _missing(self, side: torch.Tensor) -> torch.Tensor:
        multiple = self.network.multiple
        return ((side + multiple - 1) // multiple).clamp(min=2) * multiple - side


def require_onnx() -> None:
    """Check that the optional packages are there.

    Raises:
        InputError: one is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} not installed: pip install -r requirements-export.txt, "
            "or choose --formats torchscript"
        )


def onnx_bytes(network: BiMSRec) -> bytes:
    """Export the network to ONNX.

    Args:
        network: in evaluation mode.

    Returns:
        the content of a file. Its input ``image`` is (batch, 2, height, width), its output
        ``pred`` (batch, 3, height, width), as :meth:`BiMSRec.forward`'s.

    Raises:
        InputError: an optional package is missing.
    """
    require_onnx()
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter is deprecated, and the tracer warns of each size that Python compares;
        # what comes out is compared with PyTorch.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            AnySize(network).eval(),
            (torch.rand(EXAMPLE),),
            content,  # type: ignore[arg-type]  # the tracing exporter takes a stream
            input_names=["image"],
            output_names=["pred"],
            dynamic_axes={"image": AXES, "pred": AXES},
            opset_version=OPSET,
            dynamo=False,
        )
    return content.getvalue()


def load_onnx(path: Path, threads: int = 1) -> Callable[[torch.Tensor], torch.Tensor]:
    """Load a file into ONNX Runtime, on the CPU.

    Args:
        path: a file of :func:`onnx_bytes`.
        threads: for one operation.

    Returns:
        a function that is called as the network is.

    Raises:
        InputError: an optional package is missing.
    """
    require_onnx()
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def run(image: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.asarray(session.run(None, {"image": image.numpy()})[0]))

    return run
