"""Mutual information on small arrays."""

import numpy as np
import pytest

from bundle.registration.similarity import mutual_information


def test_mutual_information_of_an_image_with_itself_is_its_entropy():
    values = np.repeat([0.1, 0.4, 0.7, 0.95], 25)
    assert mutual_information(values, values) == pytest.approx(np.log(4))
    assert mutual_information(values, 1 - values) == pytest.approx(np.log(4))


def test_independent_images_share_nothing():
    first, second = np.meshgrid([0.2, 0.8], [0.3, 0.9])
    assert mutual_information(first, second) == pytest.approx(0.0, abs=1e-12)
    assert mutual_information(np.zeros(5), np.zeros(5)) == 0.0


def test_only_the_head_counts_if_it_is_given():
    values = np.repeat([0.1, 0.4, 0.7, 0.95], 25)
    where = values > 0.5
    assert mutual_information(values, values, where) == pytest.approx(np.log(2))
