import math

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel

from bundle.metrics.gradient_transfer import _preservation, _sobel, gradient_transfer

# .9994 / (1 + e^(-15 * .5)) * .9879 / (1 + e^(-22 * .2))
MAXIMUM = 0.9994 / (1 + math.exp(-7.5)) * 0.9879 / (1 + math.exp(-4.4))


def reference(fused, fixed, aligned):
    """Pixel by pixel, from the definition, with scipy's Sobel."""

    def edges(image):
        image = image[0, 0].numpy()
        return sobel(image, axis=0, mode="constant"), sobel(image, axis=1, mode="constant")

    def preserved(source, result):
        kept = weight = 0.0
        for si, sj, fi, fj in zip(*(e.ravel() for e in source + result), strict=True):
            gs, gf = math.hypot(si, sj), math.hypot(fi, fj)
            if gs == 0:
                continue
            angle_s = math.atan(si / sj) if sj else math.pi / 2
            angle_f = math.atan(fi / fj) if fj else math.pi / 2
            strength = min(gs, gf) / max(gs, gf)
            orientation = 1 - abs(angle_s - angle_f) / (math.pi / 2)
            quality = 0.9994 / (1 + math.exp(-15 * (strength - 0.5)))
            kept += gs * quality * 0.9879 / (1 + math.exp(-22 * (orientation - 0.8)))
            weight += gs
        return kept, weight

    of_fixed = preserved(edges(fixed), edges(fused))
    of_aligned = preserved(edges(aligned), edges(fused))
    both = (of_fixed[0] + of_aligned[0]) / (of_fixed[1] + of_aligned[1])
    return both, of_fixed[0] / of_fixed[1], of_aligned[0] / of_aligned[1]


def test_equals_definition_pixel_by_pixel(texture):
    fixed, aligned = texture(0, (40, 47)), texture(1, (40, 47))
    fused = torch.maximum(fixed, aligned)
    values = gradient_transfer(fused, fixed, aligned)
    found = [values[name].item() for name in ("Q", "Q_A", "Q_B")]
    np.testing.assert_allclose(found, reference(fused, fixed, aligned), rtol=1e-10)


def test_three_equal_images_reach_the_maximum_of_the_constants(texture):
    image = texture(2)
    for value in gradient_transfer(image, image, image).values():
        assert value.item() == pytest.approx(MAXIMUM, abs=1e-12)
    assert pytest.approx(0.974794, abs=1e-6) == MAXIMUM


def test_half_the_contrast_halves_the_strength_term(texture):
    fixed = 2 * torch.floor(texture(3) / 2)
    value = gradient_transfer(fixed / 2, fixed, fixed)["Q"].item()
    assert value == pytest.approx(0.9994 / 2 * 0.9879 / (1 + math.exp(-4.4)), abs=1e-12)


def test_fused_without_edges_keeps_nothing(texture):
    fused = torch.zeros_like(texture(0))
    assert gradient_transfer(fused, texture(0), texture(1))["Q"].item() < 1e-3


def test_sources_can_be_exchanged(texture):
    fused, fixed, aligned = texture(0), texture(1), texture(2)
    one = gradient_transfer(fused, fixed, aligned)
    other = gradient_transfer(fused, aligned, fixed)
    assert one["Q"].item() == pytest.approx(other["Q"].item(), abs=1e-14)
    assert one["Q_A"].item() == other["Q_B"].item() != one["Q_B"].item()


def test_opposite_polarity_keeps_orientation(texture):
    fixed = texture(4)
    assert gradient_transfer(-fixed, fixed, fixed)["Q"].item() == pytest.approx(MAXIMUM, abs=1e-12)


def test_orientation_difference_has_no_wrap_around(as_image):
    # Two ramps 2 * 0.1 rad apart across the vertical: without wrap-around nearly half a turn.
    i, j = np.mgrid[:9, :9].astype(float)
    steep, mirrored = j * 0.1 + i, -j * 0.1 + i
    centre = (slice(None), slice(None), slice(3, 6), slice(3, 6))
    images = torch.cat([as_image(mirrored), as_image(steep), as_image(steep)], dim=1)
    assert _preservation(*_sobel(images))[centre].max().item() < 1e-6
