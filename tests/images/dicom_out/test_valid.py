"""What is written passes dciodvfy (Debian: dicom3tools), where it is installed."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.compact import coarse_grid, compact
from bundle.geometry.transform import compose
from bundle.images.dicom_out.fused import write_fused
from bundle.images.dicom_out.registered import write_registered
from bundle.images.dicom_out.spatial import (
    write_deformable_registration,
    write_spatial_registration,
)
from bundle.images.dicom_out.study import study_of
from bundle.images.volume import Volume
from tests.geometry.test_compact import START, smooth_field
from tests.images.dicom_out.volumes import oblique, scan, still

VALIDATOR = shutil.which("dciodvfy")
STUDY = {
    "PatientName": "Doe^J",
    "PatientID": "P1",
    "PatientBirthDate": "19600101",
    "PatientSex": "F",
    "StudyDate": "20200102",
    "StudyTime": "080000",
    "StudyID": "7",
    "PatientPosition": "HFS",
}


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("known", [True, False], ids=["series", "nobody"])
def test_no_rule_is_broken(known, tmp_path):
    if known:
        fixed, moving = (scan(tmp_path / kind, kind, **STUDY) for kind in ("MR", "PT"))
    else:
        fixed, moving = Volume("f", oblique()), Volume("m", oblique() * 2)
    study, field = study_of(fixed, moving), still(fixed.image)
    out = tmp_path / "out"
    out.mkdir()
    for modality in ("CT", "PET", "SPECT", "MR", None):
        write_registered(
            moving.image, field, out / str(modality), study, modality, (0.0, 9.0), modality == "CT"
        )
    write_fused(sitk.Cast(fixed.image * 0 + 0.5, sitk.sitkFloat32), field, out / "grey", study)
    red = sitk.GetImageFromArray(
        np.full((*reversed(fixed.image.GetSize()), 3), 9, np.uint8), isVector=True
    )
    red.CopyInformation(fixed.image)
    write_fused(red, field, out / "color", study)
    found = compact(compose(START, smooth_field(coarse_grid(fixed.image), 8.0, 2.0)), fixed.image)
    write_spatial_registration(found.matrix, out / "linear.dcm", study)
    write_deformable_registration(found, out / "field.dcm", study)
    files = [*out.glob("*/0002.dcm"), out / "SPECT" / "0001.dcm", *out.glob("*.dcm")]
    assert len(files) == 9
    for path in files:
        done = subprocess.run([VALIDATOR, path], capture_output=True, encoding="utf-8", check=False)
        said = done.stdout + done.stderr
        assert re.search("^(CT|PET|NM|MR|SC)Image|SpatialRegistration", said, re.MULTILINE), said
        assert not [line for line in said.splitlines() if line.startswith("Error")], said


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("modality", ["CT", "PET", "SPECT", "MR", None])
def test_a_narrow_window_breaks_no_rule(modality, tmp_path):
    fixed, moving = scan(tmp_path / "MR", "MR", **STUDY), Volume("m", oblique() * 0.3)
    study, field = study_of(fixed, moving), still(moving.image)
    write_registered(moving.image, field, tmp_path / "out", study, modality, (0.0, 0.25))
    path = tmp_path / "out" / "0001.dcm"
    done = subprocess.run([VALIDATOR, path], capture_output=True, encoding="utf-8", check=False)
    said = done.stdout + done.stderr
    assert re.search("^(CT|PET|NM|MR|SC)Image", said, re.MULTILINE), said
    assert not [line for line in said.splitlines() if line.startswith("Error")], said
