"""What registration and fusion cost on a GPU."""

from __future__ import annotations

import statistics

import torch

from bundle.networks import BiMSRec


def gpu_ms(size: int, batch: int, precision: str, repeats: int) -> float:
    """Time one batch of pairs, the pictures already on the GPU.

    Args:
        size: pixels per side.
        batch: pairs.
        precision: "float32", or "bf16" for autocast to bfloat16.
        repeats: timed runs, after three that are not.

    Returns:
        median of the runs in milliseconds.
    """
    network = BiMSRec().eval().cuda()
    image = torch.rand(batch, 2, size, size, device="cuda")
    lower = precision != "float32"
    times = []
    for _ in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in "12")
        start.record()
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=lower):
            network(image)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times[3:])
