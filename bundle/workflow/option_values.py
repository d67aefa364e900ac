"""Values that options of the commands take: numbers, ranges, choices, devices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from bundle.errors import InputError
from bundle.geometry.planes import PLANES
from bundle.registration.bspline import REFINES
from bundle.registration.rigid import INITS

LEAST = {"max_epochs": 1, "batch_size": 1, "epoch_repeat": 1, "val_interval": 1, "val_stride": 1,
         "early_stopping": 1, "panel_interval": 1, "image_size": 32, "num_workers": 0,
         "seed": 0}  # fmt: skip
POSITIVE = ("learning_rate", "gradient_clip", "seconds")
SHARES = ("cache_rate",)
RANGES = {"ct_window": (-math.inf, math.inf), "percentiles": (0.0, 100.0)}
CHOICES: dict[str, Sequence[str]] = {
    "stage": ("all", "registration", "fusion"),
    "reduction": ("1", "2", "4"),
    "init": INITS,
    "plane": PLANES,
    "refine": REFINES,
}
SWITCHES = ("resume", "amp", "compile", "overwrite", "save_fields", "guard", "dicom_output")


def check_value(name: str, value: str) -> None:
    """Look at the value of an option that only takes some.

    Args:
        name: of the option; most pass.
        value: its value; expressions pass.

    Raises:
        InputError: it is none of those that the option takes.
    """
    if value.startswith(("$", "@")):
        return
    least, choices = LEAST.get(name), CHOICES.get(name)
    if least is not None and not (re.fullmatch(r"-?\d+", value) and int(value) >= least):
        raise InputError(f"--{name} {value}: give a whole number, {least} or more")
    if name in POSITIVE and not (_is_number(value, 0.0) and float(value) > 0):
        raise InputError(f"--{name} {value}: give a number above 0")
    if name == "through_plane" and not _is_number(value, 0.0):
        raise InputError(f"--{name} {value}: give a number, 0 or more")
    if name in SHARES and not (_is_number(value, 0.0) and float(value) <= 1):
        raise InputError(f"--{name} {value}: give a number from 0 to 1")
    if name == "tracking_uri":
        check_store(value)
    if name in RANGES and not _is_range(value, *RANGES[name]):
        lower, upper = RANGES[name]
        within = f" from {lower:g} to {upper:g}" if math.isfinite(upper) else ""
        raise InputError(f"--{name} {value}: give two numbers{within}, the lower one first")
    if name == "palette_dir" and not Path(value).is_dir():
        raise InputError(f"--{name} {value}: no such folder; check the path")
    if choices is not None and value not in choices:
        raise InputError(f"--{name} {value}: give one of {', '.join(choices)}")
    if name in SWITCHES and value.lower() not in ("true", "false", "yes", "no"):
        raise InputError(f"--{name} {value}: give true or false")


def _is_number(value: str, least: float) -> bool:
    try:
        return math.isfinite(number := float(value)) and number >= least
    except ValueError:
        return False


def _is_range(value: str, lower: float, upper: float) -> bool:
    """Two numbers, such as ``[0.5, 99.5]`` or ``0.5,99.5``."""
    words = value.strip("[]() ").split(",")
    if len(words) != 2 or not all(_is_number(word, lower) for word in words):
        return False
    first, second = map(float, words)
    return first < second <= upper


def check_store(uri: str) -> None:
    """Look whether MLflow can keep records there: it no longer keeps them in plain folders.

    Args:
        uri: of a tracking store.

    Raises:
        InputError: it is a folder.
    """
    known = "://" in uri or uri.split("-")[0] == "databricks"
    if not known or uri.startswith("file:"):
        raise InputError(
            f"--tracking_uri {uri}: MLflow no longer keeps records in folders; "
            "give sqlite:///FILE.db"
        )


def check_device(name: str) -> None:
    """Try whether torch can use a device.

    Args:
        name: such as ``cpu`` or ``cuda:1``.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    try:
        torch.zeros(1, device=torch.device(name))
    except Exception as error:  # each kind of device fails in a way of its own
        count = torch.cuda.device_count()
        gpus = ", ".join(f"cuda:{index}" for index in range(count)) or "no GPU that torch can use"
        raise InputError(
            f"--device {name}: cannot be used here; this machine has cpu and {gpus}"
        ) from error
