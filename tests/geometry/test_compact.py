"""Transforms as a matrix and a field on a coarse grid."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import binary_erosion, gaussian_filter

from bundle.geometry import inverse as inverses
from bundle.geometry.compact import STEP, coarse_grid, compact
from bundle.geometry.inverse import inverse_field
from bundle.geometry.transform import (
    as_matrix,
    compose,
    displacement_field,
    field_transform,
    parts_of,
)

START = as_matrix(sitk.Euler3DTransform((5.0, -3.0, 2.0), 0.12, -0.1, 0.14, (6.0, -4.0, 9.0)))


def volume(size=(70, 80, 61), spacing=(1.0, 1.0, 1.0), orientation="LPS"):
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing(spacing)
    grid.SetOrigin((-30.0, 12.0, 7.0))
    return sitk.DICOMOrient(grid, orientation)


def smooth_field(grid, width, most, seed=0):
    """Displacements of at most ``most`` mm, smoothed by a Gaussian of ``width`` mm."""
    rng, shape = np.random.default_rng(seed), grid.GetSize()[::-1]
    sigma = [width / step for step in grid.GetSpacing()[::-1]]
    parts = [gaussian_filter(rng.standard_normal(shape), sigma) for _ in range(3)]
    vectors = np.stack(parts, -1)
    field = sitk.GetImageFromArray(vectors * most / np.abs(vectors).max(), isVector=True)
    field.CopyInformation(grid)
    return field


def lengths(transform, grid):
    return sitk.GetArrayFromImage(sitk.VectorMagnitude(displacement_field(transform, grid)))


def apart(one, other, grid):
    """Distance in mm of where two transforms bring each voxel."""
    return sitk.GetArrayFromImage(
        sitk.VectorMagnitude(displacement_field(one, grid) - displacement_field(other, grid))
    )


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR"])
def test_voxels_of_two_millimetres_fill_the_same_room(orientation):
    fixed = volume((70, 81, 20), (1.0, 0.8, 3.5), orientation)
    grid = coarse_grid(fixed)
    assert grid.GetDirection() == fixed.GetDirection()
    assert sorted(grid.GetSize()) == [20, 32, 35]
    np.testing.assert_allclose(sorted(grid.GetSpacing()), [2.0, 81 * 0.8 / 32, 3.5])
    for side in (0, 1):
        ends = [
            one.TransformContinuousIndexToPhysicalPoint([side * n - 0.5 for n in one.GetSize()])
            for one in (fixed, grid)
        ]
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)


def test_coarse_volumes_keep_their_grid():
    fixed = volume((30, 25, 20), (2.0, 2.5, 7.0), "RAS")
    for grid in (coarse_grid(fixed), compact(compose(START), fixed).displacement):
        assert grid.GetSize() == fixed.GetSize()
        np.testing.assert_allclose(grid.GetOrigin(), fixed.GetOrigin(), atol=1e-9)
        assert grid.GetSpacing() == fixed.GetSpacing()


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_the_small_field_is_the_large_one_also_at_the_rim(orientation):
    """The network's field lies in voxels of 2 mm already."""
    fixed = volume(orientation=orientation)
    total = compose(START, smooth_field(coarse_grid(volume()), 5.0, 8.0))
    found = compact(total, fixed)
    for corner in np.ndindex(2, 2, 2):
        place = [int(c * (n - 1)) for c, n in zip(corner, fixed.GetSize(), strict=True)]
        point = fixed.TransformIndexToPhysicalPoint(place)
        index = found.grid.TransformPhysicalPointToContinuousIndex(point)
        assert all(0 <= i <= n - 1 for i, n in zip(index, found.grid.GetSize(), strict=True))
    assert found.displacement.GetNumberOfPixels() < fixed.GetNumberOfPixels() / 6
    assert found.displacement.GetPixelID() == sitk.sitkVectorFloat32
    limit = 2 * np.sqrt(3) * STEP / 2  # the elastic part and the sum are rounded
    assert lengths(total, fixed).mean() > 10
    assert apart(field_transform(found.displacement), total, fixed).max() < 1.01 * limit < 0.05
    assert apart(found.forward, total, fixed).max() < 1.01 * limit / 2


