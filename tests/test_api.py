"""Registration and fusion from Python, of files and of images in memory."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage
from PIL import Image

import bundle
from bundle import InputError, Remark, Result, api, register_and_fuse
from bundle.geometry.frame import head_frame
from bundle.geometry.slices import plane_spacing
from bundle.geometry.transform import as_transform
from bundle.networks import load_network
from bundle.networks.weights import _network
from bundle.phantom.pairs import make_pairs
from bundle.registration.slicewise import slice_fields
from tests.inference.images import blob, smooth, write_color, write_grey, write_volume
from tests.inference.stubs import KnownField

SHAPE = (6, 48, 40)
RAMP = np.indices((40, 40, 40)).sum(axis=0).astype(float)
FIELD = {"init": "none", "plane": "axial", "guard": False}
"""Options by which the stub's field, and nothing else, is the result."""


class Spreading(KnownField):
    """Its two fields lie 2 voxels along rows on either side of the known one."""

    def all_fields(self, image):
        ddf, apart = self.register(image), torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
        return {"ddf": ddf, "flows": torch.stack([ddf - apart, ddf + apart], dim=1)}


@pytest.fixture
def stub(monkeypatch):
    """The known network instead of the shipped one."""
    monkeypatch.setattr(api, "load_network", lambda *_: KnownField())


@pytest.fixture
def volumes(tmp_path):
    """Files of two oblique volumes, the moving one 4 mm further to the left."""
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), "RAS")
    moving = write_volume(tmp_path / "m.nii.gz", 900 * smooth(SHAPE, seed=2), "PIR")
    image = sitk.ReadImage(str(moving))
    image.SetOrigin(np.add(image.GetOrigin(), (4.0, 0.0, 0.0)).tolist())
    sitk.WriteImage(image, str(moving))
    return fixed, moving


def array(image):
    return sitk.GetArrayFromImage(image)


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


def test_nothing_is_written_until_it_is_saved(volumes, stub, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    found = register_and_fuse(*volumes, modality="PET", **FIELD)
    assert found.report.as_json()["modality"] == "PET" and found.fused.GetSize()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert found.save("out/here") == Path("out/here")
    assert found.save(tmp_path / "other") == tmp_path / "other"
    names = ["ddf.nii.gz", "fused.nii.gz", "overlay.png", "report.html", "report.json"]
    names += ["fused_color.nii.gz", "rigid.tfm", "transform.h5", "transform_inverse.h5"]
    names = sorted([*names, "warped.nii.gz"])
    assert sorted(path.name for path in (tmp_path / "out" / "here").iterdir()) == names
    written = sitk.ReadImage("out/here/fused.nii.gz")
    assert (array(written) == array(found.fused)).all()
    assert (
        array(sitk.ReadImage("out/here/warped.nii.gz")) == array(found.warped).astype("f4")
    ).all()
    assert capfd.readouterr() == ("", "")


def test_saved_results_are_replaced_only_on_request(volumes, stub, tmp_path):
    found = register_and_fuse(*volumes, **FIELD)
    found.save(tmp_path / "out")
    before = (tmp_path / "out" / "fused.nii.gz").read_bytes()
    swapped = register_and_fuse(*reversed(volumes), **FIELD)
    with pytest.raises(InputError, match="out: holds results already"):
        swapped.save(tmp_path / "out")
    assert (tmp_path / "out" / "fused.nii.gz").read_bytes() == before
    register_and_fuse(*reversed(volumes), overwrite=True, **FIELD).save(str(tmp_path / "out"))
    assert (tmp_path / "out" / "fused.nii.gz").read_bytes() != before
    with pytest.raises(InputError, match=r"f\.nii\.gz.*: cannot be written to"):
        found.save(volumes[0])


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


def test_other_weights_under_the_same_name_are_noticed(tmp_path):
    state = {
        name: values.clone() for name, values in load_network(device="cpu").state_dict().items()
    }
    path = tmp_path / "model.pt"
    torch.save(state, path)
    first = load_network(path, "cpu")
    assert load_network(path, "cpu") is first
    name = next(name for name, values in state.items() if values.is_floating_point())
    state[name] += 1.0
    torch.save(state, path)
    second = load_network(path, "cpu")
    assert torch.equal(second.state_dict()[name], state[name]) and second is not first


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
    np.testing.assert_allclose(array(found.uncertainty), np.hypot(within, across), rtol=0.01)
    assert found.report.uncertainty.max == pytest.approx(np.hypot(within, across), rel=0.01)


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


def test_the_package_offers_what_it_says():
    assert set(bundle.__all__) == {"InputError", "Remark", "Result", "register_and_fuse"}
    assert bundle.register_and_fuse is api.register_and_fuse and bundle.Result is api.Result
    assert sys.modules["bundle.api"] is api
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bundle.nothing


def test_a_result_never_replaces_its_own_source(volumes, stub, tmp_path):
    result = register_and_fuse(*volumes, **FIELD, overwrite=True)
    result.save(tmp_path / "out")
    source = tmp_path / "out" / "warped.nii.gz"
    again = register_and_fuse(volumes[0], source, **FIELD, overwrite=True)
    before = source.read_bytes()
    with pytest.raises(InputError, match=r"warped\.nii\.gz: a result would take its place"):
        again.save(tmp_path / "out")
    assert source.read_bytes() == before


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


def test_label_maps_and_series_of_no_folder_are_refused(volumes, stub):
    fixed = sitk.ReadImage(str(volumes[0]))
    labels = sitk.LabelImageToLabelMap(sitk.Cast(fixed > 0.5, sitk.sitkUInt8))
    with pytest.raises(InputError, match="^moving image: is a label map; cast it"):
        register_and_fuse(fixed, labels)
    with pytest.raises(InputError, match="^fixed image: without the series 1.2.3; correct"):
        register_and_fuse(fixed, fixed, series="1.2.3")


def test_a_device_may_be_torchs_own(volumes, stub):
    assert register_and_fuse(*volumes, **FIELD, device=torch.device("cpu")).options.device == "cpu"


def test_a_result_says_in_a_line_what_it_is(stub, volumes):
    result = register_and_fuse(*volumes, modality="PET", init="none", plane="axial")
    said = repr(result)
    assert re.fullmatch(r"Result\(PET, mean displacement [\d.]+ mm, \d+ warnings?\)", said), said
