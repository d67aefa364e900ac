"""Write the transform of a pair as DICOM's spatial registration objects.

A Spatial Registration has a matrix from points of the moving image to points of the fixed one, the
inverse of what ITK writes. A Deformable Spatial Registration says, like ITK, where in the moving
image each point of the fixed one is: grid of displacements first, then a matrix (PS3.3 C.20.3.1.1).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.uid import DeformableSpatialRegistrationStorage, SpatialRegistrationStorage

from bundle.geometry.compact import CompactTransform
from bundle.images.dicom_out.references import ALIGNED, IDENTITY, code, images, series
from bundle.images.dicom_out.slices import as_slices
from bundle.images.dicom_out.study import Study, content_time
from bundle.images.dicom_out.uids import content_of, uid_of
from bundle.images.dicom_write import decimals, save_file
from bundle.images.volume import Volume

RIGHT = 1e-6
"""By which the axes of a rigid matrix may differ from perpendicular ones of length 1."""


def write_spatial_registration(matrix: np.ndarray, path: Path, study: Study) -> None:
    """Write the linear part: moving to fixed points.

    Args:
        matrix: (4, 4), mm, LPS, fixed to moving points.
        path: the file.
        study: to which it belongs.
    """
    found = _object(study, SpatialRegistrationStorage, 9004, "LINEAR", "linear part")
    items = [
        _registration(study.fixed, study.frames[0], np.eye(4)),
        _registration(study.moving, study.frames[1], np.linalg.inv(matrix)),
    ]
    found.RegistrationSequence = items
    _save(found, path)


def write_deformable_registration(transform: CompactTransform, path: Path, study: Study) -> None:
    """Write the whole transform: a fixed point x comes from matrix(x + displacement(x)).

    Args:
        transform: with displacements.
        path: the file.
        study: to which it belongs.
    """
    found = _object(study, DeformableSpatialRegistrationStorage, 9005, "FIELD", "field and matrix")
    item = Dataset()
    item.SourceFrameOfReferenceUID = study.frames[1]
    if study.moving.sources:
        item.ReferencedImageSequence = images(study.moving.sources)
    item.RegistrationTypeCodeSequence = [code(ALIGNED)]
    item.DeformableRegistrationGridSequence = [_grid(transform)]
    item.PostDeformationMatrixRegistrationSequence = [_matrix(transform.matrix)]
    found.DeformableRegistrationSequence = [item]
    _save(found, path)


def _object(study: Study, sop_class: str, number: int, label: str, what: str) -> Dataset:
    """Patient, study and what both kinds of registration say."""
    found = Dataset()
    found.update(study.attributes)
    found.SOPClassUID, found.Modality, found.SeriesNumber = sop_class, "REG", number
    found.SeriesDescription = f"registration, {what}, research use only"
    found.BodyPartExamined = "HEAD"
    found.FrameOfReferenceUID = study.frames[0]
    found.InstanceNumber = 1
    found.ContentDate, found.ContentTime = content_time(study)
    found.ContentLabel = label
    found.ContentDescription = f"{what} of the mapping between moving and fixed image"
    found.ContentCreatorName = ""
    found.update(series((study.fixed, study.moving), found.StudyInstanceUID))
    return found


def _registration(volume: Volume, frame: str, matrix: np.ndarray) -> Dataset:
    """How points of an image come to points of the fixed one."""
    item = Dataset()
    item.FrameOfReferenceUID = frame
    if volume.sources:
        item.ReferencedImageSequence = images(volume.sources)
    inner = Dataset()
    inner.RegistrationTypeCodeSequence = [code(IDENTITY if _is_identity(matrix) else ALIGNED)]
    inner.MatrixSequence = [_matrix(matrix)]
    item.MatrixRegistrationSequence = [inner]
    return item


def _is_identity(matrix: np.ndarray) -> bool:
    return bool((matrix == np.eye(4)).all())


def _matrix(matrix: np.ndarray) -> Dataset:
    item = Dataset()
    linear = matrix[:3, :3]
    rigid = np.abs(linear.T @ linear - np.eye(3)).max() < RIGHT and np.linalg.det(linear) > 0
    item.FrameOfReferenceTransformationMatrixType = "RIGID" if rigid else "AFFINE"
    item.FrameOfReferenceTransformationMatrix = decimals(matrix.ravel())
    return item


def _grid(transform: CompactTransform) -> Dataset:
    """Displacements as DICOM has them: x first, then rows, then slices; float32, mm."""
    assert transform.elastic is not None
    grid = as_slices(transform.elastic)
    item = Dataset()
    item.ImagePositionPatient = decimals(grid.GetOrigin())
    item.ImageOrientationPatient = decimals(
        np.reshape(grid.GetDirection(), (3, 3))[:, :2].T.ravel()
    )
    item.GridDimensions = list(grid.GetSize())
    item.GridResolution = list(grid.GetSpacing())
    item.VectorGridData = sitk.GetArrayFromImage(grid).astype("<f4").tobytes()
    return item


def _save(found: Dataset, path: Path) -> None:
    content = content_of(found)
    found.SeriesInstanceUID = uid_of("series", content)
    found.SOPInstanceUID = uid_of("registration", content)
    save_file(found, path)
