"""Applying written transforms to other volumes."""

import numpy as np
import pytest
import SimpleITK as sitk

from scripts.apply import main


@pytest.fixture
def files(tmp_path):
    """A label map, and a transform that finds it two voxels further along x."""
    labels = np.zeros((8, 10, 12), np.float32)
    labels[2:6, 3:7, 4:9] = 7
    grid = sitk.GetImageFromArray(labels)
    grid.SetSpacing((2.0, 1.0, 1.0))
    sitk.WriteImage(grid, str(tmp_path / "labels.nii.gz"))
    vectors = np.zeros((8, 10, 12, 3))
    vectors[..., 0] = 4.0
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.CopyInformation(grid)
    sitk.WriteImage(field, str(tmp_path / "ddf.nii.gz"))
    sitk.WriteTransform(sitk.TranslationTransform(3, (4.0, 0.0, 0.0)), str(tmp_path / "t.h5"))
    return tmp_path, labels


def apply(folder, transform, *more):
    names = [
        "--moving",
        str(folder / "labels.nii.gz"),
        "--reference",
        str(folder / "labels.nii.gz"),
    ]
    out = folder / "out.nii.gz"
    main(["--transform", str(folder / transform), *names, "--output", str(out), *more])
    return sitk.GetArrayFromImage(sitk.ReadImage(str(out)))


@pytest.mark.parametrize("transform", ["ddf.nii.gz", "t.h5"])
def test_labels_stay_labels(files, transform):
    folder, labels = files
    result = apply(folder, transform, "--interpolation", "nearest")
    np.testing.assert_array_equal(result[..., :-2], labels[..., 2:])
    assert set(np.unique(result)) == {0, 7}


def test_labels_keep_their_type(files):
    folder, labels = files
    grid = sitk.ReadImage(str(folder / "labels.nii.gz"), sitk.sitkInt16)
    sitk.WriteImage(grid, str(folder / "labels.nii.gz"))
    apply(folder, "t.h5", "--interpolation", "nearest")
    assert sitk.ReadImage(str(folder / "out.nii.gz")).GetPixelID() == sitk.sitkInt16


def test_the_inverse_moves_back_and_states_its_error(files, capsys):
    folder, labels = files
    result = apply(folder, "ddf.nii.gz", "--interpolation", "nearest", "--inverse")
    np.testing.assert_array_equal(result[2:6, 3:7, 6:11], labels[2:6, 3:7, 4:9])
    assert "mean error" in capsys.readouterr().out


def test_bad_input_is_one_line_and_nothing_is_overwritten(files):
    folder, _ = files
    with pytest.raises(SystemExit, match=r"none\.h5: no such file"):
        apply(folder, "none.h5")
    (folder / "text.h5").write_text("nothing")
    with pytest.raises(SystemExit, match=r"text\.h5: no transform"):
        apply(folder, "text.h5")
    with pytest.raises(SystemExit, match="its folder does not exist"):
        apply(folder, "t.h5", "--output", str(folder / "none" / "out.nii.gz"))
    apply(folder, "t.h5")
    with pytest.raises(SystemExit, match=r"out\.nii\.gz: exists already"):
        apply(folder, "t.h5")
