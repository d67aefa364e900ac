"""Applying written transforms to other volumes."""

import os
import re
import resource

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bundle.geometry.compact import compact
from bundle.geometry.transform import compose, displacement_field
from bundle.results import whole_file
from bundle.results.compressed import write_transform
from scripts.apply import main


def smooth(shape, seed, sigma=2.0):
    values = gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return (values - values.min()) / np.ptp(values)


def volume(values, spacing):
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing(spacing)
    return image


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


@pytest.mark.parametrize("kind", [sitk.sitkInt32, sitk.sitkFloat64])
def test_labels_that_single_precision_mixes_up_are_refused(kind, files):
    folder, _ = files
    grid = sitk.ReadImage(str(folder / "labels.nii.gz"), kind)
    sitk.WriteImage(grid * (2**24 + 1), str(folder / "labels.nii.gz"))
    with pytest.raises(SystemExit, match="holds numbers of 16777216 and more"):
        apply(folder, "t.h5", "--interpolation", "nearest")
    assert not (folder / "out.nii.gz").exists()


def test_the_inverse_moves_back_and_states_its_error(files, capsys):
    folder, labels = files
    result = apply(folder, "ddf.nii.gz", "--interpolation", "nearest", "--inverse")
    np.testing.assert_array_equal(result[2:6, 3:7, 6:11], labels[2:6, 3:7, 4:9])
    assert "mean error" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["transform.h5", "ddf.nii.gz"])
