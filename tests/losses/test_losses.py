"""Losses: zero at the truth, right sign, and the terms that are logged."""

import pytest
import torch
from monai.losses import SSIMLoss

from bundle.errors import InputError
from bundle.losses import BiMSRecLoss
from bundle.losses.correspondence import CorrespondenceLoss, matching_weights
from bundle.losses.edges import edge_loss, sobel
from bundle.losses.field import FieldLoss
from bundle.losses.fusion import FusionLoss
from bundle.losses.information import information_loss
from bundle.losses.registration import registration_loss
from bundle.losses.smoothness import folding_loss
from bundle.losses.structure import structure_loss
from bundle.metrics.gradient_transfer import gradient_transfer
from bundle.metrics.visual_information import visual_information
from bundle.networks import BiMSRec
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


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("by", [3, -3])
def test_pixels_whose_source_left_the_frame_do_not_count(axis, by):
    truth = torch.zeros(1, 2, 8, 8)
    truth[:, axis] = by
    weight = FieldLoss().pixel_weight(truth, torch.ones(1, 1, 8, 8))[0, 0]
    counted = [1, 1, 1, 1, 1, 0, 0, 0][:: 1 if by > 0 else -1]
    assert weight.movedim(axis, -1).tolist() == [counted] * 8


def test_a_pair_counts_less_the_larger_its_displacement():
    fixed = torch.ones(1, 1, 64, 64)
    loss = FieldLoss(ssim_weight=0.0, balance=4.0)
    near, far = torch.zeros(2, 1, 2, 64, 64)
    near[:, 0], far[:, 0] = 1.0, 3.0  # 4 and 12 px of 256
    assert loss(near[:, None] + 1, near, fixed) == 2 * loss(far[:, None] + 1, far, fixed) > 0


def test_field_loss_tells_the_sign():
    truth = 3 * torch.randn(1, 2, 8, 8)
    truth = torch.nn.functional.interpolate(truth, size=64, mode="bicubic")
    fixed = torch.ones(1, 1, 64, 64)
    loss = FieldLoss()
    assert loss(-truth[:, None], truth, fixed) > 1.5 * loss(0 * truth[:, None], truth, fixed)


def test_registration_loss_counts_chrominance():
    image = torch.rand(1, 3, 32, 32)
    assert registration_loss(image, image) == pytest.approx(0, abs=1e-5)
    wrong = image.clone()
    wrong[:, 2] += 0.1
    structure = registration_loss(wrong[:, 2:], image[:, 2:]) - 0.1
    assert structure > 1e-3
    assert registration_loss(wrong, image) == pytest.approx(float(0.1 + structure / 3), abs=1e-4)


def test_registration_loss_is_zero_if_the_field_pulls_the_deformed_picture_back():
    aligned = torch.zeros(1, 3, 32, 32)
    aligned[..., 8:24, 8:24] = torch.rand(1, 3, 16, 16)
    ddf = torch.tensor([4.0, -3.0]).view(1, 2, 1, 1).repeat(1, 1, 32, 32).requires_grad_()
    batch = {"ddf": ddf.detach(), "fixed": aligned[:, :1], "aligned": aligned,
             "deformed": aligned.roll((4, -3), dims=(2, 3))}  # fmt: skip
    loss = BiMSRecLoss(registration_weight=1.0, correspondence_weight=0.0)
    assert loss({"ddf": ddf}, batch)["registration"] < 1e-4


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
    fixed, aligned = torch.rand(2, 1, 48, 48), torch.rand(2, 1, 48, 48)
    fused = torch.stack([fixed[0], aligned[1]])  # a copy of the MRI, a copy of the PET picture
    loss = FusionLoss(fixed_share={"CT": 1.0, "PET": 0.0}, information_weight=1.0)
    half = FusionLoss(fixed_share=0.5, information_weight=1.0)(fused, fixed, aligned)
    right = loss(fused, fixed, aligned, ["CT", "PET"])
    wrong = loss(fused, fixed, aligned, ["PET", "CT"])
    for term in ("fusion_ssim", "fusion_information"):
        assert right[term] == pytest.approx(0, abs=1e-3)
        assert wrong[term] > 0.5 and half[term] == pytest.approx(float(wrong[term]) / 2, abs=1e-3)
    with pytest.raises(InputError, match="SPECT"):
        loss(fused, fixed, aligned, ["CT", "SPECT"])
    complete = FusionLoss(fixed_share={"CT": 1.0, "PET": 0.0, "SPECT": 0.5}, information_weight=1.0)
    placed = complete(fused, fixed, aligned, torch.tensor([0, 1]))
    assert placed["fusion_ssim"] == right["fusion_ssim"]
    with pytest.raises(InputError, match="SPECT"):
        loss(fused, fixed, aligned, torch.tensor([0, 1]))


