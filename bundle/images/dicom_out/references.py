"""References to the images that something was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset

from bundle.images.volume import Instance, Volume

Code = tuple[str, str]
"""Value and meaning of a code of DICOM's own scheme (DCM)."""

SOURCE: Code = ("121322", "Source image for image processing operation")
ANATOMY: Code = ("121338", "Anatomic image")
RESAMPLED: Code = ("113085", "Spatial resampling")
DEFORMED: Code = ("125027", "Deformed for registration")
ALIGNED: Code = ("125024", "Image Content-based Alignment")
IDENTITY: Code = ("125021", "Frame of Reference Identity")


def code(of: Code) -> Dataset:
    """An item of a sequence of codes."""
    item = Dataset()
    item.CodeValue, item.CodeMeaning = of
    item.CodingSchemeDesignator = "DCM"
    return item


def images(instances: Iterable[Instance], purpose: Code | None = None) -> list[Dataset]:
    """Items that each name an image, and what for."""
    items = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class
        item.ReferencedSOPInstanceUID = instance.uid
        if purpose is not None:
            item.PurposeOfReferenceCodeSequence = [code(purpose)]
        items.append(item)
    return items


def series(volumes: Sequence[Volume], study: str) -> Dataset:
    """Which series the images of an object belong to, of its own study and of others.

    Args:
        volumes: those that are DICOM series count.
        study: UID of the object's own study.
    """
    found, others = Dataset(), []
    for volume in volumes:
        if not volume.sources:
            continue
        own = Dataset()
        own.SeriesInstanceUID = volume.header.SeriesInstanceUID
        own.ReferencedInstanceSequence = images(volume.sources)
        if volume.header.get("StudyInstanceUID") == study:
            if "ReferencedSeriesSequence" not in found:
                found.ReferencedSeriesSequence = []
            found.ReferencedSeriesSequence.append(own)
        else:
            other = Dataset()
            other.StudyInstanceUID = volume.header.StudyInstanceUID
            other.ReferencedSeriesSequence = [own]
            others.append(other)
    if others:
        found.StudiesContainingOtherReferencedInstancesSequence = others
    return found


def contributing(moving: Volume, field: sitk.Image) -> list[tuple[Instance, ...]]:
    """The moving slices between which each slice of a grid was interpolated.

    Args:
        moving: as it was read.
        field: displacements on the grid of what was resampled, mm, LPS, pull-back.

    Returns:
        per slice; of a volume whose slices were made regular first all of them.
    """
    count = moving.image.GetSize()[2]
    if moving.resampled or len(moving.sources) != count:
        return [moving.sources] * field.GetSize()[2]
    axes = np.reshape(field.GetDirection(), (3, 3)) * field.GetSpacing()
    normal = np.reshape(moving.image.GetDirection(), (3, 3))[:, 2]
    step = moving.image.GetSpacing()[2]
    width, height, depth = field.GetSize()
    in_slice = np.add.outer(
        normal @ axes[:, 1] * np.arange(height), normal @ axes[:, 0] * np.arange(width)
    )
    vectors = sitk.GetArrayViewFromImage(field)
    found = []
    for k in range(depth):
        start = normal @ (np.subtract(field.GetOrigin(), moving.image.GetOrigin()) + k * axes[:, 2])
        index = (start + in_slice + vectors[k] @ normal) / step
        lower, upper = int(np.floor(index.min())), int(np.ceil(index.max()))
        found.append(moving.sources[max(lower, 0) : max(upper + 1, 0)])
    return found
