"""Similarity and through-plane consistency on small arrays."""

import numpy as np
import pytest
import torch

from bundle.volumes.consistency import mean_jump, smooth_through_plane
from bundle.volumes.figures import correlation, warnings
from bundle.volumes.similarity import mutual_information


def test_mutual_information_of_an_image_with_itself_is_its_entropy():
    values = np.repeat([0.1, 0.4, 0.7, 0.95], 25)
    assert mutual_information(values, values) == pytest.approx(np.log(4))
    assert mutual_information(values, 1 - values) == pytest.approx(np.log(4))


def test_independent_images_share_nothing():
    first, second = np.meshgrid([0.2, 0.8], [0.3, 0.9])
    assert mutual_information(first, second) == pytest.approx(0.0, abs=1e-12)
    assert mutual_information(np.zeros(5), np.zeros(5)) == 0.0


def test_an_empty_slice_takes_its_field_from_its_neighbours():
    fixed = torch.ones(1, 1, 4, 4, 5)
    fixed[..., 2] = 0.0
    ddf = torch.zeros(1, 2, 4, 4, 5)
    ddf[..., 2] = 50.0
    smooth = smooth_through_plane(ddf, fixed, sigma=1.0)
    assert smooth.max() < 0.2
    assert mean_jump(smooth) < mean_jump(ddf)
    constant = torch.full_like(ddf, 3.0)
    torch.testing.assert_close(smooth_through_plane(constant, fixed), constant)
    assert smooth_through_plane(ddf, fixed, sigma=0.0) is ddf


def test_suspicious_figures_are_put_in_words():
    report = {
        "field_kept": False,
        "jacobian": {"folding": 0.01},
        "mutual_information": {"after": 0.01},
        "overlap": 0.3,
        "displacement_mm": {"max": 100.0},
    }
    assert len(warnings(report)) == 5
    assert correlation(np.zeros(4), np.arange(4)) is None
