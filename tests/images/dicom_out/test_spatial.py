"""The registration objects say what ``transform.h5`` says, by DICOM's own equations."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from bundle.geometry.compact import coarse_grid, compact
from bundle.geometry.transform import compose
from bundle.images.dicom_out.spatial import (
    write_deformable_registration,
    write_spatial_registration,
)
from bundle.images.dicom_out.study import study_of
from bundle.images.volume import Volume
from bundle.results.compressed import write_transform
from tests.geometry.test_compact import START, smooth_field
from tests.images.dicom_out.volumes import oblique, read, scan
from tests.images.series import rewrite

WITHIN = 0.1
"""Millimetres."""


def points_in(volume, count=200):
    sizes = np.array(volume.GetSize()) - 1
    places = np.random.default_rng(1).uniform(0, sizes, (count, 3))
    return [volume.TransformContinuousIndexToPhysicalPoint(place.tolist()) for place in places]


def matrix_of(item):
    return np.reshape([float(n) for n in item.FrameOfReferenceTransformationMatrix], (4, 4))


def applied(matrix, point):
    return (matrix @ [*point, 1])[:3]


def deformed(item, point):
    """PS3.3 C.20.3.1.1, with trilinear interpolation between the centres of the grid."""
    (grid,) = item.DeformableRegistrationGridSequence
    (post,) = item.PostDeformationMatrixRegistrationSequence
    size = [int(n) for n in grid.GridDimensions]
    row, column = np.reshape([float(n) for n in grid.ImageOrientationPatient], (2, 3))
    axes = np.stack([row, column, np.cross(row, column)], axis=1) * list(grid.GridResolution)
    start = np.array([float(n) for n in grid.ImagePositionPatient])
    vectors = np.frombuffer(grid.VectorGridData, "<f4").reshape(*reversed(size), 3)
    place = np.linalg.solve(axes, np.subtract(point, start))
    base = np.floor(place).astype(int)
    total = np.zeros(3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, place - base, 1 - (place - base)))
        if weight > 0:
            total += weight * vectors[tuple(reversed(base + corner))]
    return applied(matrix_of(post), point + total)


@pytest.mark.parametrize("gone", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_a_series_that_cannot_be_referred_to_is_left_out(gone, tmp_path):
    fixed = scan(tmp_path / "mri", "MR")
    scan(tmp_path / "ct", "CT")
    moving = read(rewrite(tmp_path / "ct", lambda file, _: file.pop(gone)))
    study = study_of(fixed, moving)
    write_spatial_registration(np.diag([1.0, 1, 1, 1]), tmp_path / "linear.dcm", study)
    file = pydicom.dcmread(tmp_path / "linear.dcm")
    (only,) = file.ReferencedSeriesSequence
    assert only.SeriesInstanceUID == fixed.header.SeriesInstanceUID
    assert "StudiesContainingOtherReferencedInstancesSequence" not in file
    assert "ReferencedImageSequence" not in file.RegistrationSequence[1]


@pytest.fixture
def fixed():
    return oblique((20, 40, 36))


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "LAS"])
def test_points_go_where_the_written_transform_puts_them(orientation, fixed, tmp_path):
    fixed = sitk.DICOMOrient(fixed, orientation)
    found = compact(compose(START, smooth_field(coarse_grid(fixed), 8.0, 5.0)), fixed)
    write_transform(found.forward, tmp_path / "transform.h5")
    study = study_of(Volume("f", fixed), Volume("m", fixed + 1))
    write_spatial_registration(found.matrix, tmp_path / "linear.dcm", study)
    write_deformable_registration(found, tmp_path / "field.dcm", study)
    (item,) = pydicom.dcmread(tmp_path / "field.dcm").DeformableRegistrationSequence
    forward = sitk.ReadTransform(str(tmp_path / "transform.h5"))
    points = points_in(fixed)
    expected = np.array([forward.TransformPoint(point) for point in points])
    shifts = expected - [applied(found.matrix, point) for point in points]
    assert np.linalg.norm(shifts, axis=1).max() > 2  # the field is no small matter
    got = np.array([deformed(item, point) for point in points])
    assert np.linalg.norm(got - expected, axis=1).max() < WITHIN
    linear = pydicom.dcmread(tmp_path / "linear.dcm")
    first, second = (
        matrix_of(one.MatrixRegistrationSequence[0].MatrixSequence[0])
        for one in linear.RegistrationSequence
    )
    np.testing.assert_array_equal(first, np.eye(4))
    for point in points:  # from the moving image back to the fixed one
        moving = applied(found.matrix, point)
        assert np.linalg.norm(applied(second, moving) - point) < WITHIN


def test_a_volume_warped_by_the_object_is_the_warped_volume(fixed, tmp_path):
    found = compact(compose(START, smooth_field(coarse_grid(fixed), 8.0, 5.0)), fixed)
    study = study_of(Volume("f", fixed), Volume("m", fixed + 1))
    write_deformable_registration(found, tmp_path / "field.dcm", study)
    (item,) = pydicom.dcmread(tmp_path / "field.dcm").DeformableRegistrationSequence
    warped = sitk.Resample(fixed, fixed, found.forward, sitk.sitkLinear, -1.0)
    for index in [(5, 7, 3), (30, 20, 15), (18, 33, 9), (12, 12, 17)]:
        point = deformed(item, fixed.TransformIndexToPhysicalPoint(index))
        at = fixed.TransformPhysicalPointToContinuousIndex(point.tolist())
        if all(0 <= n <= size - 1 for n, size in zip(at, fixed.GetSize(), strict=True)):
            assert fixed.EvaluateAtContinuousIndex(at) == pytest.approx(warped[index], abs=0.02)
        else:
            assert warped[index] == -1


def test_kinds_of_matrices(fixed, tmp_path):
    stretched = START.copy()
    stretched[:3, :3] *= 1.02
    rigid = np.eye(4)
    rigid[:3, :3] = np.reshape(sitk.VersorTransform((1, 2, 3), 0.2).GetMatrix(), (3, 3))
    study = study_of(Volume("f", fixed), Volume("m", fixed + 1))
    for matrix, kind in ((stretched, "AFFINE"), (rigid, "RIGID")):
        write_spatial_registration(matrix, tmp_path / "linear.dcm", study)
        item = pydicom.dcmread(tmp_path / "linear.dcm").RegistrationSequence[1]
        inner = item.MatrixRegistrationSequence[0].MatrixSequence[0]
        assert inner.FrameOfReferenceTransformationMatrixType == kind


@pytest.mark.parametrize("same_study", [True, False])
def test_images_and_frames_of_reference_are_named(same_study, tmp_path):
    fixed = scan(tmp_path / "mr", "MR", FrameOfReferenceUID="1.2.7")
    other = {} if same_study else {"StudyInstanceUID": "1.3"}
    moving = scan(tmp_path / "pets", "PT", FrameOfReferenceUID="1.2.8", **other)
    study = study_of(fixed, moving)
    found = compact(compose(START, smooth_field(coarse_grid(fixed.image), 8.0, 5.0)), fixed.image)
    write_spatial_registration(START, tmp_path / "linear.dcm", study)
    write_deformable_registration(found, tmp_path / "field.dcm", study)
    linear, field = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("linear", "field"))
    items = [*linear.RegistrationSequence, *field.DeformableRegistrationSequence]
    for item, volume in zip(items, (fixed, moving, moving), strict=True):
        named = [one.ReferencedSOPInstanceUID for one in item.ReferencedImageSequence]
        assert named == [one.uid for one in volume.sources]
    assert [one.FrameOfReferenceUID for one in items[:2]] == ["1.2.7", "1.2.8"]
    assert items[2].SourceFrameOfReferenceUID == "1.2.8"
    for one in (linear, field):
        assert one.FrameOfReferenceUID == "1.2.7" and one.Modality == "REG"
        named = [item.SeriesInstanceUID for item in one.ReferencedSeriesSequence]
        elsewhere = one.get("StudiesContainingOtherReferencedInstancesSequence", [])
        assert len(named) == (2 if same_study else 1)
        assert [study.StudyInstanceUID for study in elsewhere] == ([] if same_study else ["1.3"])
