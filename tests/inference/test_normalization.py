"""What the network sees of volumes: Hounsfield windows, percentiles."""

import pytest
import torch

from bundle.workflow import LoadPaird, NormalizePaird
from tests.inference.images import blob, write_volume


def normalized(moving, **data):
    fixed = torch.linspace(0, 1, moving.numel()).view(moving.shape)
    record = {"fixed_image": fixed, "moving_image": moving, **data}
    return NormalizePaird(ct_window=(0, 100))(record)["image"][1].flatten()


HOUNSFIELD = torch.tensor([-1000.0, -10.0, 0.0, 50.0, 100.0, 2000.0]).view(1, 2, 3, 1)


def test_ct_is_windowed_in_hounsfield_units():
    assert normalized(HOUNSFIELD).tolist() == [0, 0, 0, 0.5, 1, 1]
    assert normalized(HOUNSFIELD, modality="CT").tolist() == [0, 0, 0, 0.5, 1, 1]


def test_an_mri_that_dips_below_zero_is_no_ct():
    """Interpolation by splines leaves a few negative voxels beside bright ones."""
    mri = torch.linspace(0, 4000, 1000).view(1, 10, 100, 1)
    dipping = torch.where(mri < 80, -350.0, mri)  # 2 %
    record = {"fixed_image": dipping, "moving_image": mri, "modality": "CT"}
    image = NormalizePaird()(record)["image"][0].flatten()
    assert image[500] == pytest.approx(0.5, abs=0.02) and len(image.unique()) > 900


def test_ct_is_windowed_whatever_the_fixed_volume_shows_of_it(tmp_path):
    inside = blob()[5:15, 4:36, 4:36]  # 6 of 10 voxels are head
    mri = write_volume(tmp_path / "mri.nii.gz", inside)
    ct = write_volume(tmp_path / "ct.nii.gz", 1065.0 * (blob() > 0) - 1000)
    record = LoadPaird(init="none")({"fixed": str(mri), "moving": str(ct)})
    assert record["hounsfield"].tolist() == [False, True]
    record["moving_image"] = record["moving_image"].clamp(min=-100)  # no air is left
    assert NormalizePaird()(record)["image"][1].max() == pytest.approx(85 / 170)


def test_other_scales_use_percentiles_of_what_is_not_background():
    activity = torch.arange(1.0, 2001.0)
    image = torch.cat([torch.zeros(8000), activity]).view(1, 100, 100, 1)
    result = normalized(image, modality="PET")
    assert result[:8000].max() == 0
    torch.testing.assert_close(result[8000:], ((activity - 11) / 1979).clamp(0, 1))


def test_only_the_head_counts_if_it_is_known():
    activity = torch.arange(1.0, 2001.0)
    outside = torch.tensor([0.0, 5000.0]).repeat_interleave(4000)
    image = torch.cat([outside, activity]).view(1, 100, 100, 1)
    result = normalized(image, modality="PET", head=(image > 0) & (image < 5000))
    torch.testing.assert_close(result[8000:], ((activity - 11) / 1979).clamp(0, 1))


def test_negative_values_do_not_make_ct_of_pet():
    assert normalized(HOUNSFIELD, modality="PET")[3] == pytest.approx(60 / 2010)


def test_two_valued_volume_uses_its_extremes():
    mask = torch.tensor([0.0, 0.0, 3.0, 3.0]).view(1, 2, 2, 1)
    assert normalized(mask).tolist() == [0, 0, 1, 1]


def test_a_window_that_cannot_be_used_is_noted():
    brain = torch.linspace(0, 80, 24).view(1, 2, 3, 4)
    record = {"fixed_image": brain, "moving_image": brain, "modality": "CT", "notes": ""}
    assert "ct_window is not used" in NormalizePaird(ct_window=(0, 80))(record)["notes"]
    assert NormalizePaird()(record)["notes"] == ""
    with_air = record | {"moving_image": brain - 1000 * (brain < 10)}
    assert NormalizePaird(ct_window=(0, 80))(with_air)["notes"] == ""
