"""What a displacement field does to volumes, however its grid is stored."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.transform import jacobian_determinant
from tests.inference.images import smooth


def field(matrix, orientation="LPS", spacing=(1.5, 2.0, 3.0)):
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
    given = field(matrix, orientation)
    found = jacobian_determinant(given)
    assert found.GetDirection() == given.GetDirection()
    inner = sitk.GetArrayFromImage(found)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.linalg.det(matrix), atol=1e-6)
