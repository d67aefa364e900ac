import numpy as np
import pytest
import torch

from bundle.metrics.endpoint_error import endpoint_error
from bundle.metrics.gradient_transfer import gradient_transfer
from bundle.metrics.mef_ssim import mef_ssim
from bundle.metrics.structural_similarity import structural_similarity
from bundle.metrics.suite import fusion_measures, registration_measures
from bundle.metrics.viff import viff
from bundle.metrics.visual_information import visual_information

REGISTRATION = ["RES", "MAE", "NCC", "SSIM_warped", "folding", "min_jacobian", "displacement"]


def test_fusion_has_every_column_with_each_measures_value(texture):
    images = [texture(k) for k in range(3)]
    measures = (gradient_transfer, visual_information, structural_similarity, viff, mef_ssim)
    expected = {"SD": np.std(images[0].numpy())}
    for measure in measures:
        expected |= {name: value.item() for name, value in measure(*images).items()}
    assert fusion_measures(*images) == pytest.approx(expected, abs=1e-12)
    assert len(expected) == 12


@pytest.fixture
def pair(texture):
    aligned = texture(1)
    true_ddf = torch.zeros(1, 2, 64, 64)
    true_ddf[:, 0] = 2
    return {"fixed": texture(0), "aligned": aligned, "true_ddf": true_ddf}


def test_perfect_registration(pair):
    values = registration_measures(**pair, warped=pair["aligned"], ddf=pair["true_ddf"])
    assert list(values) == ["EPE", "EPE95", *REGISTRATION]
    assert values["EPE"] == values["EPE95"] == values["MAE"] == values["folding"] == 0
    assert values["displacement"] == pytest.approx(2)
    assert values["min_jacobian"] == 1
    assert values["NCC"] == pytest.approx(1)
    assert values["SSIM_warped"] == pytest.approx(1, abs=1e-6)
    assert values["RES"] < 0.02


def test_ten_flows_have_columns_of_their_own(pair):
    flows = torch.randn(1, 10, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    values = registration_measures(
        **pair, warped=pair["aligned"], ddf=pair["true_ddf"], flows=flows
    )
    assert values["EPE"] == 0
    for k in range(10):
        mean, high = endpoint_error(flows[:, k], pair["true_ddf"], pair["fixed"])
        assert values[f"EPE_flow{k + 1}"] == pytest.approx(mean.item())
        assert values[f"EPE95_flow{k + 1}"] == pytest.approx(high.item())


def test_without_a_true_field_there_is_no_epe(pair):
    ddf = pair.pop("true_ddf")
    values = registration_measures(**pair, warped=pair["aligned"], ddf=ddf)
    assert list(values) == REGISTRATION


def test_takes_one_pair_at_a_time(texture):
    batch = torch.cat([texture(0), texture(1)])
    with pytest.raises(ValueError, match="batch of 2"):
        fusion_measures(batch, batch, batch)
