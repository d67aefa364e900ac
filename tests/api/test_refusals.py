"""What cannot be used is refused in one line."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from bundle import InputError, register_and_fuse
from tests.api.known import SHAPE
from tests.inference.images import smooth

RAMP = np.indices((40, 40, 40)).sum(axis=0).astype(float)
GOOD = sitk.GetImageFromArray(smooth(SHAPE, seed=1))
PICTURE = np.uint8(255 * smooth((60, 44)))


def nifti(values, affine):
    image = nibabel.Nifti1Image(values, np.eye(4))
    image._affine = affine  # nibabel itself refuses some
    return image


@pytest.mark.parametrize(
    ("fixed", "moving", "options", "message"),
    [
        (GOOD, GOOD, {"init": "elastic"}, "init elastic: give one of rigid, header, center"),
        (GOOD, GOOD, {"chekpoint": "m.pt"}, r"chekpoint: unknown option; did you mean checkpoint"),
        (GOOD, GOOD, {"ct_window": 5}, "ct_window 5: give two numbers"),
        (GOOD, GOOD, {"modality": "MRI"}, "modality MRI: give one of CT, PET, SPECT, MR, or none"),
        ("nowhere.nii.gz", GOOD, {}, r"nowhere\.nii\.gz: no such file; check the path"),
        (PICTURE, "nowhere.png", {}, r"nowhere\.png: no such file; check the path"),
        ("README.md", GOOD, {}, r"README\.md: unknown kind of file"),
        (GOOD, PICTURE, {}, "fixed image, moving image: a picture and a volume"),
        (GOOD, MetaTensor(torch.rand(48, 40)), {}, r"moving image: is a MetaTensor of shape \(48"),
        (GOOD, MetaTensor(torch.rand(2, 40, 48, 6)), {}, "moving image: is a MetaTensor of shape"),
        (GOOD, torch.rand(1, 40, 48, 6), {}, "moving image: is a Tensor; give a path"),
        (GOOD, None, {}, "moving image: is a NoneType; give a path"),
        (GOOD, GOOD[:, :, 2], {}, "moving image: is 2D; give a picture as an array"),
        (GOOD, nifti(np.zeros((40, 48)), np.eye(4)), {}, r"moving image: has the shape \(40, 48\)"),
        (GOOD, nifti(np.zeros((4, 4, 4, 1, 3)), np.eye(4)), {}, r"moving image: has the shape \(4"),
        (GOOD, nifti(np.zeros((4, 4, 4)), None), {}, "moving image: has no affine"),
        (GOOD, nifti(RAMP, np.diag([1, 1, 0, 1.0])), {}, "moving image: has an aff"),
        (GOOD, nifti(RAMP, np.ones((4, 4))), {}, "moving image: has an affine that"),
        (GOOD, nifti(RAMP, np.full((4, 4), np.nan)), {}, "moving image: has an aff"),
        (GOOD, nibabel.Nifti1Image(np.zeros((4, 4, 4), "c8"), np.eye(4)), {}, "moving .* complex"),
        (GOOD, nibabel.Nifti1Image(np.zeros((4, 4, 4), [(c, "u1") for c in "RGB"]), np.eye(4)), {},
         "moving image: holds several values per voxel"),
        (PICTURE, np.zeros((60, 44, 4), np.float32), {}, "moving image: has the type float32"),
        (PICTURE, np.zeros((60, 44, 2), np.uint8), {}, r"moving image: has the shape \(60, 44, "),
        (PICTURE, np.int64(PICTURE), {}, "moving image: has the type int64"),
        (PICTURE, np.full((60, 44), np.nan), {}, "moving image: holds NaN or infinite values"),
        (PICTURE, -1.0 * PICTURE, {}, "moving image: holds negative values; window it"),
        (PICTURE, PICTURE[:50], {}, "moving image: is 44 x 50 pixels, but fixed image is 44 x 60"),
        (PICTURE[:20], PICTURE[:20], {}, "fixed image: is 44 x 20 pixels in plane"),
        (PICTURE, 0 * PICTURE, {}, "moving image: has the same value everywhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line(fixed, moving, options, message, stub):
    with pytest.raises(InputError, match=f"^{message}") as raised:
        register_and_fuse(fixed, moving, **options)
    assert "\n" not in str(raised.value)


def test_weights_and_devices_that_cannot_be_used_are_one_line(tmp_path):
    (tmp_path / "text.pt").write_text("nothing")
    for options, message in (
        ({"checkpoint": "nowhere.pt"}, r"nowhere\.pt: no such file; restore models/ from"),
        ({"checkpoint": tmp_path / "text.pt"}, r"text\.pt: not a checkpoint"),
        ({"device": "cuda:77"}, "--device cuda:77: cannot be used here"),
    ):
        with pytest.raises(InputError, match=message):
            register_and_fuse(PICTURE, PICTURE, **options)


def test_label_maps_and_series_of_no_folder_are_refused(volumes, stub):
    fixed = sitk.ReadImage(str(volumes[0]))
    labels = sitk.LabelImageToLabelMap(sitk.Cast(fixed > 0.5, sitk.sitkUInt8))
    with pytest.raises(InputError, match="^moving image: is a label map; cast it"):
        register_and_fuse(fixed, labels)
    with pytest.raises(InputError, match="^fixed image: without the series 1.2.3; correct"):
        register_and_fuse(fixed, fixed, series="1.2.3")
