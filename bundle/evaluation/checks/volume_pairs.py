"""Aligned pairs of volumes, and the suite of them that registrations are compared on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.evaluation.checks.aligned import AlignedPair
from bundle.evaluation.checks.brain import brain_in_tracer
from bundle.evaluation.checks.stack_pairs import stack_pair
from bundle.evaluation.demo_pairs import GRID
from bundle.images.volumes import read_volume
from bundle.phantom.canvas import Tissue
from bundle.phantom.pairs import make_head
from bundle.training.heads.pairs import VALIDATION
from bundle.training.heads.volumes import head_volume_pair

SUITES = {"validation": ("rigid", "spatial_small", "spatial", "spatial_large")}
"""Names of suites, and the misalignments of each."""

LACKING = 0.45
"""Share of the height of a head that the moving volume of a part lacks at the bottom."""

BRAIN = (Tissue.GREY_MATTER, Tissue.BRAINSTEM)
"""The first and the last tissue of the phantom's brain; the liquid around it is not among them."""


@dataclass(frozen=True)
class Source:
    """Where aligned pairs of one kind come from.

    Attributes:
        kind: such as ``head CT``.
        make: of a seed, an aligned pair.
    """

    kind: str
    make: Callable[[int], AlignedPair]


def sources(data: Path, kinds: Sequence[str] = ()) -> list[Source]:
    """The sources of the suite: painted heads and parts, a slab, real stacks, the phantom.

    Args:
        data: folder of ``heads``, ``volumes`` and ``stacks``; the phantom needs none of it.
        kinds: beginnings of the kinds that are wanted, such as ``head`` or ``stack CT``; all of
            them by default.

    Raises:
        InputError: a beginning fits no kind, or a folder is missing.
    """
    found = [
        *(Source(f"head {m}", partial(painted_pair, data / "heads", m)) for m in MODALITIES),
        *(Source(f"part {m}", partial(part_pair, data / "heads", m)) for m in MODALITIES),
        Source("slab PET", lambda seed: slab_pair(data / "volumes")),
        *(Source(f"stack {m}", partial(stack_pair, data / "stacks", m)) for m in MODALITIES),
        *(Source(f"phantom {m}", partial(phantom_pair, m)) for m in MODALITIES),
    ]
    for kind in kinds:
        if not any(source.kind.startswith(kind) for source in found):
            raise InputError(f"{kind}: not a kind of pair; there are {_listed(found)}")
    chosen = [s for s in found if not kinds or s.kind.startswith(tuple(kinds))]
    folders = {"head": "heads", "part": "heads", "slab": "volumes", "stack": "stacks"}
    for source in chosen:
        name = folders.get(source.kind.split()[0])
        if name and not (data / name).is_dir():
            raise InputError(f"{data / name}: no such folder; check --data, or choose --kinds")
    return chosen


def _listed(found: Sequence[Source]) -> str:
    return ", ".join(source.kind for source in found)


def phantom_pair(modality: str, seed: int) -> AlignedPair:
    """The T1 volume of a phantom head and its CT, PET, SPECT or T2; errors count in the brain.

    Args:
        modality: CT (HU), PET, SPECT (1000 = cortex) or MR (T2).
        seed: of the head.
    """
    head = make_head(seed, **GRID)
    scale = 1 if modality == "CT" else 1000
    fixed = _on_grid(np.round(head.contrast("T1") * 1000), head.affine)
    shown = "T2" if modality == "MR" else modality
    moving = _on_grid(np.round(head.contrast(shown) * scale), head.affine)
    points = np.array([mark.mm for mark in head.landmarks.values()]).reshape(-1, 3)
    labels = sitk.Cast(_on_grid(head.labels, head.affine), sitk.sitkUInt8)
    brain = (labels >= int(BRAIN[0])) & (labels <= int(BRAIN[1]))
    return AlignedPair(fixed, moving, modality, labels, points * [-1, -1, 1], brain)


def painted_pair(
    folder: Path, modality: str, seed: int, contrast: str = "T1", thickness: int = 1
) -> AlignedPair:
    """A painted head of the validation as MRI and another modality; errors count in the brain.

    Args:
        folder: of tissue maps, see :mod:`bundle.training.heads`.
        modality: CT, PET, SPECT or MR (T2 or FLAIR).
        seed: chooses the head, and all that is drawn.
        contrast: of the fixed volume: T1, T2, FLAIR, PD or random.
        thickness: of its axial slices, mm.

    Raises:
        InputError: the folder holds no head of the validation.
    """
    paths = [folder / f"{name}.nii.gz" for name in VALIDATION]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise InputError(f"{folder}: holds none of {', '.join(VALIDATION)}; check the folder")
    pair = head_volume_pair(paths[seed % len(paths)], modality, seed, contrast)
    fixed = sitk.BinShrink(pair.fixed, [1, 1, thickness])  # slices of 1 mm, averaged
    brain = sitk.Resample(pair.brain, fixed, sitk.Transform(), sitk.sitkNearestNeighbor)
    return AlignedPair(fixed, pair.moving, modality, where=brain)


def part_pair(folder: Path, modality: str, seed: int) -> AlignedPair:
    """A pair of :func:`painted_pair` whose moving volume shows the upper part of the head.

    Args:
        folder: of tissue maps.
        modality: CT, PET, SPECT or MR.
        seed: chooses the head, and all that is drawn.

    Raises:
        InputError: the folder holds no head of the validation.
    """
    return replace(painted_pair(folder, modality, seed), lacking=LACKING)


def slab_pair(folder: Path) -> AlignedPair:
    """The 32 slices of BrainWeb, T1 and PET; errors count in the brain.

    Args:
        folder: of ``brainweb_T1_dicom`` and ``brainweb_PET_dicom``.

    Raises:
        InputError: they are not there, or cannot be read.
    """
    fixed, moving = (read_volume(folder / f"brainweb_{m}_dicom").image for m in ("T1", "PET"))
    brain = brain_in_tracer(sitk.GetArrayFromImage(moving), moving.GetSpacing()[0])
    where = sitk.GetImageFromArray(brain.astype(np.uint8))
    where.CopyInformation(fixed)
    return AlignedPair(fixed, moving, "PET", where=where)


def _on_grid(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A volume (I, J, K) whose axes run to the right, front and top, in LPS."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(np.float64)))
    image.SetSpacing(np.diag(affine)[:3].tolist())
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    image.SetOrigin((affine[:3, 3] * [-1, -1, 1]).tolist())
    return image
