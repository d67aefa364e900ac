"""How well two heads match under a placement, where the moving volume shows a part."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.transform import as_matrix
from bundle.registration.similarity import mutual_information
from bundle.registration.start_similarity import similarity
from bundle.registration.start_volume import StartVolume

SHAPE = (12, 10, 8)


def noise(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def start_volume_of(values, head=None):
    inside = np.ones(values.shape, np.uint8) if head is None else head.astype(np.uint8)
    return StartVolume(sitk.GetImageFromArray(values), sitk.GetImageFromArray(inside))


def shift(z):
    return as_matrix(sitk.TranslationTransform(3, (0.0, 0.0, z)))


def test_it_is_the_mutual_information_in_the_head_where_all_is_shown():
    fixed, moving, head = noise(0), noise(1), noise(2) > 0.4
    found = similarity(start_volume_of(fixed, head), start_volume_of(moving), np.eye(4))
    assert found == pytest.approx(mutual_information(fixed, moving, head), abs=1e-6)


def test_of_a_part_it_is_that_of_the_part_times_its_share():
    """The moving volume lacks what lies below its fourth slice."""
    fixed, moving = noise(0), noise(1)
    part = start_volume_of(moving[3:])
    found = similarity(start_volume_of(fixed), part, shift(-3.0))
    expected = mutual_information(fixed[3:], moving[3:]) * 9 / 12
    assert found == pytest.approx(expected, abs=1e-6) and found > 0


def test_what_shows_nothing_of_the_head_matches_in_nothing():
    volume = start_volume_of(noise())
    assert similarity(volume, volume, shift(100.0)) == 0.0


def test_values_of_0_are_shown():
    """Air within the moving volume counts, other than what lies beyond it."""
    fixed = noise()
    moving = np.where(fixed > 0.5, fixed, 0.0).astype(np.float32)
    found = similarity(start_volume_of(fixed), start_volume_of(moving), np.eye(4))
    assert found == pytest.approx(mutual_information(fixed, moving), abs=1e-6)
