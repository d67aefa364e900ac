import numpy as np
import pytest
import torch

from bundle.metrics.endpoint_error import endpoint_error


@pytest.fixture
def bright():
    return torch.full((1, 1, 40, 50), 200.0)


def test_constant_offset_of_3_and_4_is_5(bright):
    true_ddf = torch.zeros(1, 2, 40, 50)
    ddf = torch.tensor([3.0, -4.0]).reshape(1, 2, 1, 1).expand_as(true_ddf)
    mean, high = endpoint_error(ddf, true_ddf, bright)
    assert mean.shape == (1,)
    assert (mean.item(), high.item()) == (5.0, 5.0)


def test_several_fields_equal_each_alone(bright):
    generator = torch.Generator().manual_seed(0)
    fields = torch.randn(2, 10, 2, 40, 50, generator=generator)
    true_ddf = torch.randn(2, 2, 40, 50, generator=generator)
    mean, high = endpoint_error(fields, true_ddf, bright.expand(2, -1, -1, -1))
    assert mean.shape == high.shape == (2, 10)
    alone = endpoint_error(fields[1:, 7], true_ddf[1:], bright)
    assert mean[1, 7].item() == pytest.approx(alone[0].item(), abs=1e-12)
    assert high[1, 7].item() == pytest.approx(alone[1].item(), abs=1e-12)


def test_percentile_and_mean_against_numpy(bright):
    ddf = torch.randn(1, 2, 40, 50, generator=torch.Generator().manual_seed(1))
    mean, high = endpoint_error(ddf, torch.zeros_like(ddf), bright)
    length = np.linalg.norm(ddf[0].double().numpy(), axis=0).ravel()
    assert mean.item() == pytest.approx(length.mean())
    assert high.item() == pytest.approx(np.percentile(length, 95))


def test_dark_background_does_not_count(bright):
    bright[..., :, 25:] = 0
    ddf = torch.zeros(1, 2, 40, 50)
    ddf[..., 35:] = 100
    assert endpoint_error(ddf, torch.zeros_like(ddf), bright)[0].item() == 0


@pytest.mark.parametrize("channel", [0, 1])
def test_source_outside_the_frame_does_not_count(bright, channel):
    # The last five rows (columns) come from outside; the error lies there alone.
    true_ddf = torch.zeros(1, 2, 40, 50)
    outside = (..., slice(-5, None), slice(None)) if channel == 0 else (..., slice(-5, None))
    true_ddf[:, channel][outside] = 5
    wrong = true_ddf.clone()
    wrong[:, channel][outside] = -5
    assert endpoint_error(wrong, true_ddf, bright)[0].item() == 0
    # Up to the last pixel's centre a source counts.
    true_ddf[:, channel][outside] = 0
    assert endpoint_error(wrong, true_ddf, bright)[0].item() > 0


def test_nothing_to_count_is_nan(bright):
    zero = torch.zeros(1, 3, 2, 40, 50)
    mean, high = endpoint_error(zero, zero[:, 0], torch.zeros_like(bright))
    assert mean.isnan().all() and high.isnan().all()
    assert mean.shape == (1, 3)


def test_shapes_are_checked(bright):
    with pytest.raises(ValueError, match=r"got \(1, 2, 40, 40\) and \(1, 2, 40, 50\)"):
        endpoint_error(torch.zeros(1, 2, 40, 40), torch.zeros(1, 2, 40, 50), bright)
