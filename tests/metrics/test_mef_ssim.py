import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from bundle.metrics.mef_ssim import mef_ssim


def ideal_patch(sources):
    """The patch of largest contrast and weighted mean structure, from the definition."""
    centred = [patch - patch.mean() for patch in sources]
    contrast = [np.linalg.norm(patch) for patch in centred]
    agreement = np.linalg.norm(sum(centred)) / sum(contrast)
    power = min(np.tan(np.pi / 2 * min(agreement, 1)), 10)
    weights = [(c / max(contrast)) ** power for c in contrast]
    structure = sum(w * p / c for w, p, c in zip(weights, centred, contrast, strict=True))
    return max(contrast) * structure / np.linalg.norm(structure)


def reference(fused, fixed, aligned):
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    images = [image[0, 0].numpy() for image in (fused, fixed, aligned)]
    quality = 1.0
    for exponent in np.array([0.0448, 0.2856, 0.3001]) / (0.0448 + 0.2856 + 0.3001):
        views = [sliding_window_view(image, (11, 11)).reshape(-1, 11, 11) for image in images]
        similarity = []
        for f, *sources in zip(*views, strict=True):
            x = ideal_patch(sources)
            dx, df = x - (window * x).sum(), f - (window * f).sum()
            c = (0.03 * 255) ** 2
            top = 2 * (window * dx * df).sum() + c
            similarity.append(top / ((window * dx**2).sum() + (window * df**2).sum() + c))
        quality *= np.mean(similarity) ** exponent
        halves = [image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2] for image in images]
        images = [(h[::2, ::2] + h[1::2, ::2] + h[::2, 1::2] + h[1::2, 1::2]) / 4 for h in halves]
    return quality


def test_equals_patchwise_definition(texture):
    fixed, aligned = texture(0, (48, 53)), texture(1, (48, 53))
    fused = 0.6 * fixed + 0.3 * aligned
    value = mef_ssim(fused, fixed, aligned)["MEF_SSIM"].item()
    assert value == pytest.approx(reference(fused, fixed, aligned), abs=1e-9)


def test_three_equal_images_give_one_whatever_the_brightness(texture):
    image = texture(2) / 2
    assert mef_ssim(image, image, image)["MEF_SSIM"].item() == pytest.approx(1, abs=1e-9)
    assert mef_ssim(image + 90, image, image)["MEF_SSIM"].item() == pytest.approx(1, abs=1e-9)


def test_flat_source_leaves_the_other_as_ideal(texture):
    image = texture(3)
    value = mef_ssim(image, image, torch.full_like(image, 255))["MEF_SSIM"].item()
    assert value == pytest.approx(1, abs=1e-9)


def test_opposite_sources_cancel_to_a_flat_ideal(texture):
    image = texture(3)
    blank = torch.zeros_like(image)
    assert mef_ssim(blank, image, 255 - image)["MEF_SSIM"].item() == pytest.approx(1, abs=1e-6)


def test_sources_can_be_exchanged(texture):
    fused, fixed, aligned = texture(0), texture(1), texture(2)
    one, other = mef_ssim(fused, fixed, aligned), mef_ssim(fused, aligned, fixed)
    assert one["MEF_SSIM"].item() == pytest.approx(other["MEF_SSIM"].item(), abs=1e-12)


@pytest.mark.parametrize("degrade", ["blur", "add_noise"])
def test_falls_as_the_fused_image_degrades(texture, request, degrade):
    apply = request.getfixturevalue(degrade)
    image = texture(4)
    strengths = (0.5, 1.5, 4) if degrade == "blur" else (5, 20, 60)
    fused = [image, *(apply(image, strength) for strength in strengths)]
    values = [mef_ssim(picture, image, image)["MEF_SSIM"].item() for picture in fused]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_small_image_is_refused(texture):
    small = texture(0, (43, 64))
    with pytest.raises(ValueError, match="larger picture"):
        mef_ssim(small, small, small)
