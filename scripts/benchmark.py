"""Print what the network costs on this machine: time, arithmetic, size and memory.

Run from the repository root, with nothing else running::

    python -m scripts.benchmark
    python -m scripts.benchmark --training --image_size 128
    python -m scripts.benchmark --training --image_size 64 --reduction 4 --override amp=false
    python -m scripts.benchmark --gpu --training --image_size 64 --reduction 4 \\
        --batch_size 256 --config configs/on_device.json
    python -m scripts.benchmark --volume --size 256 256 258 --spacing 1

The weights do not matter for the figures of the network: none are loaded. ``--volume`` times a
phantom's MRI and CT from their files to the results, and ANTs SyN where antspyx is installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from bundle.errors import InputError
from bundle.evaluation.baselines.ants import require_ants
from bundle.evaluation.benchmarks.gpu_cost import gpu_ms
from bundle.evaluation.benchmarks.training_cost import settings_of, training_cost
from bundle.evaluation.benchmarks.volume_cost import Cost, ants_cost, volume_cost, write_pair
from bundle.losses import BiMSRecLoss
from bundle.networks import BiMSRec
from scripts.command import or_exit, program

PRECISIONS = ("float32", "bf16")
GPU_BATCHES = (1, 8, 64)
RUN_OPTIONS = ("image_size", "reduction", "batch_size", "num_workers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if an option makes no sense.
    """
    options = _parser().parse_args(arguments)
    or_exit(_check, options)
    if options.volume:
        print_volume_costs(options)
        return
    print(f"one pair of {options.image_size} x {options.image_size}")
    print(f"  {'parameters':<28}{parameters() / 1e6:>9.2f} M")
    print(f"  {'arithmetic':<28}{gflop(options.image_size):>9.2f} GFLOP")
    (print_gpu_cost if options.gpu else print_cpu_cost)(options)
    if options.training:
        print_training_cost(options)


def print_volume_costs(options: argparse.Namespace) -> None:
    """Print what a pair of volumes takes, stage by stage, and the same of ANTs SyN."""
    threads = max(options.threads)
    spacing = (options.spacing * 3)[:3]
    words = [" x ".join(f"{n:g}" for n in one) for one in (options.size, spacing)]
    with tempfile.TemporaryDirectory() as folder:
        files = write_pair(Path(folder), options.size, spacing)
        print(f"MRI and CT of {words[0]} voxels of {words[1]} mm, threads: {threads}")
        print_costs("register_and_fuse and save", volume_cost(*files, threads))
        try:
            require_ants()
        except InputError as error:
            print(f"ANTs SyN is left out: {error}")
            return
        print_costs("ANTs SyN, from the same start", ants_cost(*files, threads))


def print_costs(title: str, costs: Sequence[Cost]) -> None:
    """Print a table of stages."""
    whole = Cost("in all", sum(c.seconds for c in costs), sum(c.processor for c in costs),
                 max(c.memory for c in costs))  # fmt: skip
    print(f"{title:<32}{'seconds':>9}{'processor':>11}{'peak MiB':>10}", flush=True)
    for one in (*costs, whole):
        print(f"  {one.stage:<30}{one.seconds:>9.1f}{one.processor:>11.1f}{one.memory:>10.0f}")


def print_cpu_cost(options: argparse.Namespace) -> None:
    """Print time and memory of one pair, and of training steps alone, on the CPU."""
    for name in PRECISIONS:
        for threads in options.threads:
            value = inference_ms(options.image_size, name, threads, options.repeats)
            print(f"  {f'median, {name}, threads: {threads}':<28}{value:>9.1f} ms", flush=True)
    for name in PRECISIONS:
        memory = peak_memory(options.image_size, name)
        print(f"  {f'peak memory, {name}':<28}{memory:>9.0f} MiB (whole process)")
    if options.training:
        print(f"training, bf16, batches of {options.batch_size}, without loading")
        for stage in ("registration", "all"):
            for threads in options.threads:
                rate = training_rate(stage, threads, options)
                print(f"  {f'{stage}, threads: {threads}':<28}{rate:>9.2f} pairs/s", flush=True)


def print_gpu_cost(options: argparse.Namespace) -> None:
    """Print the time of one pair and of many at once on the GPU."""
    print(f"  {torch.cuda.get_device_name()}, torch {torch.__version__}")
    for name in PRECISIONS:
        for batch in GPU_BATCHES:
            value = gpu_ms(options.image_size, batch, name, options.repeats)
            print(
                f"  {f'median, {name}, pairs: {batch}':<28}{value:>9.1f} ms, "
                f"{value / batch:.2f} ms a pair",
                flush=True,
            )


