import json
import resource

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.registration import bspline
from tests.inference.images import smooth, write_volume
from tests.inference.stubs import constant

SHAPE = (6, 48, 40)


@pytest.fixture
def hounsfield():
    values = 1500 * smooth(SHAPE, seed=2) - 300
    values[:, :4] = -1000
    return values


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "PIR", "SLP"])
def test_field_applied_in_itk_gives_the_warped_volume(orientation, hounsfield, infer, tmp_path):
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), orientation)
    moving = write_volume(tmp_path / "m.nii.gz", hounsfield, orientation)
    pair = {"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz", "modality": "CT"}
    out = infer(pair, ddf_full=True) / "a"
    assert sorted(path.name for path in out.iterdir()) == [
        "ddf.nii.gz",
        "fused.nii.gz",
        "report.html",
        "report.json",
        "rigid.tfm",
        "transform.h5",
        "transform_inverse.h5",
        "warped.nii.gz",
    ]
    reference = sitk.ReadImage(str(fixed))
    image = sitk.ReadImage(str(moving), sitk.sitkFloat64)
    field = sitk.ReadImage(str(out / "ddf.nii.gz"), sitk.sitkVectorFloat64)
    assert field.GetSize() == reference.GetSize()
    transform = sitk.DisplacementFieldTransform(field)
    expected = sitk.GetArrayFromImage(
        sitk.Resample(image, reference, transform, sitk.sitkLinear, -1000.0)
    )
    warped = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "warped.nii.gz")))
    np.testing.assert_allclose(warped, expected, atol=0.05)
    assert np.abs(warped - sitk.GetArrayFromImage(image)).mean() > 10  # it does move


def test_what_the_report_warns_of_is_said_on_stderr(hounsfield, infer, tmp_path, capsys):
    write_volume(tmp_path / "f.nii.gz", smooth((12, 48, 40), seed=1))
    write_volume(tmp_path / "m.nii.gz", hounsfield[:4])
    out = infer({"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"}) / "a"
    warned = "Less than half of the fixed head is covered by the moving volume."
    assert warned in json.loads((out / "report.json").read_text(encoding="utf-8"))["suspicious"]
    assert f"warning: a: {warned}\n" in capsys.readouterr().err


def test_switches_are_understood_as_the_command_line_hands_them_over(hounsfield, infer, tmp_path):
    write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1))
    write_volume(tmp_path / "m.nii.gz", hounsfield)
    pair = {"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"}
    out = infer(pair, guard="false", dicom_output="false") / "a"
    said = json.loads((out / "report.json").read_text(encoding="utf-8"))["parameters"]
    assert said["guard"] is False and not (out / "dicom").exists()
    with pytest.raises(SystemExit):
        infer(pair, overwrite="false")
    infer(pair, overwrite="true", dicom_output="true")
    assert len(list((out / "dicom").iterdir())) == SHAPE[0]


def test_results_lie_on_the_fixed_grid(hounsfield, infer, tmp_path):
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), "RAS")
    write_volume(tmp_path / "m.nii.gz", hounsfield, "RAS")
    out = infer({"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"}) / "a"
    reference = nibabel.load(fixed)
    for name in ("fused", "warped"):
        result = nibabel.load(out / f"{name}.nii.gz")
        assert result.shape == reference.shape
        assert result.get_data_dtype() == np.float32
        np.testing.assert_allclose(result.affine, reference.affine, atol=1e-5)
    fused = nibabel.load(out / "fused.nii.gz").get_fdata()
    assert fused.min() >= 0
    assert fused.max() <= 1
    field = sitk.ReadImage(str(out / "ddf.nii.gz"))
    assert field.GetNumberOfComponentsPerPixel() == 3
    np.testing.assert_allclose(field.GetSpacing()[:2], 2.0, atol=0.2)  # smaller than that before
    assert field.GetSize()[2] == reference.shape[2] and field.GetSpacing()[2] > 2.5


