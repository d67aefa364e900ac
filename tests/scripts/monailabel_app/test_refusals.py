"""What the running server refuses, and that nothing of it stays."""

from __future__ import annotations

import http.client
import json
import tempfile
from pathlib import Path
from urllib.parse import urlparse

import pytest
import requests

from tests.scripts.monailabel_app.asking import QUICK, infer
from tests.scripts.monailabel_app.conftest import MAX_UPLOAD_MB

TEXT = {"label": ("x.nii.gz", b"not an image")}
BAD = {
    "unknown image": (("nobody", {}, None), 404, "no image 'nobody'"),
    "unknown moving": (("head_fixed", {"moving": "nobody"}, None), 404, "no image 'nobody'"),
    "missing moving": (("tracer", {}, None), 400, "moving image is missing"),
    "no image": (("", {}, None), 400, "name the fixed image"),
    "file of the server": (("/etc/hostname", {"moving": "tracer"}, None), 404, "no image"),
    "path traversal": (("head_fixed", {"moving": "../../etc/passwd"}, None), 404, "no image"),
    "traversal in a tag": (("head_fixed", {**QUICK, "tag": "../../x"}, None), 400, "plain name"),
    "text stored as an image": (
        ("head_fixed", {"moving": "text"}, None),
        422,
        "is not what its suffix says",
    ),
    "text uploaded": (("head_fixed", {}, TEXT), 422, "is not what its suffix says"),
    "empty upload": (("head_fixed", {}, {"label": ("x.nii.gz", b"")}), 422, "is empty"),
    "unknown suffix": (("head_fixed", {}, {"label": ("x.exe", b"MZ")}), 415, ".nii.gz"),
    "params a list": (("head_fixed", ["moving"], None), 400, "has to be an object"),
    "params of a wrong kind": (("head_fixed", {"moving": ["tracer"]}, None), 400, "be a text"),
    "a slip in a name": (("head_fixed", {"modalty": "CT"}, None), 400, "did you mean modality?"),
    "an unknown name": (
        ("head_fixed", {"colour\n": None}, None),
        400,
        "colour is unknown; there are",
    ),
    "an option of the command": (
        ("head_fixed", {"refine": "bspline"}, None),
        400,
        "refine is not offered here",
    ),
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
        ("post", "/infer/bimsrec?image=head_fixed&output=xxx", {}, 400),
        ("post", "/infer/bimsrec?image=head_fixed&output=dicom_seg", {}, 400),
        ("put", "/datastore/image?image=evil", {}, 400),
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


def test_a_web_page_is_not_allowed_to_read_the_answers(server):
    page = {"Origin": "http://evil.example"}
    answers = [
        requests.get(f"{server}/datastore/image?image=head_fixed", headers=page),
        requests.options(
            f"{server}/info/", headers={**page, "Access-Control-Request-Method": "GET"}
        ),
    ]
    assert answers[0].status_code == 200
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("twin", "other"), [("tracer.nrrd", "tracer.nii.gz"), ("series.png", "series")]
)
def test_an_id_that_two_images_share_is_refused(twin, other, server, studies):
    name = Path(twin).stem
    (studies / twin).write_bytes(b"x")
    upload = {"label": ("x.nii.gz", b"x")}
    try:
        answers = [
            infer(server, name, {"moving": "head_moving"}),
            infer(server, "head_fixed", {"moving": name}),
            requests.get(f"{server}/datastore/image?image={name}"),
            requests.delete(f"{server}/datastore/image?id={name}"),
            requests.put(f"{server}/datastore/label?image={name}&tag=x", files=upload),
        ]
        assert (studies / other).exists() and (studies / twin).exists()
    finally:
        (studies / twin).unlink()
    for answer in answers:
        assert answer.status_code == 409, answer.text
        assert all(file in answer.json()["detail"] for file in (other, twin))
    assert requests.head(f"{server}/datastore/image?image=tracer").status_code == 200


UPLOAD = {"files": ("x.nii.gz", b"of a patient")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/train/"),
        ("post", "/train/bimsrec"),
        ("post", "/train/"),
        ("post", "/scoring/x"),
        ("post", "/batch/infer/bimsrec"),
        ("put", "/session/"),
        ("put", "/session"),
        ("get", "/model/bimsrec"),
        ("post", "/infer/wsi/bimsrec"),
        ("post", "/infer/wsi_v2/bimsrec"),
    ],
)
def test_what_is_not_offered_does_nothing(method, path, server):
    kept = Path.home() / ".cache" / "monailabel" / "sessions"
    before = set(kept.glob("*"))
    answer = requests.request(method, server + path, files=UPLOAD if method == "put" else None)
    assert answer.status_code == 404
    name = path.strip("/").removesuffix("/bimsrec").partition("/x")[0]
    assert answer.json()["detail"].startswith(f"{name.removesuffix('/infer')} is not offered here")
    assert set(kept.glob("*")) == before
