"""Check a folder of stacks: one grid and one number of slices for each patient."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.images.kinds import visible
from bundle.training.stacks.listing import list_stack_slices, series_of
from bundle.training.stacks.series import MRI, SUFFIX, modality_of, read_series
from bundle.training.verify.findings import SPLITS, Finding, same_files

INDEX = "index.csv"
"""Lists the series and their blanked slices; need not be there."""

GREY = (MRI, "CT")
"""What must not be coloured."""


@dataclass(frozen=True)
class Grid:
    """Where a volume lies.

    Attributes:
        slices: their number.
        pixel: the longer side of a pixel in a slice, mm.
        corners: (2, 3), the two far corners of the field of view, LPS, mm.
    """

    slices: int
    pixel: float
    corners: np.ndarray


def patients_of(root: Path, split: str) -> list[Path]:
    """Folders of a split that hold volumes, sorted."""
    return sorted(path for path in visible(root / split, "*") if path.is_dir() and series_of(path))


def present(root: Path) -> bool:
    """Whether a folder holds stacks."""
    return any(patients_of(root, split) for split in SPLITS)


def verify(root: Path, splits: Sequence[str]) -> list[Finding]:
    """Check every series, every patient and both splits.

    Args:
        root: see :func:`bundle.training.stacks.listing.list_stack_slices`.
        splits: those that are needed.
    """
    findings = []
    for split in SPLITS:
        patients = patients_of(root, split)
        if not patients:
            findings.append(
                Finding(f"{root / split}: holds no PATIENT/*{SUFFIX}; add some", split in splits)
            )
        for patient in patients:
            findings += _patient(patient)
    return [*findings, *_both_splits(root), *_index(root)]


def summary(root: Path) -> list[str]:
    """Patients, and usable pairs of slices per modality, in train and val."""
    patients = [len(patients_of(root, split)) for split in SPLITS]
    counts = []
    for split in SPLITS:
        try:
            counts.append(Counter(pair["modality"] for pair in list_stack_slices(root, split)))
        except InputError:  # told as a finding
            counts.append(Counter())
    return [
        f"stacks: {patients[0]} patients train, {patients[1]} val",
        *(f"{name} slices: {counts[0][name]} train, {counts[1][name]} val" for name in MODALITIES),
    ]


def _patient(folder: Path) -> Iterator[Finding]:
    """Findings of one patient's series."""
    files = series_of(folder)
    for path in files:
        yield from _series(path)
    kinds = {modality_of(path) for path in files}
    if MRI not in kinds or not kinds & set(MODALITIES):
        yield Finding(
            f"{folder}: is left out; it needs an MRI (MR-T2_1{SUFFIX}) and a CT, PET or SPECT",
            error=False,
        )
    grids = {path: grid for path in files if (grid := _grid(path)) is not None}
    for path, grid in list(grids.items())[1:]:
        name, first = next((path.name, grid) for path, grid in grids.items())
        if grid.slices != first.slices:
            yield Finding(
                f"{path}: has {grid.slices} slices, {name} has {first.slices}; resample it"
            )
        elif np.abs(grid.corners - first.corners).max() > max(grid.pixel, first.pixel):
            yield Finding(f"{path}: lies on another grid than {name}; resample it")


def _series(path: Path) -> Iterator[Finding]:
    """Findings of one file."""
    try:
        pictures = read_series(str(path)).pictures
    except InputError as error:
        yield Finding(str(error))
        return
    kind = modality_of(path)
    if kind not in (MRI, *MODALITIES):
        yield Finding(f"{path}: is left out; begin its name with MR, CT, PET or SPECT", error=False)
    if kind in GREY and pictures.shape[1] == 3:
        yield Finding(f"{path}: is RGB, {kind} must be grey; export it in grey")
    if not pictures.any():
        yield Finding(f"{path}: is empty (all zeros); remove it", error=False)


def _grid(path: Path) -> Grid | None:
    """Where a volume lies; None where it cannot be read, which is told as a finding."""
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    except RuntimeError:
        return None
    size = image.GetSize()
    ends = ([-0.5] * 3, [length - 0.5 for length in size])
    corners = [image.TransformContinuousIndexToPhysicalPoint(end) for end in ends]
    return Grid(size[2], max(image.GetSpacing()[:2]), np.array(corners))


def _both_splits(root: Path) -> Iterator[Finding]:
    """Patients and files in train and in val: the validation is then too good."""
    train, val = (patients_of(root, split) for split in SPLITS)
    numbers = _numbers(root)
    known = {patient.name for patient in train}
    known_numbers = {numbers.get(patient) for patient in train} - {None}
    for patient in val:
        if patient.name in known or numbers.get(patient) in known_numbers:
            yield Finding(f"{patient}: is in train and in val; keep a patient in one", error=False)
    files = ([path for patient in part for path in series_of(patient)] for part in (train, val))
    yield from same_files(*files)


def _rows(root: Path) -> list[dict[str, str]]:
    """Rows of the index; none where there is no index."""
    path = root / INDEX
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [{key: value or "" for key, value in row.items()} for row in csv.DictReader(file)]


def _numbers(root: Path) -> dict[Path, str]:
    """Number of each patient in the atlas, where the index knows it."""
    return {
        root / row.get("split", "") / row.get("patient", ""): row["aanlib_case"]
        for row in _rows(root)
        if row.get("aanlib_case", "new") != "new"
    }


def _index(root: Path) -> Iterator[Finding]:
    """Files that the index names, and slices that it calls blanked."""
    for row in _rows(root):
        path = root.joinpath(*(row.get(key, "") for key in ("split", "patient", "file")))
        if not path.is_file():
            yield Finding(f"{root / INDEX}: names {path}, which is missing; add it", error=False)
            continue
        blanked = [int(number) for number in row.get("blanked_slices", "").split()]
        try:
            pictures = read_series(str(path)).pictures
        except InputError:  # told as a finding
            continue
        shown = [number for number in blanked if pictures[number : number + 1].any()]
        if shown:
            yield Finding(
                f"{path}: shows slice {shown[0]}, which {INDEX} calls blanked, and "
                f"{len(shown) - 1} more; set them to 0"
            )
