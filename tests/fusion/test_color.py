"""The fused volume in colours: luminance, hue, and whether lesions of either kind show."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import distance_transform_edt
from scipy.special import expit
from skimage.color import rgb2lab

from bundle.domain import Modality
from bundle.fusion import color_slices, color_table, color_volume, colormap_of, fuse
from bundle.images.pair import read_pair
from bundle.networks import load_network
from bundle.options import options_of
from bundle.phantom.canvas import Tissue
from bundle.phantom.head import make_head
from bundle.registration import register

LUMINANCE = np.array([0.299, 0.587, 0.114])
VISIBLE = 20.0
"""CIELAB distance of a lesion to its surroundings; a just noticeable difference is 2.3."""


def test_the_luminance_is_the_fused_one_but_for_rounding():
    fused, shown = np.random.default_rng(0).random((2, 3, 20, 30)).astype(np.float32)
    for name in ("inferno", "hot", "viridis", "jet"):
        colors = color_slices(fused, shown, color_table(name))
        assert colors.shape == (3, 20, 30, 3) and colors.dtype == np.uint8
        assert np.abs(colors @ LUMINANCE - 255 * fused).max() <= 0.51


def test_the_hue_is_that_of_the_colour_map():
    table = np.zeros((256, 3), np.uint8)
    table[128:] = (200, 20, 20)
    fused, shown = np.full((1, 1, 2), 0.4, np.float32), np.array([[[0.1, 0.9]]], np.float32)
    grey, red = color_slices(fused, shown, table)[0, 0].astype(int)
    assert grey.tolist() == [102, 102, 102]
    assert red[0] > 170 and red[1] == red[2] < 80


def test_each_modality_has_a_colour_map_and_a_choice_goes_before_it():
    for modality in Modality:
        assert color_table(colormap_of(modality.value)).shape == (256, 3)
    assert colormap_of("PET", "hot") == "hot" and colormap_of(None, "hot") == "hot"
    assert colormap_of(None) == colormap_of("CT")
    for modality in ("PET", "SPECT"):  # no tracer leaves the MRI grey
        assert np.ptp(color_table(colormap_of(modality))[0].astype(int)) < 5


@pytest.fixture(scope="module")
def head():
    """A phantom, and its distances in mm to two places deep in the white matter, one per side."""
    head = make_head(3, shape=(96, 112, 24), spacing=(1.8, 1.8, 3.0))
    white = head.labels == Tissue.WHITE_MATTER
    depth = distance_transform_edt(white, sampling=(1.8, 1.8, 3.0))
    places = np.moveaxis(np.indices(white.shape), 0, -1) @ head.affine[:3, :3] + head.affine[:3, 3]
    right = places[..., 0] > 0
    deepest = [np.argmax(np.where(side, depth, 0)) for side in (right, ~right)]
    distances = [np.linalg.norm(places - places.reshape(-1, 3)[k], axis=-1) for k in deepest]
    return head, white, distances


@pytest.mark.parametrize(("modality", "uptake"), [("PET", 1.0), ("SPECT", 0.9)])
def test_a_lesion_of_either_image_alone_is_visible(modality, uptake, head, tmp_path):
    phantom, white, (tracer, anatomy) = head
    moving = phantom.contrast(modality)
    moving += (uptake - moving) * expit((7 - tracer) / 1.2)
    fixed = phantom.contrast("T1")
    fixed += (0.4 - fixed) * expit((7 - anatomy) / 0.6)
    for name, values in (("f", fixed), ("m", moving)):
        image = nibabel.Nifti1Image((1000 * values).astype(np.int16), phantom.affine)
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    options = options_of(modality=modality, init="none", rigid_only=True, device="cpu")
    network = load_network(options.checkpoint, options.device)
    pair = read_pair(tmp_path / "f.nii.gz", tmp_path / "m.nii.gz", options)
    fused = fuse(register(pair, network, options), network)
    volume = color_volume(fused, colormap_of(modality))
    assert volume.GetSize() == fused.fused.GetSize()
    assert volume.GetOrigin() == fused.fused.GetOrigin()
    assert volume.GetDirection() == fused.fused.GetDirection()
    colors = rgb2lab(sitk.GetArrayFromImage(volume).transpose(2, 1, 0, 3))
    grey = sitk.GetArrayFromImage(fused.fused).transpose(2, 1, 0)
    for distance in (tracer, anatomy):
        core, around = distance < 5, (distance > 11) & (distance < 15) & white
        assert core.sum() > 20 and around.sum() > 20
        contrast = np.linalg.norm(colors[core].mean(axis=0) - colors[around].mean(axis=0))
        assert contrast > VISIBLE
        grey_only = rgb2lab(np.repeat(grey[..., None], 3, axis=-1).clip(0, 1))
        assert contrast > np.linalg.norm(grey_only[core].mean(0) - grey_only[around].mean(0))
