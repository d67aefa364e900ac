"""List the slices of stacks that a network can learn from.

What is left out, found by looking at every series (montages, and a chequerboard with the MRI):

=====================================  ===========================================================
left out                               why
=====================================  ===========================================================
SPECT-Tl of Glioma_1 (8) and Glioma_4  thallium hardly enters the brain: tumour, eyes, scalp and
                                       noise, nothing that tells where the brain lies; Glioma_4's
                                       shows too few colours to find their order
slices of zeros                        blanked: they belong to a published test set
slices with less than a third of the   neck and face in the dark end of the coil, a last cap of
series' largest head                   skull, scans that were cut there; images of Glioma_2 that
                                       wrap around at the top (120 to 123)
slices where both images cover less    a scan began, ended or was cut there: a corner or a strip
than 0.4 of what either covers         of brain
=====================================  ===========================================================

All other series are used, also where they are odd: the CT of Metastatic_2 with a stereotactic
frame, the MRI of Alzheimer_2 with bright spots beside the head, MRI and CT of Meningioma from
before and after its operation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.images.kinds import visible
from bundle.training.stacks.series import MRI, SUFFIX, modality_of, read_series, stem
from bundle.training.stacks.usable import overlap, usable_slices

LEFT_OUT = ("SPECT-Tl",)
"""Beginnings of the names of series that show too little of the brain to register by."""

LEAST_COMMON = 0.4
"""Of what either head covers: what both must cover."""


def list_stack_slices(root: str | Path, split: str, stride: int = 1) -> list[dict[str, Any]]:
    """Every MRI weighting with every CT, PET and SPECT series of its patient, slice by slice.

    Args:
        root: folder of ``train/PATIENT/*.nii.gz`` and ``val/PATIENT/*.nii.gz``; files are named
            by their series, such as MR-T2_1, CT_1, PET-FDG_1, SPECT-Tc_2.
        split: ``train`` or ``val``.
        stride: keep every ``stride``-th usable slice of each two series.

    Returns:
        records: ``kind`` (stacks), ``fixed`` and ``moving`` (paths), ``slice`` (number from 0,
        from the neck up), ``modality``, ``name`` and ``case`` (the patient), sorted by patient.

    Raises:
        InputError: no such folder, nothing usable in it, or a file that cannot be read.
    """
    folder = Path(root) / split
    patients = sorted(path for path in visible(folder, "*") if path.is_dir())
    records = [
        record
        for patient in patients
        for moving in series_of(patient)
        for fixed in series_of(patient)
        if modality_of(fixed) == MRI
        and modality_of(moving) in MODALITIES
        and not stem(moving).startswith(LEFT_OUT)
        for record in _pairs(fixed, moving)[::stride]
    ]
    if not records:
        raise InputError(
            f"{folder}: holds no stacks; expected PATIENT/MR-T2_1{SUFFIX} with CT_1{SUFFIX}, "
            f"PET-FDG_1{SUFFIX} or SPECT-Tc_1{SUFFIX} beside it"
        )
    return records


def series_of(patient: Path) -> list[Path]:
    """Files of a patient's series, sorted."""
    return sorted(visible(patient, f"*{SUFFIX}"))


def _pairs(fixed: Path, moving: Path) -> list[dict[str, Any]]:
    """Records of two series."""
    counts = [len(read_series(str(path)).pictures) for path in (fixed, moving)]
    if counts[0] != counts[1]:
        raise InputError(
            f"{moving}: has {counts[1]} slices, {fixed.name} has {counts[0]}; resample it"
        )
    common = overlap(str(fixed), str(moving))
    usable = usable_slices(str(fixed)) & usable_slices(str(moving))
    patient = fixed.parent.name
    return [
        {"kind": "stacks", "fixed": str(fixed), "moving": str(moving), "slice": number,
         "modality": modality_of(moving), "case": patient,
         "name": f"{patient}-{stem(fixed)}-{stem(moving)}-{number:03d}"}
        for number in sorted(usable)
        if common[number] >= LEAST_COMMON
    ]  # fmt: skip