def test_structure_loss_is_that_of_monai():
    fused, fixed, aligned = smooth_pictures(3)[:, None]
    monai = SSIMLoss(spatial_dims=2, data_range=1.0, win_size=11, reduction="none")
    expected = torch.cat([monai(fused, fixed), monai(fused, aligned)], dim=1)
    found = structure_loss(fused, torch.cat([fixed, aligned], dim=1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_ssim_of_fields_is_that_of_monai():
    torch.manual_seed(0)
    truth = torch.nn.functional.interpolate(8 * torch.randn(2, 2, 8, 8), 64, mode="bicubic")
    fields = truth[:, None] + torch.randn(2, 3, 2, 64, 64)
    fixed = torch.ones(2, 1, 64, 64)
    for stride in (1, 4):
        pooled, expected = (
            torch.nn.functional.avg_pool2d(one.flatten(1, 2), stride) / 4.0
            for one in (fields, truth[:, None].repeat(1, 3, 1, 1, 1))
        )
        monai = SSIMLoss(spatial_dims=2, data_range=2.0, win_size=7)(pooled, expected)
        with_ssim, without = (
            FieldLoss(ssim_weight=weight, ssim_stride=stride)(fields, truth, fixed)
            for weight in (1.0, 0.0)
        )
        assert float(with_ssim - without) == pytest.approx(float(monai), abs=1e-4)


def smooth_pictures(count):
    coarse = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=64, mode="bicubic").clamp(0, 1)


def test_information_loss_is_minus_the_logarithm_of_vif():
    fused, fixed, aligned = smooth_pictures(3)[:, None]
    measured = visual_information(255 * fused, 255 * fixed, 255 * aligned)
    expected = -torch.stack([measured["VIF_A"], measured["VIF_B"]], dim=1).log()
    found = information_loss(fused, fixed, aligned)
    torch.testing.assert_close(found.double(), expected, rtol=0.01, atol=0)
    assert information_loss(fixed, fixed, torch.zeros_like(fixed)).abs().max() < 1e-4


@pytest.mark.parametrize("side", [17, 32, 40])
def test_information_loss_takes_small_pictures(side):
    fused, fixed, aligned = smooth_pictures(3)[:, None, ..., :side, :side]
    found = information_loss(fused, fixed, aligned)
    assert (found > 0.5).all() and information_loss(fixed, fixed, aligned)[0, 0] < 0.01
    with pytest.raises(ValueError, match="17 x 17"):
        information_loss(*(image[..., :16] for image in (fused, fixed, aligned)))


def test_edge_loss_is_what_the_edge_transfer_misses():
    _, fixed, aligned = smooth_pictures(3)[:, None]
    for picture in (fixed, 0.6 * fixed + 0.4 * aligned, torch.maximum(fixed, aligned)):
        missed = 1 - float(gradient_transfer(255 * picture, 255 * fixed, 255 * aligned)["Q"])
        # beside the measure's zeros around the frame, the loss counts turned polarity as lost
        assert edge_loss(picture, fixed, aligned) == pytest.approx(missed, abs=0.05)
    assert edge_loss(fixed, fixed, fixed) == pytest.approx(0.025, abs=0.005)
    assert edge_loss(1 - fixed, fixed, fixed) > 0.9


@pytest.mark.parametrize("blank", ["fused", "fixed", "aligned", "all"])
def test_fusion_loss_has_a_finite_gradient_for_blank_pictures(blank):
    names = ("fused", "fixed", "aligned")
    images = dict(zip(names, smooth_pictures(3)[:, None], strict=True))
    for name in names if blank == "all" else (blank,):
        images[name] = torch.zeros_like(images[name])
    images["fused"].requires_grad_()
    total = sum(FusionLoss()(**images).values())
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(images["fused"].grad).all()


@pytest.mark.parametrize("term", ["fusion_information", "fusion_edges"])
def test_following_the_gradient_keeps_more(term):
    fused, fixed, aligned = smooth_pictures(3)[:, None]
    weights = {"information_weight": 1.0, "edge_weight": 1.0}
    fused = fused.clone().requires_grad_()
    before = FusionLoss(**weights)(fused, fixed, aligned)[term]
    before.backward()
    with torch.no_grad():
        step = 1e-3 * fused.grad / fused.grad.abs().max()
        assert FusionLoss(**weights)(fused - step, fixed, aligned)[term] < before


def test_sobel_is_signed():
    ramp = torch.arange(8.0)[:, None].expand(8, 8)[None, None]
    rows, columns = sobel(ramp)[0]
    assert rows[4, 4] == -sobel(-ramp)[0, 0, 4, 4] != 0
    assert columns[4, 4] == 0


def test_folding_loss_sees_folds_only():
    rows = torch.arange(16.0)[:, None].expand(16, 16)
    smooth = torch.stack([0.1 * rows, 0 * rows])[None, None]
    folded = torch.stack([-1.5 * rows, 0 * rows])[None, None]
    assert folding_loss(smooth) == 0
    assert folding_loss(folded) == pytest.approx(0.7)  # determinant -0.5, margin 0.2


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
                          "registration", "fusion_ssim", "fusion_information", "fusion_edges",
                          "fusion_intensity", "fusion_gradient", "loss"}  # fmt: skip
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


def test_windows_of_a_padded_picture_are_compared_where_they_lie():
    network = BiMSRec(reduction=4, stage="registration").train()
    truth = torch.full((1, 2, 72, 72), 3.0)
    outputs = network(torch.rand(1, 2, 72, 72))
    assert outputs["padded"] == [80, 80]
    seen = []
    loss = BiMSRecLoss()
    loss.correspondence.forward = lambda *given: seen.append(given[1:]) or truth.sum()
    loss(outputs, {"fixed": torch.ones(1, 1, 72, 72), "ddf": truth})
    field, weight = seen[0]
    assert field.shape[2:] == weight.shape[2:] == (80, 80)
    assert torch.equal(field[..., :72, :72], truth) and not weight[..., 72:, :].any()