def test_stored_orientation_does_not_change_the_result(hounsfield, infer, tmp_path):
    for orientation in ("LPS", "SRA"):
        write_volume(tmp_path / f"f{orientation}.nii.gz", smooth(SHAPE, seed=1), orientation)
        write_volume(tmp_path / f"m{orientation}.nii.gz", hounsfield, orientation)
    out = infer(
        *(
            {"id": name, "fixed": f"f{name}.nii.gz", "moving": f"m{name}.nii.gz"}
            for name in ("LPS", "SRA")
        )
    )
    arrays = [
        sitk.GetArrayFromImage(
            sitk.DICOMOrient(sitk.ReadImage(str(out / name / "fused.nii.gz")), "LPS")
        )
        for name in ("LPS", "SRA")
    ]
    np.testing.assert_allclose(arrays[0], arrays[1], atol=1e-5)


def test_window_can_be_set(hounsfield, infer, tmp_path):
    write_volume(tmp_path / "f.nii.gz", np.pad([[[1.0]]], ((0, 5), (0, 47), (0, 39))))
    write_volume(tmp_path / "m.nii.gz", hounsfield)
    pair = {"fixed": "f.nii.gz", "moving": "m.nii.gz", "modality": "CT"}
    out = infer({"id": "a", **pair}, ct_window=[200, 1100])
    warped, fused = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(out / "a" / f"{name}.nii.gz")))[1:, 6:-6, 6:-6]
        for name in ("warped", "fused")
    )
    inside = (warped > 250) & (warped < 1050)
    # windowing before or after interpolation differs only next to the window's limits
    assert np.abs(fused - (warped - 200) / 900)[inside].max() < 0.02


def test_volumes_of_different_grids_are_interpolated_once(hounsfield, infer, tmp_path):
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), "RAS")
    moving = write_volume(tmp_path / "m.nii.gz", hounsfield, spacing=(1.0, 1.1, 2.8))
    out = infer({"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"}) / "a"
    reference = sitk.ReadImage(str(fixed))
    image = sitk.ReadImage(str(moving), sitk.sitkFloat64)
    field = sitk.ReadImage(str(out / "ddf.nii.gz"), sitk.sitkVectorFloat64)
    warped = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "warped.nii.gz")))
    for transform in (
        sitk.DisplacementFieldTransform(field),
        sitk.ReadTransform(str(out / "transform.h5")),
    ):
        applied = sitk.Resample(image, reference, transform, sitk.sitkLinear, -1000.0)
        difference = np.abs(warped - sitk.GetArrayFromImage(applied))
        assert difference.mean() < 1e-3 * np.ptp(hounsfield)
    assert warped.min() >= -1000.0 and warped.max() > 500  # still Hounsfield units


def test_a_report_tells_figures_and_no_names(hounsfield, infer, tmp_path):
    write_volume(tmp_path / "f_Miller.nii.gz", smooth(SHAPE, seed=1))
    write_volume(tmp_path / "m_Miller.nii.gz", hounsfield)
    pair = {"fixed": "f_Miller.nii.gz", "moving": "m_Miller.nii.gz", "modality": "PET"}
    out = infer({"id": "a", **pair}) / "a"
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["overlap"] == 1.0 and report["field_kept"]
    assert report["jacobian"]["folding"] == 0
    assert report["displacement_mm"]["max"] > 1
    for name in ("report.json", "report.html"):
        assert "Miller" not in (out / name).read_text(encoding="utf-8")
    assert (out / "overlay.png").exists()


def test_volumes_without_common_space_are_refused(hounsfield, infer, tmp_path, capsys):
    write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1))
    far = sitk.ReadImage(str(write_volume(tmp_path / "m.nii.gz", hounsfield)))
    far.SetOrigin((5000.0, 0.0, 0.0))
    sitk.WriteImage(far, str(tmp_path / "m.nii.gz"))
    with pytest.raises(SystemExit) as error:
        infer({"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"})
    assert error.value.code == 1
    assert "m.nii.gz: the volumes do not overlap" in capsys.readouterr().err
    assert not (tmp_path / "out" / "a").exists()


