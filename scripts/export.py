"""Export the network with its weights to TorchScript, check and time the file.

Run from the repository root::

    python -m scripts.export --output_dir OUT

Writes ``model.ts``, which takes any height and width, and compares it with PyTorch on random
images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bundle.errors import InputError, or_exit
from bundle.inference import load_weights
from bundle.networks import BiMSRec

ROOT = Path(__file__).resolve().parents[1]
SIZES = 5
"""How many random sizes the file of dynamic size is compared on, beside the smallest, 32 x 32."""

TOLERANCE = {"fused": 1e-3, "ddf": 1e-2}
"""Largest difference to PyTorch that is let pass: in [0, 1], and in voxels."""

Model = Callable[[torch.Tensor], torch.Tensor]


class Exported(nn.Module):
    """The network with the three methods that the bundle's inferer calls, for scripting.

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
    def register(self, image: torch.Tensor) -> torch.Tensor:
        """The ddf alone, (B, 2, H, W)."""
        return self.network.register(image)

    @torch.jit.export
    def fuse(self, image: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        """Fuse by a given field: (B, 1, H, W)."""
        return self.network.fuse(image, ddf)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if a file cannot be made or is wrong.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.export")
    parser.description = "Export the network, compare the file with PyTorch and time both."
    parser.add_argument("--output_dir", required=True, type=Path, help="folder for model.ts")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "models" / "model.pt")
    parser.add_argument("--image_size", type=int, default=256, help="at which both are timed")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=11, help="timed runs; 0 times nothing")
    parser.add_argument("--seed", type=int, default=0, help="of the random sizes and images")
    return parser


def _run(options: argparse.Namespace) -> None:
    _check(options)
    network = load_weights(BiMSRec(), options.checkpoint)
    generator = torch.Generator().manual_seed(options.seed)
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{options.output_dir}: cannot be made ({error.strerror})") from error
    path = write_torchscript(network, options.output_dir / "model.ts")
    scripted = torch.jit.load(path).eval()
    sizes = [(32, 32), *torch.randint(33, 320, (SIZES, 2), generator=generator).tolist()]
    _compare(path, scripted, network, sizes, generator)
    if options.repeats:
        _time({"pytorch": network, "torchscript": scripted}, options)


def _check(options: argparse.Namespace) -> None:
    if options.image_size < 32:
        raise InputError(f"--image_size {options.image_size}: the network takes 32 and more")
    if options.repeats < 0 or min(options.threads) < 1:
        raise InputError("--repeats takes 0 and more, --threads 1 and more")


def write_torchscript(network: BiMSRec | nn.Module, path: Path) -> Path:
    """Script the network; the file takes any height and width.

    Args:
        network: in evaluation mode.
        path: the file to write.

    Returns:
        the path.
    """
    torch.jit.script(Exported(network)).save(str(path))  # type: ignore[arg-type]
    return path


def _compare(
    path: Path, model: Model, network: nn.Module, sizes: Sequence[Any], generator: torch.Generator
) -> None:
    """Print the largest difference to PyTorch; refuse a file that differs by more than rounding."""
    worst = {"fused": 0.0, "ddf": 0.0}
    for height, width in sizes:
        image = torch.rand(1, 2, height, width, generator=generator)
        with torch.no_grad():
            difference = (model(image) - network(image)).abs()
        for name, part in (("fused", difference[:, :1]), ("ddf", difference[:, 1:])):
            worst[name] = max(worst[name], float(part.max()))
    figures = f"fused {worst['fused']:.1e}, ddf {worst['ddf']:.1e} voxels"
    print(f"{path}: largest difference to PyTorch on {len(sizes)} random images: {figures}")
    if any(not worst[name] <= TOLERANCE[name] for name in worst):
        raise InputError(f"{path}: differs from PyTorch ({figures}); do not use it")


def _time(models: dict[str, Model], options: argparse.Namespace) -> None:
    image = torch.rand(1, 2, options.image_size, options.image_size)
    print(f"median of {options.repeats}, {options.image_size} x {options.image_size}, CPU")
    for threads in options.threads:
        torch.set_num_threads(threads)
        for name, model in models.items():
            milliseconds = 1000 * _median_seconds(model, image, options.repeats)
            print(f"  {f'{name}, threads: {threads}':<28}{milliseconds:>9.1f} ms", flush=True)


def _median_seconds(model: Model, image: torch.Tensor, repeats: int) -> float:
    seconds = []
    with torch.no_grad():
        for _ in range(3):  # TorchScript optimises in its first runs
            model(image)
        for _ in range(repeats):
            start = time.perf_counter()
            model(image)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