def test_fields_of_the_size_of_the_volume_are_sampled():
    """Of one plane's slices, and a B-spline before it."""
    fixed = volume()
    fields = [smooth_field(fixed, width, 4.0, seed) for seed, width in enumerate((8.0, 12.0))]
    total = compose(START, *fields)
    found = compact(total, fixed)
    assert len(parts_of(found.forward)) == 2
    inner = (slice(8, -8),) * 3  # beyond its grid a field is 0, which the sum jumps by
    for transform in (found.forward, field_transform(found.displacement)):
        assert apart(transform, total, fixed)[inner].max() < 0.05


def test_a_thick_stack_s_field_is_exact_in_its_slices():
    fixed = volume((70, 80, 12), (1.0, 1.0, 6.0))
    total = compose(START, smooth_field(coarse_grid(volume((70, 80, 72))), 5.0, 6.0))
    found = compact(total, fixed)
    assert found.grid.GetSize() == (37, 42, 12)
    assert apart(field_transform(found.displacement), total, fixed).max() < 0.05


def test_a_linear_transform_has_no_field():
    found = compact(compose(START), volume())
    assert found.elastic is None
    np.testing.assert_allclose(found.matrix, START, atol=1e-12)
    assert [part.IsLinear() for part in parts_of(found.forward)] == [True]
    assert apart(field_transform(found.displacement), compose(START), volume()).max() < 0.03
    both = sitk.CompositeTransform([found.backward, found.forward])
    assert lengths(both, volume()).max() < 1e-5


def test_the_inverse_undoes_the_transform_in_both_orders():
    fixed = volume()
    total = compose(START, smooth_field(coarse_grid(fixed), 8.0, 6.0))
    found = compact(total, fixed)
    backward = found.backward
    assert [part.IsLinear() for part in parts_of(backward)] == [False, True]
    assert lengths(total, fixed).min() > 1
    there_and_back = lengths(sitk.CompositeTransform([backward, found.forward]), fixed)
    assert there_and_back.mean() < 0.03 and there_and_back.max() < 0.5  # also at the rim
    assert there_and_back[8:-8, 8:-8, 8:-8].max() < 0.1
    moving = volume()
    moving.SetOrigin(found.forward.TransformPoint(fixed.GetOrigin()))
    back = displacement_field(backward, moving)
    inside = sitk.Resample(fixed * 0 + 1, moving, backward, sitk.sitkNearestNeighbor, 0.0)
    inside = sitk.GetArrayFromImage(inside) > 0
    assert inside.mean() > 0.3 and np.abs(sitk.GetArrayFromImage(back)).max() > 5
    back_and_there = lengths(sitk.CompositeTransform([found.forward, backward]), moving)
    assert back_and_there[inside].mean() < 0.03
    inner = binary_erosion(inside, iterations=6)
    assert inner.mean() > 0.2 and back_and_there[inner].max() < 0.1


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR"])
def test_what_leaves_the_grid_comes_back(orientation):
    field = displacement_field(
        sitk.TranslationTransform(3, (7.0, -3.0, 0.0)), coarse_grid(volume(orientation=orientation))
    )
    inverse = inverse_field(field)
    vectors = sitk.GetArrayFromImage(inverse)
    np.testing.assert_allclose(vectors - np.array([-7.0, 3.0, 0.0]), 0, atol=1e-5)
    more = sorted(n - m for n, m in zip(inverse.GetSize(), field.GetSize(), strict=True))
    assert more == [0, 4, 8]  # 2 and 4 voxels on either side
    end = inverse.TransformPhysicalPointToIndex(field.GetOrigin())
    assert sorted(end) == [0, 2, 4]


