"""Names of any bytes end no process, and what systems leave in folders is no image."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.kinds import require_plain, shown, visible
from bundle.images.volumes import read_volume
from bundle.results.folder import require_writable
from bundle.training.pairs import common_names
from bundle.workflow.folders import find_pairs
from scripts import apply, fuse
from tests.inference.images import write_grey

ODD = os.fsdecode(b"m\xfcller")
"""Latin-1, as old archives have it."""


def scan():
    image = sitk.Image([8, 9, 10], sitk.sitkFloat32)
    image.SetSpacing((16.0, 16.0, 12.0))
    return image


def renamed(path: Path, name: str) -> Path:
    """As another name; a file system that takes UTF-8 only has no such files."""
    try:
        return path.rename(path.with_name(name))
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_volume_of_any_name_is_read(suffix, tmp_path):
    sitk.WriteImage(scan(), str(tmp_path / f"m{suffix}"))
    path = renamed(tmp_path / f"m{suffix}", ODD + suffix)
    assert read_volume(path).image.GetSize() == (8, 9, 10)


def test_a_pair_of_such_a_name_is_refused_and_the_others_are_found(tmp_path):
    for name in ("a", "b"):
        for side in ("fixed", "moving"):
            write_grey(tmp_path / f"{name}_{side}.png")
    for side in ("fixed", "moving"):
        renamed(tmp_path / f"b_{side}.png", f"{ODD}_{side}.png")
    good, bad = find_pairs(tmp_path, tmp_path / "out")
    assert good["id"] == "a" and "error" not in good
    assert bad["id"] == "m\\udcfcller" and bad["error"].endswith("its name is not UTF-8; rename it")
    (bad["id"] + bad["error"]).encode("utf-8")  # it can be printed, and written to a table


@pytest.mark.parametrize("side", ["--fixed", "--moving", "--output_dir"])
def test_the_command_names_what_it_cannot_open(side, tmp_path):
    paths = {"--fixed": tmp_path / "f.png", "--moving": tmp_path / "m.png"}
    for path in paths.values():
        write_grey(path)
    words = {**paths, "--output_dir": tmp_path / "out"}
    if side in paths:
        words[side] = renamed(paths[side], f"{ODD}.png")
    else:
        words[side] = tmp_path / ODD
    with pytest.raises(InputError, match="its name is not UTF-8; rename it"):
        require_writable(words["--output_dir"], False, words["--fixed"], words["--moving"])


def test_apply_names_what_it_cannot_open(tmp_path):
    for name in ("m.nii.gz", "r.nii.gz"):
        sitk.WriteImage(scan(), str(tmp_path / name))
    sitk.WriteTransform(sitk.TranslationTransform(3), str(tmp_path / "t.h5"))
    odd = renamed(tmp_path / "m.nii.gz", f"{ODD}.nii.gz")
    words = ["--reference", str(tmp_path / "r.nii.gz"), "--output", str(tmp_path / "o.nii.gz")]
    with pytest.raises(SystemExit, match="its name is not UTF-8; rename it"):
        apply.main(["--transform", str(tmp_path / "t.h5"), "--moving", str(odd), *words])


def test_what_systems_leave_in_folders_is_no_image(tmp_path):
    for kind in ("MRI", "CT"):
        (tmp_path / kind).mkdir()
        write_grey(tmp_path / kind / "1001.png")
    for name in ("._1001.png", "._x.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / "CT" / name).write_bytes(b"\x00\x05\x16\x07")
    assert common_names(tmp_path / "MRI", tmp_path / "CT") == ["1001.png"]
    assert [path.name for path in visible(tmp_path / "CT", "*.png")] == ["1001.png"]


def test_shown_keeps_plain_names():
    assert shown("/data/Müller/ü.nii.gz") == "/data/Müller/ü.nii.gz"
    assert shown(ODD) == "m\\udcfcller"


def test_a_single_pair_of_such_names_ends_in_one_line(tmp_path):
    for side in ("f", "m"):
        write_grey(tmp_path / f"{side}.png")
    odd = renamed(tmp_path / "m.png", f"{ODD}.png")
    words = ["--fixed", str(tmp_path / "f.png"), "--moving", str(odd)]
    with pytest.raises(SystemExit) as stop:
        fuse.main([*words, "--output_dir", str(tmp_path / "out")])
    assert stop.value.code in (1,) or "not UTF-8" in str(stop.value.code)
    assert not (tmp_path / "out").exists()


def test_of_a_locale_without_utf_8_the_remedy_is_another_one(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    with pytest.raises(InputError, match="not UTF-8 in this locale; set PYTHONUTF8=1$"):
        require_plain("Müller/mri.nii.gz")
    require_plain("mri.nii.gz")
