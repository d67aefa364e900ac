"""What the shipped weights find in a volume."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.domain import PLANES
from bundle.evaluation.checks.volume_errors import mean_error
from bundle.geometry.head import find_head
from bundle.geometry.transform import field_transform
from bundle.images.pair import read_pair
from bundle.networks import load_network
from bundle.options import options_of
from bundle.phantom.pairs import make_head
from bundle.registration import initialize, register
from bundle.registration.combined import WEIGHTS


def phantom(contrast, head):
    """A contrast of a phantom head in LPS."""
    volume = sitk.GetImageFromArray(np.ascontiguousarray(head.contrast(contrast).T, np.float64))
    volume.SetSpacing(np.diag(head.affine)[:3].tolist())
    volume.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    volume.SetOrigin((head.affine[:3, 3] * [-1, -1, 1]).tolist())
    return volume


def test_the_shipped_weights_find_a_displacement_across_the_slices():
    head = make_head(3, (64, 72, 40), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))
    fixed, aligned = phantom("T1", head), phantom("CT", head)
    middle = np.array([n / 2 for n in fixed.GetSize()])
    z, y, x = np.indices(fixed.GetSize()[::-1])
    away = [3.0 * (part - m) for part, m in zip((x, y, z), middle, strict=True)]
    left, back, up = np.sin(away[0] / 40), np.sin(away[1] / 45), np.cos(away[2] / 50)
    true = np.stack([4 * up * back, 5 * up * left + 2, 6 * np.cos(away[1] / 50)], axis=-1)
    field = sitk.GetImageFromArray(true, isVector=True)
    field.CopyInformation(fixed)
    inverse = sitk.InvertDisplacementField(field, maximumNumberOfIterations=30)
    moving = sitk.Resample(
        aligned, aligned, sitk.DisplacementFieldTransform(inverse), sitk.sitkLinear, -1000.0
    )
    truth, inside = field_transform(field), find_head(fixed)
    before = mean_error(sitk.Transform(3, sitk.sitkIdentity), truth, inside)
    network, errors = load_network(device="cpu"), {}
    share = WEIGHTS["CT"][1] / sum(WEIGHTS["CT"])
    for plane in ("axial", "auto"):
        asked = options_of(init="none", modality="CT", plane=plane)
        ready = initialize(read_pair(fixed, moving, asked), asked)
        found = register(ready, network, asked)
        assert found.elastic.planes == (("axial",) if plane == "axial" else tuple(PLANES))
        assert found.elastic.optimiser == pytest.approx(0.0 if plane == "axial" else share)
        errors[plane] = mean_error(found.transform, truth, inside)
    assert errors["auto"] < 0.85 * before and errors["auto"] < errors["axial"], (before, errors)
