"""The linear start of two volumes, and how they are displayed to the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import Range
from bundle.errors import InputError, Remark
from bundle.geometry.grid import on_one_grid
from bundle.geometry.slices import to_slices
from bundle.geometry.transform import as_transform, resample
from bundle.images.display import displayed, percentile_window
from bundle.images.pair import LoadedPair, VolumePair
from bundle.images.picture_pair import PicturePair
from bundle.options import Options
from bundle.progress import SILENT, Progress, Stage
from bundle.registration.initial_transform import read_initial_transform
from bundle.registration.masked import (
    Masked,
    counted,
    has_masks,
    remarks_left_out,
    seen_by_start,
    shares_left_out,
    without_masked,
)
from bundle.registration.pairs import InitializedPair
from bundle.registration.rigid import find_start, overlap
from bundle.registration.start_volume import start_volume

LEAST_OVERLAP = 0.01
"""Share of the fixed head that the moving volume has to cover."""

EVERYTHING = 0.9
"""Share of a volume that no head fills."""

WHOLE = Remark(
    "head_not_found",
    "fixed volume: no head found against a background: the whole volume is used",
    warning=False,
)

UNUSED_WINDOW = Remark(
    "window_unused",
    "moving volume: is a CT without air of -1000 HU: its values may not be in HU, so it is shown "
    "by percentiles, and ct_window is not used",
)


def initialize(
    pair: LoadedPair, options: Options, progress: Progress = SILENT
) -> PicturePair | InitializedPair:
    """Bring two volumes together linearly and display them; pictures stay as they are.

    Args:
        pair: as it was read.
        options: ``init``, ``initial_transform``, ``ct_window`` and ``percentiles`` count.
        progress: is told that the search begins.

    Returns:
        of volumes the start and the slices as displayed, see :class:`InitializedPair`.

    Raises:
        InputError: the volumes share too little space, or the initial transform cannot be used.
    """
    if isinstance(pair, PicturePair):
        return pair
    progress(Stage.START)
    name, shares = pair.moving.name, shares_left_out(pair)
    without = without_masked(pair)
    fixed, moving, left_out = seen_by_start(pair, shares, without)
    given = options.initial_transform
    wanted = None
    if given is not None:
        wanted = read_initial_transform(given, pair.fixed.image, pair.moving.image)
    whole = start_volume(fixed)
    try:
        found = find_start(fixed, moving, options.init, wanted, left_out, whole)
    except InputError as error:
        raise InputError(f"{given or name}: {error}") from error
    start, head = found.matrix, whole.head_on(fixed)
    shared = overlap(fixed, moving, start, head)
    if shared < LEAST_OVERLAP:
        raise InputError(
            f"{given or name}: the moving volume covers {100 * shared:.1f} % of the fixed head; "
            "check that both show the head, or let the start be found with init rigid"
        )
    slices = to_slices(head, pair.plane).to(torch.uint8)
    remarks = [*pair.remarks, *_unused(pair), *remarks_left_out(pair, shares), *found.remarks]
    everything = int(slices.count_nonzero()) > EVERYTHING * slices.numel()
    remarks += [WHOLE] if everything else []
    fixed, moving = without
    image, windows = _displayed(pair, slices, fixed, _started(name, fixed, moving, start), options)
    initial = InitializedPair(pair, start, shared, slices, image, windows, tuple(remarks))
    return _with_masks(initial, moving) if has_masks(pair) else initial


def _started(name: str, fixed: sitk.Image, moving: sitk.Image, start: np.ndarray) -> sitk.Image:
    """The moving volume on the fixed grid by the start."""
    if on_one_grid(fixed, moving) and (start == np.eye(4)).all():
        return moving
    there = resample(moving, fixed, as_transform(start))
    values = sitk.GetArrayViewFromImage(there)
    if values.min() == values.max():
        raise InputError(
            f"{name}: has the same value everywhere in the fixed volume; check that it is the "
            "right image"
        )
    return there


def _displayed(
    pair: VolumePair,
    head: torch.Tensor,
    fixed: sitk.Image,
    moving: sitk.Image,
    options: Options,
) -> tuple[torch.Tensor, tuple[Range, Range]]:
    """The slices as the network sees them, (2, H, W, D), and the windows they are shown in."""
    windows = []
    _, rows, columns, count = head.shape
    image = torch.empty(2, count, rows, columns).movedim(1, -1)  # as the volumes lie in memory
    for k, volume in enumerate((fixed, moving)):
        values = to_slices(volume, pair.plane)
        windowed = pair.hounsfield[k] and pair.modality in (None, "CT")
        window = (
            options.ct_window if windowed else percentile_window(values, head, options.percentiles)
        )
        windows.append(window)
        image[k] = displayed(values, window)[0]
    return image, (windows[0], windows[1])


def _unused(pair: VolumePair) -> tuple[Remark, ...]:
    """Whether a CT cannot be shown in the window of CT."""
    swapped = any(one.code == "swapped" for one in pair.remarks)
    unused = pair.modality == "CT" and not any(pair.hounsfield) and not swapped
    return (UNUSED_WINDOW,) if unused else ()


def _with_masks(initial: InitializedPair, moving: sitk.Image) -> InitializedPair:
    """Show the volumes as they are, and register them without what is left out.

    Args:
        initial: the pair, whose image is that of the filled volumes.
        moving: the moving volume, filled.
    """
    pair, start = initial.pair, initial.start
    head = counted(initial.head, pair, as_transform(start))
    there = _started(pair.moving.name, pair.fixed.image, pair.moving.image, start)
    shown = [
        displayed(to_slices(volume, pair.plane), window)
        for volume, window in zip((pair.fixed.image, there), initial.windows, strict=True)
    ]
    masked = Masked(initial.image, moving, head)
    return replace(initial, image=torch.cat(shown), masked=masked)
