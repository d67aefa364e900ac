"""Slices of one plane as those of another."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.domain import PLANES
from bundle.geometry.slices import in_plane_of, to_slices


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "SLP"])
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("other", PLANES)
def test_slices_of_another_plane_are_cut_from_the_same_voxels(plane, other, orientation):
    values = np.random.default_rng(0).random((4, 5, 6))
    volume = sitk.GetImageFromArray(values)
    volume.SetDirection(sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix())
    volume = sitk.DICOMOrient(volume, orientation)
    expected = to_slices(volume, other)
    found = in_plane_of(to_slices(volume, plane), plane, other)
    assert torch.equal(found, expected)
    several = torch.cat([to_slices(volume, plane), 2 * to_slices(volume, plane)])
    assert torch.equal(in_plane_of(several, plane, other), torch.cat([expected, 2 * expected]))
