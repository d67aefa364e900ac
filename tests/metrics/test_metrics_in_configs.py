"""Every metric class: built from JSON, fed in batches and lists, read item by item."""

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.handlers import IgniteMetricHandler

from bundle.metrics.endpoint_error import EndpointErrorMetric, endpoint_error
from bundle.metrics.gradient_transfer import GradientTransferMetric, gradient_transfer

FUSION = {
    "gradient_transfer.GradientTransferMetric": ("Q", "Q_A", "Q_B"),
    "visual_information.VisualInformationMetric": ("VIF", "VIF_A", "VIF_B"),
    "structural_similarity.StructuralSimilarityMetric": ("SSIM", "SSIM_A", "SSIM_B"),
    "viff.VIFFMetric": ("VIFF",),
    "mef_ssim.MEFSSIMMetric": ("MEF_SSIM",),
    "standard_deviation.StandardDeviationMetric": ("SD",),
}
IMAGE_PAIR = {
    "intensity.IntensityMetric": ("MAE", "NCC"),
    "residual_displacement.ResidualDisplacementMetric": ("RES",),
}
FIELD = {
    "displacement.DisplacementMetric": ("displacement",),
    "folding.FoldingMetric": ("folding", "min_jacobian"),
    "endpoint_error.EndpointErrorMetric": ("EPE", "EPE95"),
}


def build(target, **arguments):
    config = {"_target_": f"bundle.metrics.{target}", **arguments}
    return ConfigParser({"metric": config}).get_parsed_content("metric")


@pytest.mark.parametrize(("target", "terms"), (FUSION | IMAGE_PAIR | FIELD).items())
def test_collects_every_item_and_averages_the_term(texture, target, terms):
    images = torch.cat([texture(k) for k in range(9)])
    if target in FUSION:
        y_pred, y = images[:3], torch.cat([images[3:6], images[6:]], dim=1)
    elif target in IMAGE_PAIR:
        y_pred, y = images[:3], images[3:6]
    else:
        y_pred = torch.randn(3, 2, 64, 64, generator=torch.Generator().manual_seed(0))
        y = torch.cat([-y_pred, images[:3]], dim=1) if "endpoint" in target else images[:3]

    metric = build(target)
    metric(y_pred[:2], y[:2])
    metric(list(y_pred[2:]), list(y[2:]))  # decollated
    values = metric.get_buffer()
    assert metric.terms == terms
    assert values.shape == (3, len(terms))
    assert values.isfinite().all()
    assert metric.aggregate().item() == pytest.approx(values[:, 0].mean().item())

    last = build(target, term=terms[-1])
    last(y_pred, y)
    assert last.aggregate().item() == pytest.approx(values[:, -1].mean().item())
    last.reset()
    assert last.aggregate().isnan().item()


def test_buffer_holds_the_functions_values(texture):
    fused, fixed, aligned = texture(0), texture(1), texture(2)
    metric = GradientTransferMetric()
    metric(fused, torch.cat([fixed, aligned], dim=1))
    expected = torch.stack(list(gradient_transfer(fused, fixed, aligned).values()), dim=1)
    assert torch.equal(metric.get_buffer(), expected)


def test_items_without_a_value_are_left_out_of_the_mean():
    metric = EndpointErrorMetric()
    fixed = torch.full((2, 1, 40, 40), 200.0)
    fixed[1] = 0
    y = torch.cat([torch.zeros(2, 2, 40, 40), fixed], dim=1)
    metric(torch.ones(2, 2, 40, 40), y)
    assert metric.aggregate().item() == pytest.approx(2**0.5)


def test_serves_as_key_metric_of_an_engine(texture):
    fixed = texture(0)
    ddf, true_ddf = torch.ones(1, 2, 64, 64), torch.zeros(1, 2, 64, 64)
    engine = Engine(lambda _, batch: batch)
    handler = IgniteMetricHandler(
        EndpointErrorMetric(), output_transform=lambda o: (o["ddf"], o["truth"])
    )
    handler.attach(engine, "EPE")
    truth = torch.cat([true_ddf, fixed], dim=1)
    engine.run([{"ddf": ddf, "truth": truth}], max_epochs=1)
    expected = endpoint_error(ddf, true_ddf, fixed)[0].item()
    assert engine.state.metrics["EPE"] == pytest.approx(expected)


def test_mistakes_are_named(texture):
    with pytest.raises(ValueError, match=r"has the terms .*'Q_A'.*got 'Q_C'"):
        GradientTransferMetric(term="Q_C")
    with pytest.raises(ValueError, match=r"fixed, aligned; got \(1, 1, 64, 64\)"):
        GradientTransferMetric()(texture(0), texture(1))
    with pytest.raises(ValueError, match=r"true ddf_i, ddf_j, fixed; got \(1, 2, 64, 64\)"):
        EndpointErrorMetric()(torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64))
