import pytest
import torch
from torchmetrics.functional.image import visual_information_fidelity

from bundle.metrics.visual_information import visual_information


@pytest.mark.parametrize("size", [(41, 41), (64, 51)])
def test_equals_torchmetrics_with_fused_as_prediction(texture, size):
    fixed, aligned = texture(0, size), texture(1, size)
    aligned[..., :20, :20] = 0  # a flat part
    fused = torch.maximum(fixed, aligned) * 0.8
    values = visual_information(fused, fixed, aligned)
    of_fixed = visual_information_fidelity(preds=fused, target=fixed, sigma_n_sq=2.0).item()
    of_aligned = visual_information_fidelity(preds=fused, target=aligned, sigma_n_sq=2.0).item()
    assert values["VIF_A"].item() == pytest.approx(of_fixed, abs=1e-9)
    assert values["VIF_B"].item() == pytest.approx(of_aligned, abs=1e-9)
    assert values["VIF"].item() == pytest.approx((of_fixed + of_aligned) / 2, abs=1e-9)


def test_sources_are_the_reference_not_the_fused_image(texture):
    # Raised contrast gives more than 1 only if the source is the reference.
    source = texture(2) / 4
    assert visual_information(2 * source, source, source)["VIF"].item() > 1
    assert visual_information(source, 2 * source, 2 * source)["VIF"].item() < 1


def test_copy_is_one_and_constant_is_nothing(texture):
    source = texture(3)
    assert visual_information(source, source, source)["VIF"].item() == pytest.approx(1, abs=1e-9)
    blank = torch.full_like(source, 128)
    assert visual_information(blank, source, source)["VIF"].item() == pytest.approx(0, abs=1e-6)


def test_batch_equals_single_items(texture):
    first, second = (texture(0), texture(1), texture(2)), (texture(3), texture(4), texture(5))
    batch = visual_information(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
    assert batch["VIF_B"][0].item() == visual_information(*first)["VIF_B"].item()
    assert batch["VIF_B"][1].item() == visual_information(*second)["VIF_B"].item()


def test_small_image_is_refused(texture):
    small = texture(0, (40, 64))
    with pytest.raises(ValueError, match="at least 41 x 41 px, got 40 x 64"):
        visual_information(small, small, small)
