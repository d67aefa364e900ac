"""The network as a file for other runtimes: TorchScript and ONNX."""

from bundle.export.onnx import load_onnx, onnx_bytes
from bundle.export.torchscript import load_torchscript, torchscript_bytes

__all__ = ["load_onnx", "load_torchscript", "onnx_bytes", "torchscript_bytes"]
