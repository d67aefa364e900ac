"""Export the network with its weights to TorchScript and ONNX, check and time the files.

Run from the repository root::

    python -m scripts.export --output_dir OUT
    python -m scripts.export --output_dir OUT --formats torchscript --time --overwrite

Writes ``model.ts`` and ``model.onnx`` (for this the packages of ``requirements-export.txt``),
which take any height and width, if they compute what PyTorch does on random images.
"""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bundle.errors import InputError
from bundle.export import load_onnx, load_torchscript, onnx_bytes, torchscript_bytes
from bundle.export.onnx import require_onnx
from bundle.export.timing import Model, cpu_name, seconds_of, table
from bundle.networks import BiMSRec, load_weights
from bundle.paths import MODEL
from bundle.results.whole_file import whole_file
from scripts.command import or_exit, program

FORMATS = {"torchscript": "model.ts", "onnx": "model.onnx"}
"""The file of each."""

SIZES = 5
"""How many random sizes each file is compared on, beside :data:`FIXED_SIZES`."""

FIXED_SIZES = ((32, 32), (257, 700))
"""The smallest size, and a large one that is padded along both sides: rounding grows with both."""

TOLERANCE = {"fused": 1e-3, "ddf": 1e-2}
"""Largest difference to PyTorch that is let pass: in [0, 1], and in voxels."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a file cannot be made or is wrong.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("export"))
    parser.description = "Export the network, compare the files with PyTorch and time them."
    parser.add_argument("--output_dir", required=True, type=Path, help="folder for the files")
    parser.add_argument("--checkpoint", type=Path, default=MODEL)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument("--seed", type=int, default=0, help="of the random sizes and images")
    parser.add_argument("--time", action="store_true", help="time them beside PyTorch")
    parser.add_argument("--image_size", type=int, default=256, help="at which they are timed")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=11, help="timed runs")
    return parser


def _run(options: argparse.Namespace) -> None:
    _check(options)
    network = BiMSRec()
    load_weights(network, options.checkpoint)
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{options.output_dir}: cannot be made ({error.strerror})") from error
    if "torchscript" in options.formats:
        _export("torchscript", torchscript_bytes(network), load_torchscript, network, options)
    if "onnx" in options.formats:
        _export("onnx", onnx_bytes(network), load_onnx, network, options)
    if options.time:
        _time(network, options)


def _check(options: argparse.Namespace) -> None:
    if options.image_size < 32:
        raise InputError(f"--image_size {options.image_size}: the network takes 32 and more")
    if min(options.repeats, *options.threads) < 1:
        raise InputError("--repeats and --threads take 1 and more")
    for name in options.formats:
        path = options.output_dir / FORMATS[name]
        if (path.exists() and not options.overwrite) or path.is_dir():
            raise InputError(
                f"{path}: exists already; name another --output_dir or add --overwrite"
            )
    if "onnx" in options.formats:
        require_onnx()


def _export(
    name: str,
    content: bytes,
    load: Callable[[Path], Model],
    network: nn.Module,
    options: argparse.Namespace,
) -> None:
    """Write a file whole, once it has been compared with PyTorch, or not at all."""
    path = options.output_dir / FORMATS[name]
    try:
        with whole_file(path, len(content), options.overwrite) as staged:
            staged.write_bytes(content)
            figures = _compare(path, load(staged), network, options.seed)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); make room, or choose another "
            "--output_dir"
        ) from error
    print(f"{path}: {figures}", flush=True)


def _compare(path: Path, model: Model, network: nn.Module, seed: int) -> str:
    """Say the largest difference to PyTorch; refuse one that is more than rounding."""
    generator = torch.Generator().manual_seed(seed)
    sizes: list[Any] = torch.randint(33, 320, (SIZES, 2), generator=generator).tolist()
    worst = {"fused": 0.0, "ddf": 0.0}
    sizes += FIXED_SIZES
    for height, width in sizes:
        image = torch.rand(1, 2, height, width, generator=generator)
        with torch.no_grad():
            difference = (model(image) - network(image)).abs()
        for name, part in (("fused", difference[:, :1]), ("ddf", difference[:, 1:])):
            worst[name] = max(worst[name], float(part.max()))
    figures = f"fused {worst['fused']:.1e}, ddf {worst['ddf']:.1e} voxels"
    if any(not worst[name] <= TOLERANCE[name] for name in worst):
        raise InputError(f"{path}: would differ from PyTorch ({figures}); not written")
    return f"largest difference to PyTorch on {len(sizes)} sizes: {figures}"


def _time(network: BiMSRec, options: argparse.Namespace) -> None:
    size, folder = options.image_size, options.output_dir
    image = torch.rand(1, 2, size, size)
    rows = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        models: dict[str, Model] = {"PyTorch": network}
        if "torchscript" in options.formats:
            models["TorchScript"] = load_torchscript(folder / FORMATS["torchscript"])
        if "onnx" in options.formats:
            models["ONNX Runtime"] = load_onnx(folder / FORMATS["onnx"], threads)
        rows[threads] = seconds_of(models, image, options.repeats)
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"One pair of {size} x {size}: median of {options.repeats} runs by turns, ms")
    print("by the clock (processor time, all threads);")
    print(f"{datetime.date.today()}, {cpu_name()}, {os.cpu_count()} cores{load}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
