"""What a pair of volumes costs on this machine, stage by stage, and what ANTs SyN costs."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.api import register_and_fuse
from bundle.evaluation.checks.volume_methods import Task, ants
from bundle.geometry.transform import resample
from bundle.networks import load_network
from bundle.options import options_of
from bundle.phantom.pairs import write_volumes
from bundle.training.heads.misalignment import misalignment

VOXEL = 2.0
"""Voxel size in mm in which the phantom is made; it is then resampled."""

MISALIGNED, SEED = "spatial", 0
"""Kind and seed of the misalignment of the moving volume: elastic, so that a field is kept."""

NOISE = 10.0
"""Standard deviation of the noise: a volume without any would be read and written too fast."""


@dataclass(frozen=True)
class Cost:
    """What a stage takes.

    Attributes:
        stage: its name.
        seconds: on the clock.
        processor: seconds of all threads together.
        memory: MiB, the process's peak until its end, Python and its libraries included.
    """

    stage: str
    seconds: float
    processor: float
    memory: float


@dataclass
class Stopwatch:
    """Takes down when stages begin."""

    marks: list[tuple[str, float, float, float]] = field(default_factory=list)

    def mark(self, stage: str) -> None:
        """A stage begins; so the one before ends."""
        clocks = time.perf_counter(), time.process_time()
        self.marks.append((stage, *clocks, _peak()))

    def costs(self) -> list[Cost]:
        """Of all stages but the one that was begun last."""
        return [
            Cost(one[0], after[1] - one[1], after[2] - one[2], after[3])
            for one, after in zip(self.marks, self.marks[1:], strict=False)
        ]


def write_pair(folder: Path, size: Sequence[int], spacing: Sequence[float]) -> tuple[Path, Path]:
    """Write a phantom's MRI and its CT, misaligned elastically, both int16 on one grid.

    Args:
        folder: for the files.
        size: voxels along x, y and z.
        spacing: mm.

    Returns:
        the files, fixed and moving.
    """
    counts = [max(8, round(n * s / VOXEL)) for n, s in zip(size, spacing, strict=True)]
    write_volumes(folder, 1, shape=counts, spacing=[VOXEL] * 3)
    written = []
    for name in ("mri_t1", "ct"):
        known = sitk.ReadImage(str(folder / f"{name}.nii.gz"), sitk.sitkFloat32)
        transform = sitk.Transform()
        if name == "ct":
            _, transform = misalignment(known, SEED, MISALIGNED)
        grid = sitk.Image([int(n) for n in size], sitk.sitkUInt8)
        grid.SetSpacing([float(s) for s in spacing])
        grid.SetDirection(known.GetDirection())
        half = (np.array(size) - 1) / 2 * spacing
        grid.SetOrigin((-np.reshape(known.GetDirection(), (3, 3)) @ half).tolist())
        moved = sitk.AdditiveGaussianNoise(resample(known, grid, transform), NOISE, 0.0, 1)
        written.append(folder / f"{name}_full.nii.gz")
        sitk.WriteImage(sitk.Cast(moved, sitk.sitkInt16), str(written[-1]), useCompression=True)
    return written[0], written[1]


def volume_cost(fixed: Path, moving: Path, threads: int) -> list[Cost]:
    """Register, fuse and write a pair in a fresh process, with its page and all files.

    Args:
        fixed: file of the MRI.
        moving: file of the CT.
        threads: of torch and ITK.
    """
    return _in_fresh_process(_measure, fixed, moving, threads)


def ants_cost(fixed: Path, moving: Path, threads: int) -> list[Cost]:
    """Register a pair by ANTs SyN in a fresh process, from the same start, and write ``warped``.

    SyN works on the volumes of about 2 mm, as in ``scripts.volume_accuracy``.

    Args:
        fixed: file of the MRI.
        moving: file of the CT.
        threads: of torch and ITK.
    """
    return _in_fresh_process(_measure_ants, fixed, moving, threads)


def _in_fresh_process(function: Callable[..., list[Cost]], *args: Any) -> list[Cost]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def _measure(fixed: Path, moving: Path, threads: int) -> list[Cost]:
    _use_threads(threads)
    watch = Stopwatch()
    watch.mark("weights")
    load_network()
    with tempfile.TemporaryDirectory() as folder:
        result = register_and_fuse(
            fixed, moving, "CT", progress=lambda step: watch.mark(str(step.stage))
        )
        result.save(Path(folder) / "out")
        watch.mark("end")
    return watch.costs()


def _measure_ants(fixed: Path, moving: Path, threads: int) -> list[Cost]:
    _use_threads(threads)
    watch = Stopwatch()
    watch.mark("reading")
    volumes = [sitk.ReadImage(str(path), sitk.sitkFloat32) for path in (fixed, moving)]
    task = Task(volumes[0], volumes[1], options_of(modality="CT"), None)
    watch.mark("rigid start")
    _ = task.started
    watch.mark("SyN")
    found = ants(task)
    watch.mark("resampling and writing")
    warped = resample(volumes[1], volumes[0], found.transform)
    with tempfile.TemporaryDirectory() as folder:
        sitk.WriteImage(warped, f"{folder}/warped.nii.gz", useCompression=True)
    watch.mark("end")
    return watch.costs()


def _use_threads(threads: int) -> None:
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(threads)  # ANTs' own ITK reads it
    torch.set_num_threads(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def _peak() -> float:
    """MiB that the process has taken at most."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says there begins with the peak of the parent
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found:
            return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere
