"""Images in memory are taken as files are."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.transforms import LoadImage
from PIL import Image

from bundle import Result, register_and_fuse
from tests.api.known import FIELD, array
from tests.inference.images import smooth, write_color, write_grey


def in_lps(path):
    """A MetaTensor that counts as ITK does."""
    image = LoadImage(image_only=True, ensure_channel_first=True)(path)
    image.affine = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])).double() @ image.affine
    image.meta["space"] = "LPS"
    return image


@pytest.mark.parametrize(
    "take",
    [
        str,
        lambda path: sitk.ReadImage(str(path)),
        nibabel.load,
        LoadImage(image_only=True, ensure_channel_first=True),
        in_lps,
    ],
    ids=["text", "SimpleITK", "nibabel", "MetaTensor", "LPS"],
)
def test_a_volume_is_the_same_in_whatever_form(take, volumes, stub):
    expected = register_and_fuse(*volumes, modality="PET", **FIELD)
    found = register_and_fuse(*map(take, volumes), modality="PET", **FIELD)
    assert isinstance(found, Result)
    assert found.fused.GetPixelID() == sitk.sitkFloat32
    for one, other, top in ((found.fused, expected.fused, 1), (found.warped, expected.warped, 900)):
        assert one.GetSize() == other.GetSize() == sitk.ReadImage(str(volumes[0])).GetSize()
        for said in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(one, said)(), getattr(other, said)(), atol=1e-5)
        np.testing.assert_allclose(array(one), array(other), atol=1e-5 * top)
    assert array(found.fused).std() > 0.1
    if take is str:
        assert (array(found.fused) == array(expected.fused)).all()
        assert found.transform.GetParameters() == expected.transform.GetParameters()


def test_frames_of_images_in_memory_are_chosen_as_of_files(volumes, stub):
    fixed, moving = (sitk.ReadImage(str(path)) for path in volumes)
    expected = array(register_and_fuse(fixed, moving, **FIELD).fused)
    four = sitk.JoinSeries([moving * 0, moving])
    found = register_and_fuse(fixed, four, frame=1, **FIELD)
    assert (array(found.fused) == expected).all()
    data = np.stack([0 * array(moving), array(moving)]).T
    four = nibabel.Nifti1Image(data, nibabel.load(volumes[1]).affine)
    found = register_and_fuse(fixed, four, frame=1, **FIELD)
    np.testing.assert_allclose(array(found.fused), expected, atol=1e-5)


@pytest.mark.parametrize("write", [write_grey, write_color])
def test_a_picture_in_memory_is_the_file_written_of_it(write, stub, tmp_path):
    files = write_grey(tmp_path / "f.png", seed=1), write(tmp_path / "m.png", seed=2)
    arrays = [np.asarray(Image.open(path)) for path in files]
    found, expected = register_and_fuse(*arrays), register_and_fuse(*files)
    shape = (60, 44) if write is write_grey else (60, 44, 3)
    for one, other in ((found.fused, expected.fused), (found.warped, expected.warped)):
        assert one.shape == shape and one.dtype == np.uint8
        assert (one == other).all() and np.ptp(one) > 100
    expected.save(tmp_path / "out")
    assert (np.asarray(Image.open(tmp_path / "out" / "fused.png")) == found.fused).all()
    assert (np.asarray(Image.open(tmp_path / "out" / "warped.png")) == found.warped).all()
    assert found.uncertainty is None


def test_deep_and_floating_pictures_have_the_scales_of_files(stub):
    fixed, moving = (smooth((60, 44), seed) for seed in (1, 2))
    expected = register_and_fuse(fixed.astype(np.float32), moving.astype(np.float32)).fused
    for kind, top in ((np.float64, 255.0), (np.uint16, 65535.0), (np.uint8, 255.0)):
        arrays = [(top * image).astype(kind) for image in (fixed, moving)]
        found = register_and_fuse(*arrays).fused
        assert np.abs(found.astype(int) - expected).max() <= (2 if kind == np.uint8 else 1)


def test_headers_in_memory_are_read_as_those_of_files(volumes, stub):
    image = nibabel.load(volumes[1])
    silent = nibabel.Nifti1Image(image.get_fdata(), image.affine)
    silent.set_sform(image.affine, code=0)
    silent.set_qform(image.affine, code=0)
    centred = {**FIELD, "init": "center"}
    warnings = register_and_fuse(volumes[0], silent, **centred).report.warnings
    assert "orientation_missing" in [warning.code for warning in warnings]
    scaled = np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ image.affine
    metres = nibabel.Nifti1Image(image.get_fdata(), scaled)
    metres.header.set_xyzt_units("meter")
    expected = register_and_fuse(volumes[0], image, **FIELD)
    found = register_and_fuse(volumes[0], metres, **FIELD)
    np.testing.assert_allclose(array(found.warped), array(expected.warped), atol=0.5)
