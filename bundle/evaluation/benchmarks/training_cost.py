"""What training costs on this machine, measured by a short run of the bundle itself."""

from __future__ import annotations

import logging
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from monai.bundle import create_workflow

from bundle.errors import InputError
from bundle.options import check_value
from bundle.paths import ROOT
from bundle.phantom.pairs import write_pairs
from bundle.workflow.command_options import configuration, refuse_unknown_id

OWN = ("stage", "bundle_root", "dataset_dir", "ckpt_dir", "max_epochs", "val_interval",
       "epoch_pairs", "image_size", "reduction", "batch_size", "num_workers")  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Figures of the second of two epochs.

    Attributes:
        pairs_per_second: trained on.
        data_wait: share of the time, in [0, 1], in which the network waited for its data.
        memory: peak of the process in MiB, Python and its libraries included; loading processes
            are not counted.
        device_memory: peak of what torch took of the GPU in MiB, 0 without one.
    """

    pairs_per_second: float
    data_wait: float
    memory: float
    device_memory: float


def settings_of(overrides: Sequence[str], overlays: Sequence[str] = ()) -> dict[str, str]:
    """Options of a training run from words such as ``amp=false``.

    Args:
        overrides: the words.
        overlays: configurations after ``configs/train.json``, paths from the bundle's root.

    Raises:
        InputError: an option is unknown, is set by :func:`training_cost` itself, or cannot have
            this value.
    """
    config = configuration(str([str(ROOT / name) for name in ("configs/train.json", *overlays)]))
    settings = {}
    for one in overrides:
        name, separator, value = one.partition("=")
        if not separator:
            raise InputError(f"--override {one}: write ID=VALUE")
        if name in OWN:
            raise InputError(f"--override {one}: the benchmark sets it itself; leave it out")
        refuse_unknown_id(name, config)
        check_value(name, value)
        settings[name] = value
    return settings


def training_cost(
    stage: str, settings: dict[str, Any], steps: int, threads: int, overlays: Sequence[str] = ()
) -> Cost:
    """Train on phantom pairs in a fresh process, with loading, augmentation and checkpoints.

    Args:
        stage: what is trained.
        settings: other options of ``configs/train.json``; needs ``image_size`` and ``batch_size``.
        steps: measured steps.
        threads: of torch.
        overlays: configurations after ``configs/train.json``, paths from the bundle's root.

    Returns:
        the figures.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, settings | {"stage": stage}, steps, threads, overlays).result()


def _measure(settings: dict[str, Any], steps: int, threads: int, overlays: Sequence[str]) -> Cost:
    torch.set_num_threads(threads)
    # Loading processes start as in a run of the bundle; this one was spawned, so theirs would be.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        for split in ("train", "val"):
            write_pairs(folder, 2, size=settings["image_size"], split=split)
        workflow = create_workflow(
            config_file=[str(ROOT / name) for name in ("configs/train.json", *overlays)],
            workflow_type="train",
            logging_file=False, bundle_root=str(ROOT), dataset_dir=folder,
            ckpt_dir=f"{folder}/run", max_epochs=2, val_interval=9,
            epoch_pairs=steps * settings["batch_size"], **settings,
        )  # fmt: skip
        workflow.run()
        found = workflow.parser.get_parsed_content("train#trainer").state.metrics
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(
        pairs_per_second=found["pairs_per_second"],
        data_wait=found["data_wait"],
        memory=peak / (2**20 if sys.platform == "darwin" else 2**10),  # bytes there, KiB elsewhere
        device_memory=torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0,
    )
