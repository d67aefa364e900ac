import numpy as np
import pytest
import torch

from bundle.metrics.intensity import intensity


def test_against_numpy_per_item(texture):
    warped, aligned = torch.cat([texture(0), texture(1)]), torch.cat([texture(2), texture(1) / 2])
    values = intensity(warped, aligned)
    for k in range(2):
        first, second = warped[k].numpy().ravel(), aligned[k].numpy().ravel()
        assert values["MAE"][k].item() == pytest.approx(np.abs(first - second).mean())
        assert values["NCC"][k].item() == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_inverted_image_is_minus_one(texture):
    assert intensity(255 - texture(0), texture(0))["NCC"].item() == pytest.approx(-1)


def test_sizes_must_agree(texture):
    with pytest.raises(ValueError, match="warped.*64, 64.*aligned.*32, 32"):
        intensity(texture(0), texture(0, (32, 32)))
