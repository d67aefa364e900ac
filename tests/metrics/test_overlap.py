import pytest
import torch

from bundle.metrics.overlap import label_dice


def test_hand_counted_overlap():
    fixed = torch.zeros(1, 1, 8, 8)
    warped = torch.zeros(1, 1, 8, 8)
    fixed[..., :4, :4], warped[..., 2:6, :4] = 1, 1  # 16 px each, 8 shared
    fixed[..., 7, :], warped[..., 7, :] = 2, 2  # equal
    dice = label_dice(warped, fixed, num_classes=4)
    assert dice[0, :2].tolist() == [pytest.approx(0.5), 1.0]
    assert dice[0, 2].isnan()  # class 3 does not occur


def test_volumes():
    labels = (torch.rand(1, 1, 6, 7, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    assert label_dice(labels, labels, num_classes=2).tolist() == [[1.0]]
