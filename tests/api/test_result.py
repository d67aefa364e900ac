"""What a result holds: transform, uncertainty, report."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import bundle
from bundle import Remark, api, register_and_fuse
from bundle.geometry.frame import head_frame
from bundle.geometry.slices import plane_spacing
from bundle.geometry.transform import as_transform
from bundle.networks import load_network
from bundle.networks.weights import _network
from bundle.phantom.pairs import make_pairs
from bundle.registration.slicewise import slice_fields
from tests.api.known import FIELD, array
from tests.inference.images import blob, write_grey, write_volume
from tests.inference.stubs import KnownField


class Spreading(KnownField):
    """Its two fields lie 2 voxels along rows on either side of the known one."""

    def register_with_spread(self, image):
        ddf, apart = self.register(image), torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
        return ddf, apart.expand_as(ddf)


def test_the_package_offers_what_it_says():
    assert set(bundle.__all__) == {"InputError", "Remark", "Result", "register_and_fuse"}
    assert bundle.register_and_fuse is api.register_and_fuse and bundle.Result is api.Result
    assert sys.modules["bundle.api"] is api
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bundle.nothing


def test_the_transform_takes_a_fixed_point_through_field_and_start(volumes, stub):
    found = register_and_fuse(*volumes, init="center", plane="axial", guard=False)
    start = np.array(found.report.start)
    np.testing.assert_allclose(start[:3, :3], np.eye(3))
    assert np.abs(start[:3, 3]).max() > 3
    upright = sitk.DICOMOrient(sitk.ReadImage(str(volumes[0])), "LPS")
    axes = np.reshape(upright.GetDirection(), (3, 3))
    spacing, initial = plane_spacing(upright, "axial"), found.pair.registration.initial
    ddfs, _ = slice_fields(initial.image, initial.head, spacing, KnownField(), 4.5)
    for column, row, k in ((10, 12, 2), (30, 25, 4), (20, 40, 0)):
        ddf = ddfs[:, row, column, k]
        assert ddf.abs().max() > 0.3
        moved = axes @ (np.array(upright.GetSpacing()) * [float(ddf[1]), float(ddf[0]), 0.0])
        point = upright.TransformIndexToPhysicalPoint((column, row, k))
        expected = as_transform(start).TransformPoint((point + moved).tolist())
        np.testing.assert_allclose(found.transform.TransformPoint(point), expected, atol=1e-3)
    moving = sitk.ReadImage(str(volumes[1]), sitk.sitkFloat64)
    applied = sitk.Resample(moving, found.fused, found.transform, sitk.sitkLinear, 0.0)
    assert np.abs(array(applied) - array(found.warped)).mean() < 0.9


def test_the_transform_of_a_picture_is_in_pixels(stub, tmp_path):
    found = register_and_fuse(write_grey(tmp_path / "f.png"), write_grey(tmp_path / "m.png"))
    row, column = 33, 12
    ddf = found.pair.registration.ddf[:, row, column]
    expected = column + float(ddf[1]), row + float(ddf[0])
    np.testing.assert_allclose(found.transform.TransformPoint((column, row)), expected, atol=1e-4)


def test_the_spread_of_the_fields_is_an_image_in_millimetres(volumes, monkeypatch):
    monkeypatch.setattr(api, "load_network", lambda *_: Spreading())
    found = register_and_fuse(*volumes, through_plane=0, **FIELD)
    assert found.uncertainty.GetSize() == found.fused.GetSize()
    # 2 pixels of the frame of 256 in which the network sees the slices; rows are 1.2 mm
    rows = head_frame(found.pair.registration.initial.head[0] > 0, (1.2, 0.9))[2]
    within = 2 * rows / 256 * 1.2
    head = found.pair.registration.initial.head[0].permute(2, 0, 1).numpy() > 0
    vectors = array(found.pair.registration.field)[head]  # across slices: as far as along an axis
    across = (np.square(vectors[:, :2]).sum(axis=1).mean() / 2) ** 0.5
    moving, start = found.pair.registration.initial.moving, found.report.start
    ones = sitk.Cast(moving * 0 + 1, sitk.sitkUInt8)
    nearest = sitk.sitkNearestNeighbor
    shown = array(sitk.Resample(ones, found.fused, as_transform(np.array(start)), nearest)) > 0
    values, expected = array(found.uncertainty), np.hypot(within, across)
    assert 0.5 < shown.mean() < 1
    np.testing.assert_allclose(values[shown], expected, rtol=0.01)
    assert (values[~shown] > 1.05 * expected).any()  # there all of the field counts
    assert found.report.uncertainty.max >= expected * 0.99


def test_remarks_are_notes_and_warnings(stub, tmp_path):
    values = blob()
    values[:, 0] = np.nan
    fixed = write_volume(tmp_path / "Miller.nii.gz", values)
    other = 1000 * np.random.default_rng(0).random(values.shape)
    found = register_and_fuse(fixed, write_volume(tmp_path / "m.nii.gz", other), **FIELD)
    report = found.report
    assert [one.code for one in report.notes] == ["gaps_filled"]
    assert "little_information" in [one.code for one in report.warnings]
    for one in (*report.notes, *report.warnings):
        assert type(one) is Remark and one.code and "Miller" not in one.text
    assert not any(one.warning for one in report.notes)
    assert all(one.warning for one in report.warnings)
    pictures = write_grey(tmp_path / "f.png"), write_grey(tmp_path / "m.png", seed=1)
    assert all(type(one) is Remark for one in register_and_fuse(*pictures).report.warnings)
    assert register_and_fuse(*pictures).report.unit == "px"


def test_the_shipped_weights_are_loaded_once():
    pictures = {
        modality: (fixed, moving)
        for modality, _, fixed, moving in make_pairs(1, size=160, split="val")
    }
    _network.cache_clear()
    found = register_and_fuse(*pictures["CT"], modality="CT", device="cpu")
    again = register_and_fuse(*pictures["CT"], modality="ct", device="cpu")
    assert _network.cache_info()[:2] == (1, 1)  # hit, missed
    assert found.fused.shape == (160, 160) and (found.fused == again.fused).all()
    image = torch.from_numpy(np.stack(pictures["CT"])).float()[None] / 255
    with torch.no_grad():
        expected = load_network(device="cpu")(image)[0]
    torch.testing.assert_close(found.pair.registration.ddf, expected[1:])
    assert np.abs(found.fused - 255 * expected[0].numpy()).max() < 0.51
    assert found.report.field_kept and found.report.modality == "CT"
    assert len(found.report.parameters["weights_sha256"]) == 12
    colored = register_and_fuse(*pictures["PET"], modality="PET", device="cpu")
    assert colored.fused.shape == (160, 160, 3) and np.ptp(colored.fused, axis=2).max() > 50
    assert _network.cache_info()[:2] == (3, 1)


def test_a_device_may_be_torchs_own(volumes, stub):
    assert register_and_fuse(*volumes, **FIELD, device=torch.device("cpu")).options.device == "cpu"


def test_a_result_says_in_a_line_what_it_is(stub, volumes):
    result = register_and_fuse(*volumes, modality="PET", init="none", plane="axial")
    said = repr(result)
    assert re.fullmatch(r"Result\(PET, mean displacement [\d.]+ mm, \d+ warnings?\)", said), said