def test_space_that_is_stretched_to_three_times_its_length_comes_back():
    """There the fixed point of whole steps goes back and forth without an end."""
    grid = coarse_grid(volume((80, 40, 40)))
    x = grid.GetSpacing()[0] * np.arange(grid.GetSize()[0])
    along = 2.0 * np.clip(x - 30.0, 0.0, 10.0)  # by 20 mm within 10 mm
    vectors = np.zeros((*grid.GetSize()[::-1], 3))
    vectors[..., 0] = gaussian_filter(along, 1.0)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.CopyInformation(grid)
    inverse = inverse_field(field)
    both = sitk.CompositeTransform([field_transform(inverse), field_transform(field)])
    inner = grid[4:-12, 4:-4, 4:-4]
    assert lengths(field_transform(field), inner).max() > 15
    assert lengths(both, inner).max() < 0.2


def test_between_voxels_the_inverse_is_as_good_as_in_them():
    """Exact values would err by nothing in voxels, and most between them."""
    grid = coarse_grid(volume())
    field = smooth_field(grid, 5.0, 4.0)
    inverse = inverse_field(field)
    step = np.array(grid.GetSpacing()) / 2
    means = []
    for share in (0.0, 1.0):
        points = grid[6:-6, 6:-6, 6:-6]
        points.SetOrigin((np.array(points.GetOrigin()) + share * step).tolist())
        both = sitk.CompositeTransform([field_transform(field), field_transform(inverse)])
        means.append(lengths(both, points).mean())
    assert lengths(field_transform(field), grid).mean() > 1
    assert means[1] < means[0] < 0.03


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_between_thick_slices_the_inverse_is_exact_too(orientation, monkeypatch):
    """Its voxels are smaller there, as the inverse of what is straight between slices is curved."""
    grid = volume((40, 44, 20), (2.0, 2.0, 5.0), orientation)
    field = smooth_field(grid, 12.0, 10.0)

    def worst(inverse):
        both = sitk.CompositeTransform([field_transform(inverse), field_transform(field)])
        points = sitk.DICOMOrient(grid, "LPS")[6:-6, 6:-6, 4:-4]
        first, errors = np.array(points.GetOrigin()), []
        for between in (0.0, 1.0, 2.5):
            points.SetOrigin((first + (0, 0, between)).tolist())
            errors.append(lengths(both, points).max())
        return max(errors)

    assert lengths(field_transform(field), grid).mean() > 2
    fine = inverse_field(field)
    up = int(np.abs(grid.GetDirection()[6:]).argmax())  # the axis from slice to slice
    steps = list(fine.GetSpacing())
    assert steps.pop(up) == pytest.approx(5 / 3) and steps == pytest.approx([2.0, 2.0])
    assert worst(fine) < 0.1
    monkeypatch.setattr(inverses, "MOST_VOXELS", 0)  # as of a very large field of view
    coarse = inverse_field(field)
    assert max(coarse.GetSpacing()) == 5.0
    assert worst(coarse) > 1.5 * worst(fine)


@pytest.mark.parametrize("along", [(3.0, 0.0, 0.0), (3.0, 0.0, 1.0)])
def test_the_outer_half_of_thick_border_slices_comes_back(along):
    """A displacement field of ITK acts up to half a voxel beyond its outermost points."""
    grid = volume((20, 20, 12), (2.0, 2.0, 5.0))
    field = displacement_field(sitk.TranslationTransform(3, along), grid)
    inverse = field_transform(inverse_field(field))
    for height in (-0.49, -0.3, 3.2, 11.3, 11.49):
        point = grid.TransformContinuousIndexToPhysicalPoint((8.0, 9.0, height))
        moved = field_transform(field).TransformPoint(point)
        assert np.subtract(moved, point) == pytest.approx(along)
        assert inverse.TransformPoint(moved) == pytest.approx(point, abs=1e-4)
