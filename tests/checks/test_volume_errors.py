"""Misalignments whose transform is known, and the errors of transforms that are found."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.evaluation.checks import volume_pairs
from bundle.evaluation.checks.misaligned import misaligned
from bundle.evaluation.checks.volume_errors import (
    accuracy,
    landmark_error,
    mean_dice,
    mean_error,
    seen,
)
from bundle.evaluation.checks.volume_pairs import phantom_pair
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.transform import displacement_field
from bundle.training.heads.misalignment import MISALIGNMENTS, misalignment

STILL = sitk.Transform(3, sitk.sitkIdentity)


def head():
    z, y, x = np.indices((16, 64, 64))
    inside = ((z - 8) / 12) ** 2 + ((y - 32) / 24) ** 2 + ((x - 32) / 20) ** 2 < 1
    values = inside * (100.0 + 3 * x + 2 * y)
    volume = sitk.GetImageFromArray(values)
    volume.SetSpacing((3.0, 3.0, 3.0))
    return sitk.DiscreteGaussian(volume, 20.0)


def box(size=(8, 8, 8), spacing=(1.0, 1.0, 1.0)):
    """A mask of ones."""
    mask = sitk.Image(size, sitk.sitkUInt8) + 1
    mask.SetSpacing(spacing)
    return mask


def test_the_transform_is_the_truth():
    aligned = head()
    truth, backward = misalignment(aligned, seed=3)
    moved, again = (
        sitk.Resample(aligned, aligned, transform, sitk.sitkLinear, 0.0)
        for transform in (backward, misalignment(aligned, seed=3)[1])
    )
    assert (sitk.GetArrayFromImage(again) == sitk.GetArrayFromImage(moved)).all()
    back = sitk.Resample(moved, aligned, truth, sitk.sitkLinear, 0.0)
    arrays = [sitk.GetArrayFromImage(v)[4:-4] for v in (aligned, moved, back)]
    error = [np.abs(array - arrays[0]).mean() for array in arrays]
    assert error[2] < 0.15 * error[1]


def test_misalignments_differ_in_the_elastic_field_alone():
    aligned = head()
    found = {
        kind: sitk.GetArrayFromImage(displacement_field(misalignment(aligned, 5, kind)[0], aligned))
        for kind in MISALIGNMENTS
    }
    assert np.abs(found["none"]).max() < 1e-9
    rigid = misalignment(aligned, 5, "rigid")[0]
    matrix = np.array([rigid.TransformPoint(p) for p in np.eye(3).tolist()])
    steps = matrix - rigid.TransformPoint((0.0, 0.0, 0.0))
    assert np.allclose(steps @ steps.T, np.eye(3), atol=1e-9)
    elastic = {k: found[k] - found["rigid"] for k in ("spatial_small", "spatial", "spatial_large")}
    assert np.linalg.norm(elastic["spatial_small"], axis=-1).mean() > 1.0
    assert np.allclose(elastic["spatial"], 1.5 * elastic["spatial_small"], atol=0.01)
    assert np.allclose(elastic["spatial_large"], 2.0 * elastic["spatial_small"], atol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_largest_misalignment_folds_nowhere(seed):
    field = displacement_field(misalignment(head(), seed, "spatial_large")[0], head())
    assert sitk.GetArrayFromImage(volume_determinant(field)).min() > 0.1


def test_errors_of_a_shift_are_its_length():
    mask = box()
    truth = displacement_field(sitk.TranslationTransform(3, (1.0, 0.0, 0.0)), mask)
    measured = accuracy(sitk.TranslationTransform(3, (4.0, 0.0, -4.0)), truth, mask)
    assert (measured.mean, measured.p95) == pytest.approx((5.0, 5.0))
    assert measured.folded == 0 and measured.within is None


def test_the_percentile_and_the_bound_tell_where_errors_are():
    mask = box((10, 10, 1))
    field = sitk.Image((10, 10, 1), sitk.sitkVectorFloat64, 3)
    for k in range(10):
        field[k, 0, 0] = (0.0, 8.0 if k else 4.0, 0.0)  # 9 of 100 voxels by 8 mm, one by 4
    still = displacement_field(STILL, mask)
    measured = accuracy(sitk.DisplacementFieldTransform(sitk.Image(field)), still, mask)
    assert measured.mean == pytest.approx(0.76) and measured.p95 == pytest.approx(8.0)
    uncertainty = sitk.Image((10, 10, 1), sitk.sitkFloat32) + 2.0  # a bound of 4 mm
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    assert accuracy(transform, still, mask, uncertainty).within == pytest.approx(0.91)


def test_folds_are_counted_on_the_whole_grid():
    mask = box((8, 4, 4))
    field = sitk.Image((8, 4, 4), sitk.sitkVectorFloat64, 3)
    for j in range(4):
        for k in range(4):
            field[4, j, k] = (-5.0, 0.0, 0.0)  # falls behind its neighbour's place
    part = sitk.Image((8, 4, 4), sitk.sitkUInt8)
    part[0, 0, 0] = 1
    transform = sitk.DisplacementFieldTransform(field)
    measured = accuracy(transform, displacement_field(STILL, mask), part)
    assert measured.mean == 0 and measured.folded == pytest.approx(1 / 8)


def test_points_beyond_the_moving_volume_do_not_count():
    mask = box((10, 2, 2))
    left = seen(mask, sitk.TranslationTransform(3, (4.0, 0.0, 0.0)), box((10, 2, 2)))
    assert (sitk.GetArrayFromImage(left)[0, 0] == [1] * 6 + [0] * 4).all()


def test_the_phantom_s_truth_has_no_error_and_whole_labels(monkeypatch):
    grid = {"shape": (40, 48, 12), "spacing": (5.0, 5.0, 10.0), "centre": (0.0, 0.0, 0.0)}
    monkeypatch.setattr(volume_pairs, "GRID", grid)
    pair = phantom_pair("PET", 2)
    assert pair.labels is not None and pair.landmarks is not None and len(pair.landmarks) > 3
    inside = sitk.GetArrayFromImage(pair.labels) > 0
    assert np.corrcoef(sitk.GetArrayFromImage(pair.fixed).ravel(), inside.ravel())[0, 1] > 0.5
    uptake, brain = (sitk.GetArrayFromImage(v) for v in (pair.moving, pair.counted))
    assert uptake[brain > 0].mean() > 5 * uptake[inside & (brain == 0)].mean()
    shift = sitk.TranslationTransform(3, (3.0, 0.0, -4.0))
    assert landmark_error(shift, STILL, pair.landmarks) == pytest.approx(5.0)
    assert mean_error(shift, STILL, pair.labels) == pytest.approx(5.0)
    assert mean_dice(STILL, STILL, pair.labels) == 1.0
    assert mean_dice(shift, STILL, pair.labels) < 0.95
    moved = misaligned(pair, 2, "spatial")
    assert moved.accuracy(moved.truth).mean == 0 and moved.accuracy(STILL).mean > 3
    assert moved.tre(moved.truth) == 0 and moved.dice(moved.truth) > moved.dice(STILL)
