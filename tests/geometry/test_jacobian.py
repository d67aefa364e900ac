"""Jacobian determinants of pixels, of cells and of volumes, against linear maps and numpy."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.geometry.jacobian import cell_determinant, jacobian_determinant, volume_determinant
from tests.inference.images import smooth

LINEAR = [
    ([[1, 0], [0, 1]], 1.0),
    ([[1.5, 0], [0, 0.5]], 0.75),
    ([[1, 0.3], [-0.2, 1]], 1.06),
    ([[1, 0], [0, -1]], -1.0),  # reflection
]


def linear_field(matrix, size=(12, 15)):
    """ddf of x -> matrix @ x, (1, 2, H, W)."""
    grid = np.stack(np.mgrid[: size[0], : size[1]]).astype(float)
    mapped = np.einsum("kl,lij->kij", np.asarray(matrix, dtype=float), grid)
    return torch.from_numpy(mapped - grid)[None]


@pytest.mark.parametrize(("matrix", "determinant"), LINEAR)
def test_linear_maps_have_their_determinant(matrix, determinant):
    expected = torch.full((1, 12, 15), determinant, dtype=torch.float64)
    ddf = linear_field(matrix)
    torch.testing.assert_close(jacobian_determinant(ddf), expected)
    torch.testing.assert_close(cell_determinant(ddf)[:, :-1, :-1], expected[:, :-1, :-1])


def test_central_differences_do_not_mix_up_rows_and_columns():
    ddf = np.random.default_rng(0).standard_normal((1, 2, 9, 11))
    di, dj = np.gradient(ddf[0, 0]), np.gradient(ddf[0, 1])
    expected = (1 + di[0]) * (1 + dj[1]) - di[1] * dj[0]
    np.testing.assert_allclose(jacobian_determinant(torch.from_numpy(ddf))[0], expected)


def test_forward_differences_repeat_the_border():
    ddf = np.random.default_rng(0).standard_normal((1, 2, 9, 11))
    by_row = np.diff(ddf[0], axis=1, append=ddf[0, :, -1:])
    by_column = np.diff(ddf[0], axis=2, append=ddf[0, :, :, -1:])
    expected = (1 + by_row[0]) * (1 + by_column[1]) - by_row[1] * by_column[0]
    np.testing.assert_allclose(cell_determinant(torch.from_numpy(ddf))[0], expected)


def test_only_cells_see_pixels_that_change_places_alternately():
    ddf = torch.zeros(1, 2, 8, 8)
    ddf[:, 0, ::2] = 1.5
    assert (jacobian_determinant(ddf)[:, 1:-1] > 0).all()
    assert (cell_determinant(ddf) < 0).any()


def volume_field(matrix, orientation, spacing=(1.5, 2.0, 3.0)):
    """The linear field x -> (matrix - 1) x on an oblique grid."""
    grid = sitk.GetImageFromArray(smooth((9, 10, 11)))
    grid.SetSpacing(spacing)
    grid.SetDirection(sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix())
    grid = sitk.DICOMOrient(grid, orientation)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(np.ravel(matrix).tolist())
    kind = sitk.sitkVectorFloat64
    geometry = grid.GetOrigin(), grid.GetSpacing(), grid.GetDirection()
    return sitk.TransformToDisplacementField(transform, kind, grid.GetSize(), *geometry)


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "PIR", "SLP"])
@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([1.3, 0.9, 1.0]),
        np.diag([1.0, -0.5, 1.0]),  # folds along y
        [[1.1, 0.2, -0.1], [0.0, 0.8, 0.3], [0.2, -0.1, 1.2]],
    ],
)
def test_change_of_volume_does_not_depend_on_the_orientation(matrix, orientation):
    given = volume_field(matrix, orientation)
    found = volume_determinant(given)
    assert found.GetDirection() == given.GetDirection()
    inner = sitk.GetArrayFromImage(found)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.linalg.det(matrix), atol=1e-6)
