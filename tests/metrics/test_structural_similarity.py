import pytest
import torch
from skimage.metrics import structural_similarity as skimage_ssim

from bundle.metrics.structural_similarity import ssim, structural_similarity


def skimage_interior(image, reference):
    """scikit-image's map without the five rows and columns that its padding reaches."""
    _, full = skimage_ssim(
        image[0, 0].numpy(),
        reference[0, 0].numpy(),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return full[5:-5, 5:-5].mean()


def test_equals_scikit_image(texture, add_noise):
    fixed, aligned = texture(0, (50, 61)), texture(1, (50, 61))
    fused = add_noise(torch.maximum(fixed, aligned), 10)
    values = structural_similarity(fused, fixed, aligned)
    to_fixed, to_aligned = skimage_interior(fused, fixed), skimage_interior(fused, aligned)
    assert values["SSIM_A"].item() == pytest.approx(to_fixed, abs=1e-4)
    assert values["SSIM_B"].item() == pytest.approx(to_aligned, abs=1e-4)
    assert values["SSIM"].item() == pytest.approx((to_fixed + to_aligned) / 2, abs=1e-4)
    assert abs(to_fixed - to_aligned) > 0.01


def test_equal_images_give_one(texture):
    assert ssim(texture(0), texture(0)).item() == pytest.approx(1, abs=1e-6)


def test_small_image_is_refused(texture):
    with pytest.raises(ValueError, match="at least 11 x 11 px"):
        ssim(texture(0, (10, 30)), texture(0, (10, 30)))
