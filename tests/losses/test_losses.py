"""Losses: zero at the truth, right sign, and the terms that are logged."""

import pytest
import torch

from bundle.losses import BiMSRecLoss
from bundle.losses.correspondence import CorrespondenceLoss, matching_weights
from bundle.losses.field import FieldLoss
from bundle.losses.fusion import FusionLoss, sobel
from bundle.losses.registration import RegistrationLoss
from bundle.losses.smoothness import FoldingLoss
from bundle.networks.cross_attention import unit_tokens
from bundle.networks.local_correlation import local_correlation


def test_field_loss_is_zero_at_the_truth_and_counts_pixels():
    truth = torch.full((1, 2, 64, 64), 2.0)
    loss = FieldLoss(ssim_weight=0.0, balance=0.0)
    fixed = torch.ones(1, 1, 64, 64)
    assert loss(truth[:, None], truth, fixed) == 0
    # 1 px off in one channel; pictures of 64 px count fourfold in px of 256
    shifted = truth[:, None] + torch.tensor([1.0, 0.0])[:, None, None]
    assert loss(shifted, truth, fixed) == pytest.approx(4.0)


def test_field_loss_ignores_what_left_the_frame():
    truth = torch.zeros(1, 2, 64, 64)
    truth[..., :32] = -100.0
    loss = FieldLoss(ssim_weight=0.0, balance=0.0)
    guess = torch.zeros(1, 1, 2, 64, 64)
    assert loss(guess, truth, torch.ones(1, 1, 64, 64)) == 0


def test_field_loss_tells_the_sign():
    truth = 3 * torch.randn(1, 2, 8, 8)
    truth = torch.nn.functional.interpolate(truth, size=64, mode="bicubic")
    fixed = torch.ones(1, 1, 64, 64)
    loss = FieldLoss()
    assert loss(-truth[:, None], truth, fixed) > 1.5 * loss(0 * truth[:, None], truth, fixed)


def test_registration_loss_counts_chrominance():
    image = torch.rand(1, 3, 32, 32)
    loss = RegistrationLoss()
    assert loss(image, image) == pytest.approx(0, abs=1e-5)
    wrong = image.clone()
    wrong[:, 2] += 0.1
    assert loss(wrong, image) == pytest.approx(0.1, abs=1e-4)


def test_fusion_loss_prefers_both_sources():
    fixed, aligned = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    fixed[..., 8:24, 8:24] = 1.0
    aligned[..., 40:56, 40:56] = 1.0
    loss = FusionLoss()

    def total(fused):
        return sum(loss(fused, fixed, aligned).values())

    assert total(torch.maximum(fixed, aligned)) < total(fixed)
    assert loss(torch.maximum(fixed, aligned), fixed, aligned)["fusion_gradient"] == 0


def test_fusion_loss_weighs_the_sources_of_each_modality():
    torch.manual_seed(0)
    fixed, aligned = torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32)
    fused = torch.stack([fixed[0], aligned[1]])  # a copy of the MRI, a copy of the PET picture
    loss = FusionLoss(fixed_share={"CT": 1.0, "PET": 0.0})
    assert loss(fused, fixed, aligned, ["CT", "PET"])["fusion_ssim"] == pytest.approx(0, abs=1e-5)
    wrong = float(loss(fused, fixed, aligned, ["PET", "CT"])["fusion_ssim"])
    both = FusionLoss(fixed_share=0.5)(fused, fixed, aligned)["fusion_ssim"]
    assert wrong > 0.5 and both == pytest.approx(wrong / 2, abs=1e-5)
    with pytest.raises(KeyError, match="SPECT"):
        loss(fused, fixed, aligned, ["CT", "SPECT"])


def test_sobel_is_signed():
    ramp = torch.arange(8.0)[:, None].expand(8, 8)[None, None]
    rows, columns = sobel(ramp)[0]
    assert rows[4, 4] == -sobel(-ramp)[0, 0, 4, 4] != 0
    assert columns[4, 4] == 0


def test_folding_loss_sees_folds_only():
    loss = FoldingLoss()
    rows = torch.arange(16.0)[:, None].expand(16, 16)
    smooth = torch.stack([0.1 * rows, 0 * rows])[None, None]
    folded = torch.stack([-1.5 * rows, 0 * rows])[None, None]
    assert loss(smooth) == 0
    assert loss(folded) == pytest.approx(0.7)  # determinant -0.5, margin 0.2


def test_combined_loss_logs_its_terms():
    truth = torch.randn(2, 2, 64, 64)
    batch = {"ddf": truth, "fixed": torch.rand(2, 1, 64, 64), "aligned": torch.rand(2, 3, 64, 64),
             "deformed": torch.rand(2, 3, 64, 64)}  # fmt: skip
    outputs = {
        "ddf": truth.clone().requires_grad_(),
        "flows": truth[:, None].repeat(1, 10, 1, 1, 1),
        "matches": truth[:, None].repeat(1, 5, 1, 1, 1),
        "fused": batch["fixed"],
        "windows": [torch.rand(2, 9, 8, 8)],
    }
    terms = BiMSRecLoss(registration_weight=1.0)(outputs, batch)
    assert set(terms) == {"flows", "ddf", "matches", "correspondence", "folding",
                          "registration", "fusion_ssim", "fusion_intensity", "fusion_gradient",
                          "loss"}  # fmt: skip
    parts = sum(float(term) for name, term in terms.items() if name != "loss")
    assert float(terms["loss"]) == pytest.approx(parts, rel=1e-5)


def test_matching_weights_point_to_the_true_offset():
    ddf = torch.zeros(1, 2, 64, 64)
    ddf[:, 0], ddf[:, 1] = 16.0, 8.0  # tokens of 16 px: one down, half a token right
    target = matching_weights(ddf, (4, 4), radius=1)[0]
    expected = torch.zeros(3, 3)
    expected[2, 1] = expected[2, 2] = 0.5
    torch.testing.assert_close(target[:, 1, 2].reshape(3, 3), expected)
    ddf[:, 0] = 32.0
    assert not matching_weights(ddf, (4, 4), radius=1).any()  # beyond the window


def test_correspondence_loss_prefers_the_true_match():
    key = unit_tokens(torch.randn(1, 32, 4, 4))
    query = torch.roll(key, -1, dims=3)  # content of the moving picture one token to the right
    windows = [20 * local_correlation(query, key, radius=1)]
    weight = torch.ones(1, 1, 64, 64)
    weight[..., 48:] = 0.0  # its match is outside
    loss = CorrespondenceLoss()
    right, wrong = torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64)
    right[:, 1], wrong[:, 1] = 16.0, -16.0
    assert loss(windows, right, weight) < 1.0 < loss(windows, wrong, weight)
