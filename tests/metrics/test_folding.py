import numpy as np
import pytest
import torch

from bundle.metrics.folding import folding


def test_share_and_smallest_of_every_field():
    ddf = torch.zeros(3, 2, 12, 15, dtype=torch.float64)
    ddf[1, 1] = -2 * torch.arange(15.0)  # reflection
    ddf[2, 0] = 0.5 * torch.arange(12.0)[:, None]
    values = folding(ddf)
    assert values["folding"].tolist() == [0.0, 1.0, 0.0]
    assert values["min_jacobian"].tolist() == pytest.approx([1.0, -1.0, 1.5])


def test_only_the_folded_part_counts():
    # Columns 10 to 19 run backwards: x + ddf falls by 1 per pixel; central differences at the
    # turning points give slope 0, which counts as folded.
    position = np.concatenate([np.arange(10), 10 - np.arange(10), 1 + np.arange(10)]).astype(float)
    ddf = np.zeros((1, 2, 4, 30))
    ddf[0, 1] = position - np.arange(30)
    slope = np.gradient(position)
    expected = (slope <= 0).mean()
    assert folding(torch.from_numpy(ddf))["folding"].item() == pytest.approx(expected)
    assert 0.3 < expected < 0.45
