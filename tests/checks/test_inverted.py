"""The share of a head that a registration and its inverse bring back."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.evaluation.checks.inverted import inverted_share

SIDE = 12


def moved_where(x, by):
    """A transform that moves what lies beyond x by so many mm along y."""
    vectors = np.zeros((SIDE, SIDE, SIDE, 3))
    vectors[:, :, x:, 1] = by
    return sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))


@pytest.mark.parametrize(("by", "expected"), [(0.05, 1.0), (0.2, 0.5)])
def test_points_count_that_are_back_within_a_tenth_of_a_millimetre(by, expected):
    """The transform moves half of the head, and what stands for its inverse brings nothing back."""
    fixed = sitk.Image((SIDE,) * 3, sitk.sitkFloat32)
    head = torch.zeros(1, SIDE, SIDE, SIDE, dtype=torch.uint8)
    head[:, 3:10] = 1
    found = SimpleNamespace(
        pair=SimpleNamespace(fixed=SimpleNamespace(image=fixed), plane="axial"),
        initial=SimpleNamespace(head=head),
        mapping=SimpleNamespace(
            forward=moved_where(6, by), backward=sitk.Transform(3, sitk.sitkIdentity)
        ),
    )
    assert inverted_share(found) == pytest.approx(expected)
