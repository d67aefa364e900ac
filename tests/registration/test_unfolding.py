"""Smoothing of a field in space where it folds, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.jacobian import volume_determinant
from bundle.registration.unfolding import LEAST, without_folds

SHAPE = (40, 36, 32)
TURN = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def field_of(vectors, spacing=(1.0, 1.5, 2.0), direction=UPRIGHT):
    field = sitk.GetImageFromArray(np.asarray(vectors, np.float64), isVector=True)
    field.SetSpacing(spacing)
    field.SetDirection(direction)
    field.SetOrigin((5.0, -3.0, 2.0))
    return field


def least(field):
    return sitk.GetArrayFromImage(volume_determinant(field)).min()


def test_a_field_without_folds_comes_back_as_it_is():
    vectors = np.random.default_rng(0).uniform(-0.1, 0.1, (*SHAPE, 3))
    found = without_folds(field_of(vectors))
    assert (sitk.GetArrayFromImage(found) == vectors).all()


@pytest.mark.parametrize("place", [(20, 18, 16), (0, 0, 0), (39, 2, 31)])
@pytest.mark.parametrize("direction", [UPRIGHT, TURN], ids=["upright", "turned"])
def test_a_fold_is_smoothed_and_what_lies_far_from_it_stays(place, direction):
    vectors = np.random.default_rng(0).uniform(-0.1, 0.1, (*SHAPE, 3))
    vectors[place] += 6.0
    field = field_of(vectors, direction=direction)
    assert least(field) < 0
    found = without_folds(field)
    assert least(found) >= LEAST
    changed = np.linalg.norm(sitk.GetArrayFromImage(found) - vectors, axis=-1)
    far = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(place), axis=-1) > 16
    assert changed[place] > 1 and far.sum() > 10000 and changed[far].max() == 0
    for said in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(found, said)() == getattr(field, said)()


@pytest.mark.parametrize("size", [(40, 40, 40), (2, 40, 40), (1, 30, 30)])
@pytest.mark.parametrize("strength", [3.0, 300.0])
def test_even_noise_comes_to_an_end(size, strength):
    field = field_of(np.random.default_rng(1).normal(0, strength, (*size, 3)))
    found = without_folds(field)
    assert least(found) >= LEAST and np.isfinite(sitk.GetArrayFromImage(found)).all()
