import numpy as np
import torch

from bundle.metrics.standard_deviation import standard_deviation


def test_equals_numpy_per_item(texture):
    batch = torch.cat([texture(0), texture(1) / 3])
    expected = [np.std(image.numpy()) for image in batch]
    np.testing.assert_allclose(standard_deviation(batch)["SD"], expected, rtol=1e-12)


def test_black_and_white_halves(as_image):
    image = np.zeros((8, 8))
    image[:4] = 255
    assert standard_deviation(as_image(image))["SD"].item() == 127.5
