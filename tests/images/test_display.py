"""What the network sees of volumes: Hounsfield windows, percentiles."""

from dataclasses import replace

import pytest
import SimpleITK as sitk
import torch

from bundle.geometry.head import find_head
from bundle.images.display import displayed, is_hounsfield, percentile_window
from bundle.images.pair import VolumePair, read_pair
from bundle.images.volume import Volume
from bundle.options import options_of
from bundle.registration import initialize
from bundle.registration.start_volume import StartVolume
from tests.inference.images import blob, write_volume

WINDOW = options_of(init="none", ct_window=(0, 100))


def volume(values):
    """Slices (H, W, D) as a volume along LPS."""
    array = values.double().movedim(-1, 0).contiguous().numpy()
    return Volume("v", sitk.GetImageFromArray(array))


def pair_of(fixed, moving, modality=None):
    units = is_hounsfield(fixed), is_hounsfield(moving)
    return VolumePair(volume(fixed), volume(moving), modality, "axial", units)


def by_percentiles(moving, head=None):
    """The moving values (H, W, D) as displayed; everything is head unless it is given."""
    head = torch.ones_like(moving) if head is None else head
    window = percentile_window(moving, head, WINDOW.percentiles)
    return displayed(moving, window).flatten()


HOUNSFIELD = torch.tensor([-1000.0, -10.0, 0.0, 50.0, 100.0, 2000.0]).view(2, 3, 1)


@pytest.mark.parametrize("modality", [None, "CT"])
def test_ct_is_windowed_in_hounsfield_units(modality):
    moving = HOUNSFIELD.repeat(1, 1, 2)
    ready = initialize(pair_of(torch.rand(2, 3, 2), moving, modality), WINDOW)
    assert ready.windows[1] == (0, 100)
    expected = torch.tensor([0, 0, 0, 0.5, 1, 1]).view(2, 3, 1).repeat(1, 1, 2)
    assert torch.equal(ready.image[1], expected) and ready.image.dtype == torch.float32


def test_an_mri_that_dips_below_zero_is_no_ct(monkeypatch):
    """Interpolation by splines leaves a few negative voxels beside bright ones."""
    everything = lambda _, grid: sitk.Cast(grid * 0 + 1, sitk.sitkUInt8)  # noqa: E731
    monkeypatch.setattr(StartVolume, "head_on", everything)
    mri = torch.linspace(0, 4000, 1000).view(10, 10, 10)
    dipping = torch.where(mri < 80, -350.0, mri)  # 2 %
    ready = initialize(pair_of(dipping, mri, "CT"), options_of(init="none"))
    image = ready.image[0].flatten()
    assert image[500] == pytest.approx(0.5, abs=0.02) and len(image.unique()) > 900


def test_ct_is_windowed_whatever_the_fixed_volume_shows_of_it(tmp_path):
    inside = blob()[5:15, 4:36, 4:36]  # 6 of 10 voxels are head
    mri = write_volume(tmp_path / "mri.nii.gz", inside)
    ct = write_volume(tmp_path / "ct.nii.gz", 1065.0 * (blob() > 0) - 1000)
    options = options_of(init="none", modality="CT")
    pair = read_pair(mri, ct, options)
    assert pair.hounsfield == (False, True)
    without_air = sitk.Clamp(pair.moving.image, lowerBound=-100)  # no air is left
    pair = replace(pair, moving=replace(pair.moving, image=without_air))
    ready = initialize(pair, options)
    assert ready.windows[1] == options.ct_window
    assert ready.image[1].max() == pytest.approx(85 / 170)


def test_other_scales_use_percentiles_of_what_is_not_background():
    activity = torch.arange(1.0, 2001.0)
    image = torch.cat([torch.zeros(8000), activity]).view(100, 100, 1)
    result = by_percentiles(image)
    assert result[:8000].max() == 0
    torch.testing.assert_close(result[8000:], ((activity - 11) / 1979).clamp(0, 1))


def test_only_the_head_counts_if_it_is_known():
    activity = torch.arange(1.0, 2001.0)
    outside = torch.tensor([0.0, 5000.0]).repeat_interleave(4000)
    image = torch.cat([outside, activity]).view(100, 100, 1)
    result = by_percentiles(image, head=(image > 0) & (image < 5000))
    torch.testing.assert_close(result[8000:], ((activity - 11) / 1979).clamp(0, 1))


def test_the_head_is_that_of_the_fixed_volume():
    fixed = torch.from_numpy(blob()).movedim(0, -1)
    moving = 1000 * torch.rand(fixed.shape, generator=torch.Generator().manual_seed(0))
    moving[:4] = 5000.0  # bright, and outside the head
    moving[-1] = -1.0  # background, likewise
    ready = initialize(pair_of(fixed, moving, "PET"), options_of(init="none"))
    head = torch.from_numpy(sitk.GetArrayFromImage(find_head(volume(fixed).image))).movedim(0, -1)
    assert torch.equal(ready.head[0], head)
    inside = moving[head > 0].sort().values
    count = len(inside) - 1
    expected = inside[round(0.005 * count)], inside[round(0.995 * count)]
    assert ready.windows[1] == pytest.approx([float(value) for value in expected])
    torch.testing.assert_close(
        ready.image[1], displayed(moving.double(), ready.windows[1]), atol=1e-6, rtol=0
    )


def test_negative_values_do_not_make_ct_of_pet():
    assert by_percentiles(HOUNSFIELD)[3] == pytest.approx(60 / 2010)
    moving = HOUNSFIELD.repeat(1, 1, 2)
    fixed = torch.arange(12.0).view(2, 3, 2)
    ready = initialize(pair_of(fixed, moving, "PET"), WINDOW)
    head = moving[ready.head[0] > 0]
    head = head[head > moving.min()]
    assert ready.pair.hounsfield[1] and ready.windows[1] == (head.min(), head.max())


def test_two_valued_volume_uses_its_extremes():
    mask = torch.tensor([0.0, 0.0, 3.0, 3.0]).view(2, 2, 1)
    assert by_percentiles(mask).tolist() == [0, 0, 1, 1]


def test_a_ct_that_is_not_in_hounsfield_units_is_told():
    brain = torch.linspace(0, 3800, 24).view(2, 3, 4)
    still = options_of(init="none")
    (remark,) = initialize(pair_of(brain, brain, "CT"), still).remarks
    assert remark.code == "window_unused" and remark.warning
    assert "its values may not be in HU" in remark.text
    assert initialize(pair_of(brain, brain, "PET"), still).remarks == ()
    with_air = brain - 1000 * (brain < 900)
    assert initialize(pair_of(brain, with_air, "CT"), still).remarks == ()
