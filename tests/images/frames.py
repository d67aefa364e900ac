"""Multi-frame DICOM files of tests' own: enhanced MR and CT, and nuclear medicine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, NuclearMedicineImageStorage

from bundle.images.dicom_write import save_file
from tests.images.mutated import TO_LPS


def item(**values: Any) -> Items:
    """A sequence of one item."""
    inner = Dataset()
    for keyword, value in values.items():
        setattr(inner, keyword, value)
    return Items([inner])


def geometry(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Affine to LPS; sizes of the voxels; directions in columns."""
    lps = TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return lps, spacing, lps[:3, :3] / spacing


def picture(values: np.ndarray, uid: str, modality: str) -> Dataset:
    """What all files say of pixels that are (n, X, Y)."""
    file = Dataset()
    file.SOPInstanceUID, file.SeriesInstanceUID, file.StudyInstanceUID = uid, "1.2.77", "1.2"
    file.Modality, file.InstanceNumber, file.NumberOfFrames = modality, 1, len(values)
    file.Rows, file.Columns = values.shape[2], values.shape[1]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 1
    file.PixelData = np.ascontiguousarray(values.swapaxes(1, 2), dtype="<i2").tobytes()
    return file


def enhanced(
    path: Path,
    volumes: Sequence[np.ndarray],
    affine: np.ndarray,
    said: Sequence[Mapping[str, Items]] = ({},),
    uid: str = "1.2.3.1",
) -> Path:
    """Write (X, Y, Z) volumes with what is said of each in functional groups, frames mixed.

    The frames of all volumes at one place follow each other, and the slices come from the top.
    """
    lps, spacing, axes = geometry(affine)
    order = [(k, n) for k in reversed(range(volumes[0].shape[2])) for n in range(len(volumes))]
    frames = np.stack([volumes[n][:, :, k] for k, n in order])
    file = picture(frames, uid, "MR")
    file.SOPClassUID = EnhancedMRImageStorage
    shared = Dataset()
    shared.PixelMeasuresSequence = item(
        PixelSpacing=[round(float(spacing[1]), 6), round(float(spacing[0]), 6)], SliceThickness=9
    )
    shared.PlaneOrientationSequence = item(
        ImageOrientationPatient=np.round(axes[:, :2].T.ravel(), 9).tolist()
    )
    file.SharedFunctionalGroupsSequence = Items([shared])
    own = []
    for k, n in order:
        groups = Dataset()
        place = np.round((lps @ [0, 0, k, 1])[:3], 6).tolist()
        groups.PlanePositionSequence = item(ImagePositionPatient=place)
        for keyword, sequence in said[n].items():
            setattr(groups, keyword, sequence)
        own.append(groups)
    file.PerFrameFunctionalGroupsSequence = Items(own)
    path.parent.mkdir(exist_ok=True)
    save_file(file, path)
    return path


def nuclear(path: Path, volumes: Sequence[np.ndarray], affine: np.ndarray, **tags: Any) -> Path:
    """Write (X, Y, Z) volumes as a reconstruction of nuclear medicine; ``tags`` replace its own."""
    lps, spacing, axes = geometry(affine)
    file = picture(np.concatenate([v.transpose(2, 0, 1) for v in volumes]), "1.2.3.9", "NM")
    file.SOPClassUID = NuclearMedicineImageStorage
    file.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    file.PixelSpacing = [float(spacing[1]), float(spacing[0])]
    file.SpacingBetweenSlices = float(spacing[2]) * np.sign(np.linalg.det(axes))
    file.SliceVector = list(range(1, volumes[0].shape[2] + 1)) * len(volumes)
    file.DetectorInformationSequence = item(
        ImagePositionPatient=lps[:3, 3].tolist(),
        ImageOrientationPatient=axes[:, :2].T.ravel().tolist(),
    )
    for keyword, value in tags.items():
        if value is None:
            delattr(file, keyword)
        else:
            setattr(file, keyword, value)
    path.parent.mkdir(exist_ok=True)
    save_file(file, path)
    return path
