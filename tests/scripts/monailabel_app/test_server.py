"""The running server, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from scripts import fuse
from tests.scripts.monailabel_app.conftest import MAX_UPLOAD_MB

QUICK = {"init": "none"}


def infer(server, image, params=None, files=None, output="image", model="bimsrec"):
    url = f"{server}/infer/{model}"
    data = {"params": json.dumps(params or {})}
    return requests.post(url, params={"image": image, "output": output}, data=data, files=files)


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


TEXT = {"label": ("x.nii.gz", b"not an image")}
BAD = {
    "unknown image": (("nobody", {}, None), 404, "no image 'nobody'"),
    "unknown moving": (("head_fixed", {"moving": "nobody"}, None), 404, "no image 'nobody'"),
    "missing moving": (("tracer", {}, None), 400, "moving image is missing"),
    "no image": (("", {}, None), 400, "name the fixed image"),
    "file of the server": (("/etc/hostname", {"moving": "tracer"}, None), 404, "no image"),
    "path traversal": (("head_fixed", {"moving": "../../etc/passwd"}, None), 404, "no image"),
    "traversal in a tag": (("head_fixed", {**QUICK, "tag": "../../x"}, None), 400, "plain name"),
    "text stored as an image": (("head_fixed", {"moving": "text"}, None), 422, "cannot be read"),
    "text uploaded": (("head_fixed", {}, TEXT), 422, "cannot be read"),
    "empty upload": (("head_fixed", {}, {"label": ("x.nii.gz", b"")}), 422, "is empty"),
    "unknown suffix": (("head_fixed", {}, {"label": ("x.exe", b"MZ")}), 415, ".nii.gz"),
    "params a list": (("head_fixed", ["moving"], None), 400, "has to be an object"),
    "params of a wrong kind": (("head_fixed", {"moving": ["tracer"]}, None), 400, "be a text"),
    "unknown modality": (("head_fixed", {"modality": "XA"}, None), 422, "modality"),
    "unknown init": (("head_fixed", {"init": "magic"}, None), 422, "init"),
    "a picture": (
        ("head_fixed", {}, {"label": ("x.png", b"\x89PNG")}),
        422,
        "a picture and a volume",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_answered_with_one_sentence(name, server, studies):
    (image, params, files), status, words = BAD[name]
    answer = requests.post(
        f"{server}/infer/bimsrec",
        params={"image": image},
        data={"params": json.dumps(params)},
        files=files,
    )
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert words in detail and "\n" not in detail
    assert str(studies) not in detail and "/tmp" not in detail
    assert requests.get(f"{server}/info/").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status"),
    [
        ("post", "/infer/nothing?image=head_fixed", {"data": {"params": '{"moving": "x"}'}}, 404),
        ("post", "/infer/bimsrec?image=head_fixed", {"data": {"params": "{not json"}}, 400),
        ("put", "/datastore/image?image=../../evil", {"files": {"file": ("x.nii", b"x")}}, 400),
        ("put", "/datastore/image?image=evil", {"files": {"file": ("x.nii.gz", b"")}}, 422),
        ("put", "/datastore/image?image=evil", {"files": {"file": ("x.sh", b"x")}}, 415),
        (
            "put",
            "/datastore/label?image=tracer&tag=../../x",
            {"files": {"label": ("x.nii", b"x")}},
            400,
        ),
        ("put", "/datastore/label?image=no&tag=x", {"files": {"label": ("x.nii", b"x")}}, 404),
        ("get", "/datastore/label?label=tracer&tag=../../x", {}, 404),
        ("delete", "/datastore/image?id=nobody", {}, 404),
    ],
)
def test_other_requests_that_are_refused(method, path, arguments, status, server, studies):
    answer = requests.request(method, server + path, **arguments)
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["detail"], str)
    assert not list(studies.parent.glob("**/evil*"))


MHD = b"ObjectType = Image\nNDims = 3\nElementDataFile = /etc/hostname\n"
NRRD = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\ndata file: /etc/hostname\n\n"


@pytest.mark.parametrize(("name", "content"), [("x.mhd", MHD), ("x.mha", MHD), ("x.nrrd", NRRD)])
def test_a_header_cannot_name_a_file_of_the_server(name, content, server):
    answers = [
        infer(server, "head_fixed", QUICK, {"label": (name, content)}),
        requests.put(f"{server}/datastore/image?image=evil", files={"file": (name, content)}),
    ]
    for answer in answers:
        assert answer.status_code == 415, answer.text
        assert "names another file" in answer.json()["detail"]


def test_an_id_that_is_taken_is_refused_and_no_upload_stays(server, studies):
    before = (studies / "tracer.nii.gz").read_bytes()
    left = set(Path(tempfile.gettempdir()).iterdir())
    upload = {"file": ("x.nii.gz", (studies / "head_fixed.nii.gz").read_bytes())}
    taken = requests.put(f"{server}/datastore/image?image=tracer", files=upload)
    assert taken.status_code == 409 and "take another id" in taken.json()["detail"]
    assert (studies / "tracer.nii.gz").read_bytes() == before
    long = requests.put(f"{server}/datastore/image", params={"image": "€" * 60}, files=upload)
    assert long.status_code == 400
    new = {path.suffix for path in set(Path(tempfile.gettempdir()).iterdir()) - left}
    assert ".gz" not in new


def test_results_are_those_of_the_last_request(server):
    both, alone = ({**QUICK, "moving": "tracer", "tag": "turn"} for _ in range(2))
    assert infer(server, "head_fixed", {**both, "modality": "PET"}).status_code == 200
    url = f"{server}/datastore/label?label=head_fixed&tag="
    assert requests.get(url + "overlay-turn").status_code == 200
    assert infer(server, "head_fixed", alone, model="bimsrec_register").status_code == 200
    assert requests.get(url + "warped-turn").status_code == 200
    for tag in ("overlay-turn", "fused-turn"):
        assert requests.get(url + tag).status_code == 404


def test_a_huge_upload_is_refused_before_it_is_read(server):
    address = urlparse(server)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("POST", "/infer/bimsrec?image=head_fixed")
    connection.putheader("Content-Length", str((MAX_UPLOAD_MB + 1) * 2**20))
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert f"{MAX_UPLOAD_MB} MB" in json.loads(answer.read())["detail"]


def test_a_huge_upload_of_undeclared_size_is_refused(server):
    chunks = (b"x" * 2**20 for _ in range(MAX_UPLOAD_MB + 2))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = requests.post(f"{server}/infer/bimsrec?image=a", data=chunks, headers=headers)
    except requests.ConnectionError:
        pass  # the server closed the connection while we were still sending
    else:
        assert answer.status_code in (400, 413)
    assert requests.get(f"{server}/info/").status_code == 200


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
