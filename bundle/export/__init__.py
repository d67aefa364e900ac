"""The network as a file for other runtimes: TorchScript and ONNX."""

from bundle.export.onnx import load_onnx, write_onnx
from bundle.export.torchscript import load_torchscript, write_torchscript

__all__ = ["load_onnx", "load_torchscript", "write_onnx", "write_torchscript"]