def print_training_cost(options: argparse.Namespace) -> None:
    """Print what a run of the bundle costs, with loading, on the GPU if there is one."""
    changed = ", ".join([*options.config, *options.override]) or "nothing changed"
    print(f"training as configured ({changed}), loading processes: {options.num_workers}")
    settings = {name: getattr(options, name) for name in RUN_OPTIONS}
    settings |= settings_of(options.override, options.config)
    for stage in ("registration", "all"):
        for threads in options.threads:
            cost = training_cost(stage, settings, options.steps, threads, options.config)
            print(
                f"  {f'{stage}, threads: {threads}':<28}{cost.pairs_per_second:>9.2f} pairs/s, "
                f"{100 * cost.data_wait:.0f} % waiting for data, {cost.memory:.0f} MiB, "
                f"{cost.device_memory:.0f} MiB of the GPU",
                flush=True,
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("benchmark"))
    parser.description = "Measure the network's time, arithmetic, size and memory."
    parser.add_argument("--image_size", type=int, default=256, help="pixels per side")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=11, help="timed runs per median")
    parser.add_argument("--training", action="store_true", help="time training steps as well")
    parser.add_argument("--volume", action="store_true", help="time a pair of volumes instead")
    parser.add_argument("--size", type=int, nargs=3, default=[256, 256, 258],
                        metavar=("X", "Y", "Z"), help="voxels of the volumes")  # fmt: skip
    parser.add_argument("--spacing", type=float, nargs="+", default=[1.0], metavar="MM",
                        help="of their voxels: one number, or three")  # fmt: skip
    parser.add_argument("--gpu", action="store_true", help="time inference there, not on the CPU")
    parser.add_argument("--batch_size", type=int, default=8, help="pairs per training step")
    parser.add_argument("--reduction", type=int, choices=(1, 2, 4), default=1,
                        help="of the network in training")  # fmt: skip
    parser.add_argument("--num_workers", type=int, default=1, help="processes that load data")
    parser.add_argument(
        "--override", nargs="+", default=[], metavar="ID=VALUE",
        help="options of the training run, such as amp=false or cache_rate=0",
    )  # fmt: skip
    parser.add_argument(
        "--config", nargs="+", default=[], help="overlays of the training run's configuration"
    )
    parser.add_argument("--steps", type=int, default=3, help="timed training steps")
    return parser


def _check(options: argparse.Namespace) -> None:
    if not 32 <= options.image_size <= 2048:
        raise InputError(f"--image_size {options.image_size}: the network takes 32 to 2048")
    for name in ("repeats", "batch_size", "steps"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} {getattr(options, name)}: give 1 or more")
    if options.gpu and not torch.cuda.is_available():
        raise InputError("--gpu: torch sees no GPU here; leave it out")
    for name in options.config:
        if not Path(name).is_file() or Path(name).suffix not in (".json", ".yaml"):
            raise InputError(f"--config {name}: not an overlay; give configs/on_device.json, say")
    settings_of(options.override, options.config)
    if options.num_workers < 0:
        raise InputError(f"--num_workers {options.num_workers}: give 0 or more")
    if min(options.size) < 16:
        raise InputError(f"--size {min(options.size)}: give 16 voxels or more along each axis")
    if len(options.spacing) not in (1, 3) or not min(options.spacing) > 0:
        raise InputError(f"--spacing {options.spacing[0]:g}: give one number above 0, or three")
    if min(options.threads) < 1:
        raise InputError(f"--threads {min(options.threads)}: give 1 or more")


def parameters() -> int:
    """Count the network's parameters."""
    return sum(parameter.numel() for parameter in BiMSRec().parameters())


def gflop(size: int) -> float:
    """Count floating-point operations (a multiplication and an addition are two).

    Args:
        size: pixels per side of the pair.

    Returns:
        10^9 operations of matrix products, convolutions and attention, for one pair.
    """
    network = BiMSRec().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 2, size, size))
    return counter.get_total_flops() / 1e9


def inference_ms(size: int, precision: str, threads: int, repeats: int) -> float:
    """Time one pair.

    Args:
        size: pixels per side.
        precision: "float32", or "bf16" for autocast to bfloat16.
        threads: of torch.
        repeats: timed runs.

    Returns:
        median of the runs in milliseconds.
    """
    network, image = BiMSRec().eval(), torch.rand(1, 2, size, size)
    return 1000 * _median_seconds(lambda: _infer(network, image, precision), threads, repeats)


def peak_memory(size: int, precision: str) -> float:
    """Measure the peak resident memory of a fresh process that registers and fuses one pair.

    Args:
        size: pixels per side.
        precision: "float32" or "bf16".

    Returns:
        MiB, Python and its libraries included.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_own_peak_memory, size, precision).result()


def training_rate(stage: str, threads: int, options: argparse.Namespace) -> float:
    """Time training steps on random pairs.

    Args:
        stage: of the network, "registration", "fusion" or "all".
        threads: of torch.
        options: ``image_size``, ``batch_size``, ``reduction`` and ``steps``.

    Returns:
        pairs per second, by the median step.
    """
    network = BiMSRec(stage=stage, reduction=options.reduction).train()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer, loss = torch.optim.AdamW(trained), BiMSRecLoss()
    channels = {"image": 2, "fixed": 1, "aligned": 3, "deformed": 3, "ddf": 2}
    shape = (options.image_size, options.image_size)
    batch = {key: torch.rand(options.batch_size, n, *shape) for key, n in channels.items()}
    image = batch["image"].contiguous(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(image)
        loss(outputs, batch)["loss"].backward()
        optimizer.step()

    return options.batch_size / _median_seconds(step, threads, options.steps)


def _infer(network: torch.nn.Module, image: torch.Tensor, precision: str) -> None:
    lower = precision != "float32"
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=lower):
        network(image)


def _own_peak_memory(size: int, precision: str) -> float:
    _infer(BiMSRec().eval(), torch.rand(1, 2, size, size), precision)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


def _median_seconds(run: Callable[[], None], threads: int, repeats: int) -> float:
    """Median time of ``run`` after one untimed call; torch's threads are as before afterwards."""
    before, seconds = torch.get_num_threads(), []
    torch.set_num_threads(threads)
    try:
        run()
        for _ in range(repeats):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
