"""The running server, asked over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from bundle import register_and_fuse
from scripts import fuse
from tests.scripts.monailabel_app.asking import QUICK, infer


def stored(server, image, tag, path):
    answer = requests.get(f"{server}/datastore/label", params={"label": image, "tag": tag})
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)
    return path


def volume(answer, path):
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)
    return sitk.ReadImage(str(path))


def same_grid(a, b):
    assert a.GetSize() == b.GetSize()
    for get in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(a, get)(), getattr(b, get)(), atol=1e-4)


def test_the_models_are_offered(server):
    info = requests.get(f"{server}/info/").json()
    assert set(info["models"]) == {"bimsrec", "bimsrec_register", "bimsrec_fuse"}
    assert {model["type"] for model in info["models"].values()} == {"others"}
    assert info["datastore"]["total"] >= 5  # other tests upload images


@pytest.mark.parametrize("moving", ["tracer", "series"])
def test_named_pair_gives_results_that_simpleitk_can_use(server, studies, tmp_path, moving):
    answer = infer(server, "head_fixed", {"moving": moving})
    fused = volume(answer, tmp_path / "fused.nii.gz")
    fixed = sitk.ReadImage(str(studies / "head_fixed.nii.gz"))
    same_grid(fused, fixed)
    values = sitk.GetArrayViewFromImage(fused)
    assert 0 <= values.min() < values.max() <= 1

    field = sitk.ReadImage(
        str(stored(server, "head_fixed", "ddf", tmp_path / "ddf.nii.gz")), sitk.sitkVectorFloat64
    )
    same_grid(field, fixed)
    warped = sitk.ReadImage(str(stored(server, "head_fixed", "warped", tmp_path / "w.nii.gz")))
    source = _moving(studies, moving)
    lowest = float(sitk.GetArrayViewFromImage(source).min())
    again = sitk.Resample(
        source, fixed, sitk.DisplacementFieldTransform(field), sitk.sitkLinear, lowest
    )
    difference = sitk.GetArrayFromImage(again) - sitk.GetArrayFromImage(warped)
    assert np.abs(difference).max() < 1e-3 * np.ptp(sitk.GetArrayViewFromImage(source))
    transform = sitk.ReadTransform(
        str(stored(server, "head_fixed", "transform", tmp_path / "transform.h5"))
    )
    assert transform.GetDimension() == 3
    page = stored(server, "head_fixed", "report", tmp_path / "report.html").read_text(
        encoding="utf-8"
    )
    assert "Registration report" in page


def _moving(studies, name):
    if name != "series":
        return sitk.ReadImage(str(studies / f"{name}.nii.gz"), sitk.sitkFloat64)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(studies / name))
    return sitk.Cast(sitk.ReadImage(files), sitk.sitkFloat64)


def test_the_server_gives_what_the_bundle_gives(server, studies, tmp_path):
    volume(infer(server, "head_fixed", {**QUICK, "tag": "same"}), tmp_path / "f.nii.gz")
    files = [str(studies / f"head_{side}.nii.gz") for side in ("fixed", "moving")]
    arguments = ["--fixed", files[0], "--moving", files[1], "--init", "none"]
    fuse.main([*arguments, "--output_dir", str(tmp_path / "out")])
    for name in ("fused", "warped", "ddf", "uncertainty"):
        expected = sitk.ReadImage(str(tmp_path / "out" / f"{name}.nii.gz"))
        path = stored(server, "head_fixed", f"{name}-same", tmp_path / f"{name}.nii.gz")
        arrays = [sitk.GetArrayFromImage(image) for image in (expected, sitk.ReadImage(str(path)))]
        np.testing.assert_allclose(*arrays, atol=1e-5)


def test_registration_alone_answers_with_the_warped_image(server, tmp_path):
    params = {**QUICK, "tag": "alone"}
    answer = infer(server, "head_fixed", params, model="bimsrec_register")
    warped = volume(answer, tmp_path / "a.nii.gz")
    kept = stored(server, "head_fixed", "warped-alone", tmp_path / "b.nii.gz")
    arrays = [sitk.GetArrayFromImage(image) for image in (warped, sitk.ReadImage(str(kept)))]
    np.testing.assert_array_equal(*arrays)
    assert stored(server, "head_fixed", "ddf-alone", tmp_path / "ddf.nii.gz")
    url = f"{server}/datastore/label?label=head_fixed&tag=fused-alone"
    assert requests.get(url).status_code == 404


def test_fusion_alone_moves_nothing(server, studies, tmp_path):
    params = {"moving": "head_fixed", "tag": "still"}
    answer = infer(server, "head_fixed", params, model="bimsrec_fuse")
    fused = volume(answer, tmp_path / "f.nii.gz")
    fixed = sitk.ReadImage(str(studies / "head_fixed.nii.gz"))
    same_grid(fused, fixed)
    arrays = [sitk.GetArrayFromImage(image).ravel() for image in (fused, fixed)]
    assert np.corrcoef(*arrays)[0, 1] > 0.98
    answer = infer(server, "head_fixed", params, output="json", model="bimsrec_fuse")
    assert answer.json()["stored"] == {"fused": "fused-still"}
    assert answer.json()["displacement_mm"]["max"] == 0
    assert not any("field" in sentence for sentence in answer.json()["suspicious"])
    assert answer.json()["parameters"]["init"] == "none"
    refused = infer(server, "head_fixed", {**params, **QUICK}, model="bimsrec_fuse")
    assert refused.status_code == 400 and "leave init out" in refused.json()["detail"]


def test_json_is_the_figures_of_the_report(server):
    answer = infer(server, "head_fixed", {**QUICK, "tag": "json"}, output="json")
    figures = answer.json()
    assert {"mutual_information", "displacement_mm", "jacobian"} <= set(figures)
    assert figures["stored"]["ddf"] == "ddf-json"
    report = requests.get(
        f"{server}/datastore/label", params={"label": "head_fixed", "tag": "figures-json"}
    ).json()
    assert {key: figures[key] for key in report} == report


def test_uploaded_moving_gives_what_the_named_one_gives(server, studies, tmp_path):
    named = volume(infer(server, "head_fixed", QUICK), tmp_path / "a.nii.gz")
    with (studies / "head_moving.nii.gz").open("rb") as file:
        answer = infer(server, "head_fixed", QUICK, {"label": ("../../x.nii.gz", file)})
    uploaded = volume(answer, tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(*(sitk.GetArrayFromImage(x) for x in (named, uploaded)))


def test_two_uploads(server, studies, tmp_path):
    with (
        (studies / "head_fixed.nii.gz").open("rb") as fixed,
        (studies / "head_moving.nii.gz").open("rb") as moving,
    ):
        files = {"file": ("f.nii.gz", fixed), "label": ("m.nii.gz", moving)}
        fused = volume(infer(server, "", QUICK, files), tmp_path / "f.nii.gz")
    same_grid(fused, sitk.ReadImage(str(studies / "head_fixed.nii.gz")))


def test_two_requests_at_once_are_both_right(server, tmp_path):
    moving = ["head_moving", "tracer"]

    def ask(name, turn):
        answer = infer(server, "head_fixed", {**QUICK, "moving": name, "tag": f"{name}{turn}"})
        fused = volume(answer, tmp_path / f"{name}{turn}.nii.gz")
        path = tmp_path / f"w-{name}{turn}.nii.gz"
        warped = sitk.ReadImage(str(stored(server, "head_fixed", f"warped-{name}{turn}", path)))
        return sitk.GetArrayFromImage(fused), sitk.GetArrayFromImage(warped)

    alone = [ask(name, 0) for name in moving]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(ask, moving, (1, 1)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(alone[0][0], alone[1][0])


def test_results_are_those_of_the_last_request(server):
    both, alone = ({**QUICK, "moving": "tracer", "tag": "turn"} for _ in range(2))
    assert infer(server, "head_fixed", {**both, "modality": "PET"}).status_code == 200
    url = f"{server}/datastore/label?label=head_fixed&tag="
    assert requests.get(url + "overlay-turn").status_code == 200
    assert infer(server, "head_fixed", alone, model="bimsrec_register").status_code == 200
    assert requests.get(url + "warped-turn").status_code == 200
    for tag in ("overlay-turn", "fused-turn"):
        assert requests.get(url + tag).status_code == 404


def test_new_file_is_found_at_once_and_an_added_image_serves(server, studies, tmp_path):
    image = sitk.ReadImage(str(studies / "tracer.nii.gz"))
    sitk.WriteImage(image, str(studies / "late.nii.gz"))
    assert infer(server, "head_fixed", {**QUICK, "moving": "late"}).status_code == 200
    with (studies / "tracer.nii.gz").open("rb") as file:
        added = requests.put(f"{server}/datastore/image?image=added", files={"file": file})
    assert added.json() == {"image": "added"}
    assert infer(server, "head_fixed", {**QUICK, "moving": "added"}).status_code == 200


def test_the_log_names_nobody(server, server_log):
    text = server_log.read_text(encoding="utf-8")
    assert "Secret" not in text and "head_fixed" not in text
    assert "Traceback" not in text


def test_the_server_writes_what_python_and_the_command_write(server, studies, tmp_path):
    answer = infer(server, "head_fixed", {"moving": "tracer", "modality": "PET", "tag": "same"})
    assert answer.status_code == 200, answer.text
    files = [str(studies / f"{name}.nii.gz") for name in ("head_fixed", "tracer")]
    register_and_fuse(*files, modality="PET").save(tmp_path / "python")
    words = ["--fixed", files[0], "--moving", files[1], "--modality", "PET"]
    fuse.main([*words, "--output_dir", str(tmp_path / "command")])
    for tag in ("fused", "warped", "ddf", "uncertainty"):
        file = stored(server, "head_fixed", f"{tag}-same", tmp_path / "served")
        for way in ("python", "command"):
            written = tmp_path / way / f"{tag}.nii.gz"
            assert written.read_bytes() == file.read_bytes(), (way, tag)
