"""What a pair of a list says of itself counts in every step."""

import json

import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import as_transform
from tests.inference.images import smooth, write_volume


def test_the_initial_transform_and_the_mask_of_a_pair_are_used(infer, tmp_path):
    for number, name in enumerate("fm"):
        write_volume(tmp_path / f"{name}.nii.gz", smooth((20, 40, 40), number))
    matrix = np.eye(4)
    matrix[:3, 3] = (4.0, -3.0, 2.0)
    sitk.WriteTransform(as_transform(matrix), str(tmp_path / "first.tfm"))
    fixed = sitk.ReadImage(str(tmp_path / "f.nii.gz"))
    mask = sitk.Cast(fixed > 0.8, sitk.sitkUInt8)
    sitk.WriteImage(mask, str(tmp_path / "lesion.nii.gz"))
    pair = {"id": "a", "fixed": "f.nii.gz", "moving": "m.nii.gz"}
    own = {"initial_transform": "first.tfm", "fixed_mask": "lesion.nii.gz"}
    out = infer({**pair, **own}, {**pair, "id": "b"}, init="header")
    reports = [json_of(out / name / "report.json") for name in "ab"]
    np.testing.assert_array_equal([one["start"] for one in reports], [matrix, np.eye(4)])
    assert [one["parameters"].get("initial_transform") for one in reports] == [True, None]
    codes = [[note["code"] for note in one["notes"] + one["warnings"]] for one in reports]
    assert "masked" in codes[0] and "masked" not in codes[1]


def json_of(path):
    return json.loads(path.read_text(encoding="utf-8"))
