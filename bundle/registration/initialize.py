"""The linear start of two volumes, and how they are displayed to the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import CT_WINDOW
from bundle.errors import InputError, Remark
from bundle.geometry.head import find_head
from bundle.geometry.slices import on_one_grid, to_slices
from bundle.geometry.transform import as_transform, resample
from bundle.images.display import displayed, percentile_window
from bundle.images.pair import LoadedPair, PicturePair, VolumePair
from bundle.options import Options
from bundle.progress import SILENT, Progress, Stage
from bundle.registration.initial_transform import read_initial_transform
from bundle.registration.pairs import InitializedPair
from bundle.registration.rigid import find_start, overlap

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
    "moving volume: ct_window is not used: without air of -1000 HU in it, it is shown by "
    "percentiles",
)


def initialize(
    pair: LoadedPair, options: Options, progress: Progress = SILENT
) -> PicturePair | InitializedPair:
    """Bring two volumes together linearly and display them; pictures stay as they are.

    Args:
        pair: as it was read.
        options: ``init``, ``initial_transform``, ``ct_window`` and ``percentiles`` count.
        progress: is told that the search begins.

    Raises:
        InputError: the volumes share too little space, or the initial transform cannot be used.
    """
    if isinstance(pair, PicturePair):
        return pair
    progress(Stage.START)
    fixed, moving, name = pair.fixed.image, pair.moving.image, pair.moving.name
    given = options.initial_transform
    initial = None if given is None else read_initial_transform(given)
    try:
        found = find_start(fixed, moving, options.init, initial)
    except InputError as error:
        raise InputError(f"{given or name}: {error}") from error
    start, head = found.matrix, find_head(fixed)
    shared = overlap(head, moving, start)
    if shared < LEAST_OVERLAP:
        raise InputError(
            f"{given or name}: the moving volume covers {100 * shared:.1f} % of the fixed head; "
            "check that both show the head, or let the start be found with init rigid"
        )
    if not (on_one_grid(fixed, moving) and (start == np.eye(4)).all()):
        moving = resample(moving, fixed, as_transform(start))
        values = sitk.GetArrayViewFromImage(moving)
        if values.min() == values.max():
            raise InputError(
                f"{name}: has the same value everywhere in the fixed volume; check that it is "
                "the right image"
            )
    slices = to_slices(head, pair.plane).to(torch.uint8)
    everything = int(slices.count_nonzero()) > EVERYTHING * slices.numel()
    remarks = (*found.remarks, *((WHOLE,) if everything else ()))
    initial_pair = _displayed(pair, start, shared, slices, moving, options)
    return replace(initial_pair, remarks=(*initial_pair.remarks, *remarks))


def _displayed(
    pair: VolumePair,
    start: np.ndarray,
    shared: float,
    head: torch.Tensor,
    moving: sitk.Image,
    options: Options,
) -> InitializedPair:
    """The slices as the network sees them."""
    windows = []
    _, rows, columns, count = head.shape
    image = torch.empty(2, count, rows, columns).movedim(1, -1)  # as the volumes lie in memory
    for k, volume in enumerate((pair.fixed.image, moving)):
        values = to_slices(volume, pair.plane)
        windowed = pair.hounsfield[k] and pair.modality in (None, "CT")
        window = (
            options.ct_window if windowed else percentile_window(values, head, options.percentiles)
        )
        windows.append(window)
        image[k] = displayed(values, window)[0]
    asked = options.ct_window != CT_WINDOW and pair.modality == "CT"
    unused = (UNUSED_WINDOW,) if asked and not any(pair.hounsfield) else ()
    return InitializedPair(
        pair, start, shared, head, image, (windows[0], windows[1]),
        (*pair.remarks, *unused),
    )  # fmt: skip
