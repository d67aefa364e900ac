"""Time runtimes side by side."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Model = Callable[[torch.Tensor], torch.Tensor]
WARM_UP = 3
"""Runs before the timed ones: TorchScript optimises in its first runs."""


def seconds_of(
    models: Mapping[str, Model], image: torch.Tensor, repeats: int
) -> dict[str, tuple[float, float]]:
    """Time models by turns, so that whatever else the machine does meets all of them.

    Args:
        models: by name.
        image: (B, 2, H, W), the input of each.
        repeats: timed runs of each.

    Returns:
        by name the median seconds of a run, by the clock and of the processor (all threads).
        With one thread the latter is what an idle machine would take.
    """
    clock: dict[str, list[float]] = {name: [] for name in models}
    processor: dict[str, list[float]] = {name: [] for name in models}
    with torch.no_grad():
        for turn in range(WARM_UP + repeats):
            for name, model in models.items():
                start = time.perf_counter(), time.process_time()
                model(image)
                if turn >= WARM_UP:
                    clock[name].append(time.perf_counter() - start[0])
                    processor[name].append(time.process_time() - start[1])
    median = statistics.median
    return {name: (median(clock[name]), median(processor[name])) for name in models}


def table(rows: Mapping[int, Mapping[str, tuple[float, float]]]) -> str:
    """Format :func:`seconds_of` by threads as a Markdown table of milliseconds."""
    names = list(next(iter(rows.values())))
    lines = [f"| threads | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for threads, seconds in rows.items():
        times = [seconds[name] for name in names]
        cells = [f"{1000 * clock:.0f} ({1000 * processor:.0f})" for clock, processor in times]
        lines.append(f"| {threads} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cpu_name() -> str:
    """What the processor calls itself, where Linux or Python know it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