@pytest.mark.parametrize("shift", [5.0, 250.0])
def test_the_inverse_of_a_start_and_a_field(tmp_path, capsys, kind, shift):
    """The moving volume lies anywhere; a picture brought there and back is the same inside."""
    fixed = volume(smooth((24, 48, 40), seed=1, sigma=4), spacing=(2.0, 2.0, 3.0))
    start = np.eye(4)
    start[:2, :2] = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]) * 1.05
    start[:3, 3] = shift, -shift, shift / 2
    vectors = [10 * smooth((24, 48, 40), seed=seed, sigma=6) - 5 for seed in (3, 4, 5)]
    field = sitk.GetImageFromArray(np.stack(vectors, -1), isVector=True)
    field.CopyInformation(fixed)
    total = compose(start, field)
    moving = volume(smooth((30, 60, 50), seed=2), (2.0, 2.0, 3.0))
    corner = np.asarray(total.TransformPoint(fixed.TransformIndexToPhysicalPoint((0, 0, 0))))
    moving.SetOrigin(corner - [4, 4, 6])
    sitk.WriteTransform(total, str(tmp_path / "transform.h5"))
    sitk.WriteImage(displacement_field(total, fixed), str(tmp_path / "ddf.nii.gz"))
    for name, image in (("fixed", fixed), ("moving", moving)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    words = ["--transform", str(tmp_path / kind), "--moving", str(tmp_path / "fixed.nii.gz"),
             "--reference", str(tmp_path / "moving.nii.gz")]  # fmt: skip
    main([*words, "--output", str(tmp_path / "there.nii.gz"), "--inverse"])
    assert float(re.search(r"mean error (\S+) mm", capsys.readouterr().out).group(1)) < 0.1
    there = sitk.ReadImage(str(tmp_path / "there.nii.gz"))
    back = sitk.GetArrayFromImage(sitk.Resample(there, fixed, total, sitk.sitkLinear, 0.0))
    known = sitk.GetArrayFromImage(fixed)
    inner = (slice(6, 18), slice(12, 36), slice(10, 30))
    assert np.abs(back - known)[inner].mean() < 0.05 * known[inner].std()


def test_the_written_inverse_is_used_where_it_is_there(tmp_path, capsys):
    """The fixed volume's labels come into the moving volume's space."""
    labels = np.zeros((24, 48, 40), np.int16)
    labels[8:16, 14:30, 12:26] = 7
    fixed = sitk.GetImageFromArray(labels)
    fixed.SetSpacing((2.0, 2.0, 3.0))
    vectors = [6 * smooth((24, 48, 40), seed=seed, sigma=6) - 3 for seed in (3, 4, 5)]
    field = sitk.GetImageFromArray(np.stack(vectors, -1), isVector=True)
    field.CopyInformation(fixed)
    start = np.eye(4)
    start[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    start[:3, 3] = 20, -30, 10
    found = compact(compose(start, field), fixed)
    moving = volume(smooth((30, 60, 50), seed=2), (2.0, 2.0, 3.0))
    moving.SetOrigin(found.forward.TransformPoint((-10.0, -4.0, -6.0)))
    for name, image in (("fixed", fixed), ("moving", moving)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    write_transform(found.forward, tmp_path / "transform.h5")
    words = ["--transform", str(tmp_path / "transform.h5"), "--inverse", "--interpolation",
             "nearest", "--moving", str(tmp_path / "fixed.nii.gz"),
             "--reference", str(tmp_path / "moving.nii.gz")]  # fmt: skip
    main([*words, "--output", str(tmp_path / "computed.nii.gz")])
    write_transform(found.backward, tmp_path / "transform_inverse.h5")
    main([*words, "--output", str(tmp_path / "read.nii.gz")])
    errors = re.findall(r"mean error (\S+) mm", capsys.readouterr().out)
    assert len(errors) == 2 and max(map(float, errors)) < 0.1
    computed, read = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{name}.nii.gz")))
        for name in ("computed", "read")
    )
    assert read.dtype == np.int16 and set(np.unique(read)) == {0, 7}
    assert 0.8 < (read == 7).sum() / (labels == 7).sum() < 1.25
    assert ((read == 7) != (computed == 7)).sum() < 0.01 * (labels == 7).sum()
    expected = sitk.Resample(fixed, moving, found.backward, sitk.sitkNearestNeighbor, 0)
    np.testing.assert_array_equal(read, sitk.GetArrayFromImage(expected))
    shift = sitk.TranslationTransform(3, (50.0, 0.0, 0.0))  # of another pair
    sitk.WriteTransform(shift, str(tmp_path / "transform_inverse.h5"))
    with pytest.raises(SystemExit, match="its inverse is .* mm off"):
        main([*words, "--output", str(tmp_path / "wrong.nii.gz")])


@pytest.mark.parametrize("reserved", [True, False])
@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii"])
def test_a_full_disk_leaves_the_older_file(name, reserved, files, monkeypatch):
    folder, _ = files
    (folder / name).write_text("old")
    words = ["--transform", "t.h5", "--moving", "labels.nii.gz", "--reference", "labels.nii.gz"]
    monkeypatch.chdir(folder)
    if not reserved:  # the disk fills up while the file is written
        monkeypatch.setattr(whole_file, "require_space", lambda *_: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # stands for a full disk
    try:
        with pytest.raises(SystemExit, match=rf"{name}: cannot be written"):
            main([*words, "--output", name, "--overwrite"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / name).read_text(encoding="utf-8") == "old"
    assert not list(folder.glob(".partial*"))


def test_an_inverse_on_the_wrong_volume_is_refused(files):
    folder, _ = files
    far = sitk.ReadImage(str(folder / "labels.nii.gz"))
    far.SetOrigin((900.0, 0.0, 0.0))
    sitk.WriteImage(far, str(folder / "far.nii.gz"))
    with pytest.raises(SystemExit, match=r"ddf\.nii\.gz: its inverse is nan mm off"):
        apply(folder, "ddf.nii.gz", "--inverse", "--reference", str(folder / "far.nii.gz"))
    assert not (folder / "out.nii.gz").exists()


def test_a_field_and_a_name_of_the_other_kind_are_refused(files):
    folder, _ = files
    field = sitk.GetImageFromArray(np.zeros((8, 9, 2)), isVector=True)
    sitk.WriteImage(field, str(folder / "flat.nii.gz"))
    with pytest.raises(SystemExit, match=r"flat\.nii\.gz: is that of a picture"):
        apply(folder, "flat.nii.gz")
    with pytest.raises(SystemExit, match=r"x\.png: is written as a volume; name it \.nii\.gz"):
        apply(folder, "t.h5", "--output", str(folder / "x.png"))


def test_what_looks_unmeant_is_warned_of(files, capsys):
    folder, _ = files
    apply(folder, "t.h5")
    assert "labels.nii.gz: looks like a label map, and" in capsys.readouterr().err
    far = sitk.ReadImage(str(folder / "labels.nii.gz"))
    far.SetOrigin((900.0, 0.0, 0.0))
    sitk.WriteImage(far, str(folder / "far.nii.gz"))
    reference = ["--reference", str(folder / "far.nii.gz"), "--overwrite"]
    apply(folder, "t.h5", "--interpolation", "nearest", *reference)
    error = capsys.readouterr().err
    assert "the result is empty: does the reference belong" in error and "label map" not in error


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_file_of_hdf5_is_one_line(files, damage, capfd):
    folder, _ = files
    content = (folder / "t.h5").read_bytes()
    headers = content.replace(b"OHDR", b"none")
    damaged = {"cut": content[: len(content) // 2], "overwritten": headers}[damage]
    assert damaged != content
    (folder / "damaged.h5").write_bytes(damaged)
    with pytest.raises(SystemExit, match=r"damaged\.h5: no transform"):
        apply(folder, "damaged.h5")
    assert "HDF5" not in capfd.readouterr().err
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


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


@pytest.mark.parametrize("name", ["labels.nii.gz", "here/labels.nii.gz"])
def test_what_it_reads_is_never_replaced(name, files):
    folder, _ = files
    (folder / "here").symlink_to(folder)
    before = (folder / "labels.nii.gz").read_bytes()
    labels = str(folder / "labels.nii.gz")
    words = ["--transform", str(folder / "t.h5"), "--moving", labels, "--reference", labels]
    with pytest.raises(SystemExit, match="the output would take its place"):
        main([*words, "--output", str(folder / name), "--overwrite"])
    assert (folder / "labels.nii.gz").read_bytes() == before


def test_a_transform_that_is_cut_short_is_refused(files):
    folder, _ = files
    sitk.WriteTransform(sitk.Euler3DTransform((1, 2, 3), 0.1, 0.3, -0.2), str(folder / "cut.tfm"))
    text = (folder / "cut.tfm").read_text().replace(" -0.2", "")
    (folder / "cut.tfm").write_text(text)
    labels = str(folder / "labels.nii.gz")
    words = ["--transform", str(folder / "cut.tfm"), "--moving", labels, "--reference", labels]
    with pytest.raises(SystemExit, match=r"cut\.tfm: is damaged or cut short"):
        main([*words, "--output", str(folder / "o.nii.gz")])
