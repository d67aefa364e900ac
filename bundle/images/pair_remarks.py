"""What a person should know of two volumes that are to be registered, and how each is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from bundle.domain import MODALITIES
from bundle.errors import Remark
from bundle.images.dicom_identity import PERSON, differing
from bundle.images.display import is_hounsfield, looks_like_ct
from bundle.images.volume import Volume


def of_both(volumes: Sequence[Volume], sides: Sequence[str]) -> Iterator[Remark]:
    """What was noticed about each, with its side."""
    for side, volume in zip(sides, volumes, strict=True):
        for remark in volume.remarks:
            yield replace(remark, text=f"{side} volume: {remark.text}")


def contrasts(
    volumes: Sequence[Volume],
    values: Sequence[torch.Tensor],
    modality: str | None,
    stated: bool,
) -> tuple[tuple[bool, bool], list[Remark]]:
    """Which of the two is shown in Hounsfield units, and what looks wrong.

    Negative numbers alone tell nothing: backgrounds of -1024 and PET with noise have them too.
    ``stated``: the modality is what the user says, and not what a header says.
    """
    fixed = volumes[0].modality == "CT" and is_hounsfield(values[0])
    moving = is_hounsfield(values[1]) if modality == "CT" else False
    remarks = []
    if modality is None and looks_like_ct(values[1]):
        moving = True
        text = (
            "moving volume: modality not stated; its values look like Hounsfield units, so it is "
            "shown as CT: state the modality (--modality CT, PET, SPECT or MR)"
        )
        remarks.append(Remark("modality_guessed", text))
    mri = modality == "MR" and not stated
    if mri and volumes[0].modality == "MR":
        text = "moving volume: is an MRI too; it is registered as one"
        remarks.append(Remark("mri_onto_mri", text, warning=False))
    swapped = _swapped(volumes[0], values[0], mri)
    if swapped:
        text = f"{swapped}, but the fixed one should be the MRI: are fixed and moving swapped?"
        remarks.append(Remark("swapped", text))
    if modality is None and not moving and not swapped:
        text = (
            "moving volume: modality not stated: it is shown by percentiles and registered as "
            "one of unknown contrast: state it (--modality CT, PET, SPECT or MR)"
        )
        remarks.append(Remark("modality_missing", text))
    return (fixed, moving), remarks


def _swapped(fixed: Volume, values: torch.Tensor, mri: bool) -> str:
    """Why the fixed image may be the one that should move; '' where nothing speaks for it.

    ``mri``: the header of the moving image, and nobody else, says that it is an MRI.
    """
    if fixed.modality in MODALITIES:
        return f"the fixed image is a {fixed.modality}"
    if fixed.modality is None and looks_like_ct(values):
        return "the fixed image looks like a CT"
    if fixed.modality is None and mri:
        return "the moving image is an MRI (--modality MR says that it should be)"
    return ""


def two_persons(volumes: Sequence[Volume]) -> Iterator[Remark]:
    """Whether two DICOM headers name two patients; who they are stands nowhere."""
    headers = [volume.header for volume in volumes]
    if None in headers:
        return
    differ = differing(headers, PERSON)
    if differ:
        text = (
            f"the headers of fixed and moving name different patients ({', '.join(differ)} differ)"
        )
        yield Remark("two_persons", text)