@pytest.mark.parametrize("orientation", ["LPS", "SRA"])
def test_a_refined_pair_is_one_transform(orientation, hounsfield, infer, tmp_path, monkeypatch):
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), orientation)
    moving = write_volume(tmp_path / "m.nii.gz", hounsfield, orientation)
    pair = {"fixed": "f.nii.gz", "moving": "m.nii.gz", "modality": "CT"}
    # whole voxels: one slice up, two rows back, one column
    monkeypatch.setattr(bspline, "spline_field", constant(1, 2, -1))
    monkeypatch.setattr(bspline, "judge", lambda *_: "")
    infer({"id": "plain", **pair}, ddf_full=True)
    out = infer({"id": "refined", **pair}, refine="bspline", ddf_full=True) / "refined"
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["refinement"]["method"] == "bspline" and report["refinement"]["kept"]
    assert report["parameters"]["refine"] == "bspline"
    assert "B-spline in 3D" in (out / "report.html").read_text(encoding="utf-8")
    fields = [
        sitk.DICOMOrient(sitk.ReadImage(str(path / "ddf.nii.gz")), "LPS")
        for path in (out.parent / "plain", out)
    ]
    plain, refined = (sitk.GetArrayFromImage(field) for field in fields)
    direction = np.reshape(fields[0].GetDirection(), (3, 3))
    step = direction @ (np.array(fields[0].GetSpacing()) * [-1, 2, 1])
    np.testing.assert_allclose(refined[:-1, :-2, 1:], plain[1:, 2:, :-1] + step, atol=0.07)
    image = sitk.ReadImage(str(moving), sitk.sitkFloat64)
    warped = sitk.ReadImage(str(out / "warped.nii.gz"))
    for transform in (
        sitk.DisplacementFieldTransform(
            sitk.ReadImage(str(out / "ddf.nii.gz"), sitk.sitkVectorFloat64)
        ),
        sitk.ReadTransform(str(out / "transform.h5")),
    ):
        grid = sitk.ReadImage(str(fixed))
        applied = sitk.Resample(image, grid, transform, sitk.sitkLinear, -1000.0)
        difference = sitk.DICOMOrient(applied - sitk.Cast(warped, sitk.sitkFloat64), "LPS")
        # where the B-spline leaves the network's field, the sum of both jumps
        inner = sitk.GetArrayFromImage(difference)[1:-1, 4:-4, 4:-4]
        assert np.abs(inner).mean() < 1e-3 * np.ptp(hounsfield)


def test_a_dropped_refinement_leaves_the_network_s_result(hounsfield, infer, tmp_path, monkeypatch):
    write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1))
    write_volume(tmp_path / "m.nii.gz", hounsfield)
    pair = {"fixed": "f.nii.gz", "moving": "m.nii.gz"}
    monkeypatch.setattr(bspline, "spline_field", constant(1, 2, -1))
    monkeypatch.setattr(bspline, "judge", lambda *_: "it is bad")
    infer({"id": "plain", **pair})
    out = infer({"id": "dropped", **pair}, refine="bspline")
    report = json.loads((out / "dropped" / "report.json").read_text(encoding="utf-8"))
    assert not report["refinement"]["kept"] and report["refinement"]["reason"] == "it is bad"
    assert "The B-spline step was dropped: it is bad." in report["suspicious"]
    for name in ("ddf", "warped", "fused"):
        arrays = [
            sitk.GetArrayFromImage(sitk.ReadImage(str(out / folder / f"{name}.nii.gz")))
            for folder in ("plain", "dropped")
        ]
        assert (arrays[0] == arrays[1]).all()


def test_a_full_folder_is_told_before_anything_is_written(hounsfield, infer, tmp_path, capsys):
    write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1))
    write_volume(tmp_path / "m.nii.gz", hounsfield)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # stands for a full disk
    try:
        with pytest.raises(SystemExit):
            infer({"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "error:" in text]
    assert "cannot be written to (File too large); choose another output_dir" in line
    assert not (tmp_path / "out" / "a").exists()
