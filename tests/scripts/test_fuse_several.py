"""Several moving images of one fixed image, and the frames of a 4D one."""

import csv
import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle import InputError, register_and_fuse
from bundle.images import pair as pairs
from scripts import fuse
from tests.inference.images import smooth, write_volume
from tests.scripts.test_fuse import stub  # noqa: F401

QUICK = ["--init", "none", "--plane", "axial", "--device", "cpu"]


@pytest.fixture
def files(tmp_path):
    names = ("mri", "ct", "pet")
    return [
        str(write_volume(tmp_path / f"{name}.nii.gz", np.pad(smooth((4, 40, 36), k), 1)))
        for k, name in enumerate(names)
    ]


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that are read."""
    names = []
    read = pairs.read_volume

    def noted(path, *args, **kwargs):
        names.append(str(path))
        return read(path, *args, **kwargs)

    monkeypatch.setattr(pairs, "read_volume", noted)
    return names


def test_each_has_its_folder_and_the_fixed_image_is_read_once(files, stub, tmp_path, opened):  # noqa: F811
    fixed, *moving = files
    out = tmp_path / "out"
    words = ["--fixed", fixed, "--moving", *moving, "--modality", "CT", "PET", *QUICK]
    fuse.main([*words, "--output_dir", str(out)], guard=False, **stub)
    assert opened == [fixed, *moving]
    with (out / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["modality"], row["status"]) for row in rows] == [
        ("ct", "CT", "done"),
        ("pet", "PET", "done"),
    ]
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert 'href="ct/report.html"' in page and 'href="pet/report.html"' in page
    alone = tmp_path / "alone"
    words = ["--fixed", fixed, "--moving", moving[1], "--modality", "PET", *QUICK]
    fuse.main([*words, "--output_dir", str(alone)], guard=False, **stub)
    for name in ("fused.nii.gz", "warped.nii.gz", "ddf.nii.gz"):
        assert (out / "pet" / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--modality", "CT"], "names 1 for 2 moving images; name one for each"),
        (["--initial_transform", "a.tfm"], "--initial_transform: is for one moving image"),
        (["--apply_to_all_frames"], "--apply_to_all_frames: is for one moving image"),
    ],
)
def test_what_does_not_match_is_refused(words, line, files, tmp_path):
    out = tmp_path / "out"
    command = ["--fixed", files[0], "--moving", *files[1:], "--output_dir", str(out), *words]
    with pytest.raises(SystemExit, match=line):
        fuse.main(command)
    assert not out.exists()


def test_two_modalities_of_one_image(files, tmp_path):
    command = ["--fixed", *files[:1], "--moving", files[1], "--modality", "CT", "PET"]
    with pytest.raises(SystemExit, match="names several for one moving image"):
        fuse.main([*command, "--output_dir", str(tmp_path / "out")])


def test_a_list_in_python_gives_a_list(files, opened):
    fixed, *moving = files
    quick = {"init": "none", "rigid_only": True, "device": "cpu"}
    results = register_and_fuse(fixed, moving, modality=["CT", "PET"], **quick)
    assert opened == [fixed, *moving]
    assert [one.report.modality for one in results] == ["CT", "PET"]
    alone = register_and_fuse(fixed, moving[1], modality="PET", **quick)
    images = [sitk.GetArrayFromImage(one.fused) for one in (results[1], alone)]
    assert np.array_equal(*images)
    for wrong in ("CT", ["CT"]):
        with pytest.raises(InputError, match="modality: give a list of 2"):
            register_and_fuse(fixed, moving, modality=wrong)


def test_all_frames_follow_the_registration_of_their_mean(files, stub, tmp_path):  # noqa: F811
    fixed, _, pet = files
    still = nibabel.load(pet)
    frames = np.stack([k * np.asarray(still.dataobj) for k in (1, 2, 6)], axis=3)
    image = nibabel.Nifti1Image(frames.astype(np.float32), still.affine)
    image.header.set_zooms((*still.header.get_zooms(), 60.0))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "dynamic.nii.gz")
    out = tmp_path / "out"
    words = ["--fixed", fixed, "--moving", str(tmp_path / "dynamic.nii.gz"), "--modality", "PET"]
    words += ["--apply_to_all_frames", "--output_dir", str(out), *QUICK]
    fuse.main(words, guard=False, **stub)
    written = nibabel.load(out / "warped_4d.nii.gz")
    mean = np.asarray(nibabel.load(out / "warped.nii.gz").dataobj)
    read = np.asarray(written.dataobj)
    for number, factor in enumerate((1, 2, 6)):
        assert np.allclose(read[..., number], factor / 3 * mean, atol=1e-4)
    assert written.header.get_zooms()[3] == 60.0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["parameters"]["apply_to_all_frames"] is True
