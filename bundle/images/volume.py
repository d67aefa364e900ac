"""A volume as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk

from bundle.errors import Remark
from bundle.images.frames import Frames
from bundle.images.suv import Suv


@dataclass(frozen=True)
class Instance:
    """A DICOM object.

    Attributes:
        sop_class: UID of its kind.
        uid: of the object itself.
    """

    sop_class: str
    uid: str


@dataclass(frozen=True)
class Volume:
    """A scalar volume with what was noticed while it was read.

    Attributes:
        name: the file, folder or argument, for messages.
        image: scalar, 3D, float32, in the file's own units; LPS, mm.
        modality: CT, PET, SPECT or MR as a DICOM header says; None where nothing does.
        remarks: what was odd, in words that name no file.
        resampled: whether slices had to be brought to a regular grid first.
        header: of a DICOM series the ``pydicom.Dataset`` of its first slice without pixels:
            patient, study and frame of reference.
        sources: of a DICOM series its files, in the order of the slices; none where UIDs of study,
            series or files are missing, by which others could refer to them.
        frames: all frames of a 4D image, of which ``image`` is one or the mean.
        suv: of PET, how its values become standardised uptake values, where the header says it.
    """

    name: str
    image: sitk.Image
    modality: str | None = None
    remarks: tuple[Remark, ...] = ()
    resampled: bool = False
    header: Any = None
    sources: tuple[Instance, ...] = ()
    frames: Frames | None = None
    suv: Suv | None = None
