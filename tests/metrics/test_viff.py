import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from bundle.metrics.viff import viff


def patches(image, taps):
    return sliding_window_view(image, (taps, taps)).reshape(-1, taps * taps)


def gaussian(taps):
    offset = np.arange(taps) - taps // 2
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * (taps / 5) ** 2)).ravel()
    return window / window.sum()


def reference(fused, fixed, aligned):
    """Window by window from explicit patches, with weighted least squares."""
    total, noise = 0.0, 0.005 * 255**2
    images = [image[0, 0].numpy() for image in (fused, fixed, aligned)]
    for scale, (taps, share) in enumerate(zip((17, 9, 5, 3), (1, 0, 0.15, 1), strict=True)):
        window = gaussian(taps)
        if scale:
            shape = [length - taps + 1 for length in images[0].shape]
            images = [(patches(i, taps) @ window).reshape(shape)[::2, ::2] for i in images]
        kept = available = 0.0
        for f, *sources in zip(*(patches(image, taps) for image in images), strict=True):
            models = []
            for s in sources:
                ds, df = s - window @ s, f - window @ f
                variance, shared, energy = window @ ds**2, window @ (ds * df), window @ df**2
                gain = max(shared / variance, 0.0)
                rest = energy - 2 * gain * shared + gain**2 * variance
                models.append((gain, gain**2 * variance / (rest + noise), variance / noise))
            _, with_fused, alone = min(models)
            kept += np.log10(1 + with_fused)
            available += np.log10(1 + alone)
        total += share / 2.15 * kept / available
    return total


def test_equals_patchwise_definition(texture):
    fixed, aligned = texture(0, (44, 52), sigma=4), texture(1, (44, 52), sigma=4)
    fused = 0.7 * torch.maximum(fixed, aligned)
    value = viff(fused, fixed, aligned)["VIFF"].item()
    assert value == pytest.approx(reference(fused, fixed, aligned), abs=1e-5)


def test_three_equal_images_give_one(texture):
    image = texture(2)
    assert viff(image, image, image)["VIFF"].item() == pytest.approx(1, abs=1e-9)


def test_sources_can_be_exchanged(texture):
    fused, fixed, aligned = texture(0), texture(1), texture(2)
    fixed[..., :30] = 0  # equal gains of 0 where a window is flat or unrelated in both
    one, other = viff(fused, fixed, aligned)["VIFF"], viff(fused, aligned, fixed)["VIFF"]
    assert one.item() == pytest.approx(other.item(), abs=1e-12)


@pytest.mark.parametrize("degrade", ["blur", "add_noise"])
def test_falls_as_the_fused_image_degrades(texture, request, degrade):
    apply = request.getfixturevalue(degrade)
    image = texture(4)
    strengths = (0.5, 1.5, 4) if degrade == "blur" else (5, 20, 60)
    fused = [image, *(apply(image, strength) for strength in strengths)]
    values = [viff(picture, image, image)["VIFF"].item() for picture in fused]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[1] > 1e-3
    assert values[-1] < 0.7
