"""Values of a volume at points."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from bundle.geometry.sampling import values_at


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 7, 64])
def test_samples_are_those_of_scipy_on_any_number_of_threads(threads, count):
    rng = np.random.default_rng(count)
    volume = rng.random((2, 5, 6, 7))
    places = rng.uniform(-2, 8, (3, count))
    expected = [map_coordinates(one, places, order=1, mode="nearest") for one in volume]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = values_at(torch.from_numpy(volume)[None], torch.from_numpy(places))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_gradients_are_the_slopes_of_the_volume():
    ramp = torch.arange(6.0).view(1, 1, 6, 1, 1) * 2.0 + torch.arange(5.0).view(1, 1, 1, 1, 5)
    places = torch.tensor([[1.3, 2.6], [0.0, 0.0], [2.2, 0.4]], requires_grad=True)
    values_at(ramp.expand(1, 1, 6, 1, 5), places).sum().backward()
    torch.testing.assert_close(places.grad[[0, 2]], torch.tensor([[2.0, 2.0], [1.0, 1.0]]))
