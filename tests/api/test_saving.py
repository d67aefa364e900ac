"""A result is written when it is saved, and takes the place of others only on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk

from bundle import InputError, register_and_fuse
from tests.api.known import FIELD, array


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
    report = json.loads((tmp_path / "out" / "here" / "report.json").read_text(encoding="utf-8"))
    assert report["files"] == names
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


def test_a_result_never_replaces_its_own_source(volumes, stub, tmp_path):
    result = register_and_fuse(*volumes, **FIELD, overwrite=True)
    result.save(tmp_path / "out")
    source = tmp_path / "out" / "warped.nii.gz"
    again = register_and_fuse(volumes[0], source, **FIELD, overwrite=True)
    before = source.read_bytes()
    with pytest.raises(InputError, match=r"warped\.nii\.gz: a result would take its place"):
        again.save(tmp_path / "out")
    assert source.read_bytes() == before


def test_a_folder_has_a_name_and_home_may_be_in_it(volumes, stub, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    result = register_and_fuse(*volumes, **FIELD)
    with pytest.raises(InputError, match="^save: name a folder for the results$"):
        result.save("")
    assert result.save("~/out") == tmp_path / "home" / "out"
    assert (tmp_path / "home" / "out" / "fused.nii.gz").is_file()
