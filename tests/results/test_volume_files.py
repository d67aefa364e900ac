"""What is written of a registered pair of volumes, and that the files say one thing."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.geometry.compact import coarse_grid, compact
from bundle.geometry.transform import as_matrix, compose, resample
from bundle.options import options_of
from bundle.phantom.pairs import write_volumes
from bundle.registration.initial_transform import read_initial_transform
from bundle.results import volume_files, write, writing
from bundle.results.volume_files import write_files, write_mapping
from tests.geometry.test_compact import START, apart, lengths, smooth_field


def read(path, kind=sitk.sitkFloat64):
    return sitk.ReadImage(str(path), kind)


@pytest.fixture
def registered(ball, tmp_path):
    """MRI and CT of a phantom in voxels of 1 mm, the head reaching the rim; transform known."""
    write_volumes(tmp_path, 1, shape=(72, 66, 44), spacing=(1.0, 1.0, 1.0))
    fixed, moving = (read(tmp_path / f"{name}.nii.gz") for name in ("mri_t1", "ct"))
    transform = compose(START, smooth_field(coarse_grid(fixed), 8.0, 5.0))
    mapping = compact(transform, fixed)
    known = ball.registration
    pair = replace(
        known.pair,
        fixed=replace(known.pair.fixed, image=fixed),
        moving=replace(known.pair.moving, image=moving),
    )
    initial = replace(known.initial, pair=pair, start=START, windows=((0.0, 800.0), (-20.0, 150.0)))
    registration = replace(
        known,
        initial=initial,
        transform=transform,
        mapping=mapping,
        warped=resample(moving, fixed, transform),
        spread=sitk.Cast(fixed / 400, sitk.sitkFloat32),
    )
    return replace(ball, registration=registration, fused=sitk.Cast(fixed / 2000, sitk.sitkFloat32))


@pytest.mark.parametrize("full", [False, True])
def test_the_space_that_is_asked_for_holds_the_files_and_not_the_moving_volume(
    ball, full, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(writing, "require_space", lambda folder, size: asked.append(size))
    known, options = ball.registration, options_of(ddf_full=full)
    for factor in (1, 8):
        large = sitk.Expand(known.pair.moving.image, [factor, 1, 1])
        pair = replace(known.pair, moving=replace(known.pair.moving, image=large))
        registration = replace(known, initial=replace(known.initial, pair=pair))
        write(replace(ball, registration=registration), tmp_path / str(factor), options)
    voxels = known.pair.fixed.image.GetNumberOfPixels()
    plain = voxels * (3 * 4 + 3 + (12 if full else 0))  # three volumes, colours, the field
    assert asked[0] == asked[1]
    assert plain < asked[0] - writing.PAGE < plain + 200 * voxels


@pytest.mark.parametrize("full", [False, True])
def test_the_files_of_the_mapping_agree(registered, full, tmp_path):
    registration = registered.registration
    fixed, moving = registration.pair.fixed.image, registration.pair.moving.image
    write_mapping(registration, tmp_path, options_of(ddf_full=full))
    field = read(tmp_path / "ddf.nii.gz", sitk.sitkVectorFloat64)
    assert (field.GetSize() == fixed.GetSize()) == full
    assert full or field.GetSpacing() == (2.0, 2.0, 2.0)
    forward, backward, rigid = (
        sitk.ReadTransform(str(tmp_path / name))
        for name in ("transform.h5", "transform_inverse.h5", "rigid.tfm")
    )
    total = registration.transform
    lowest = float(sitk.GetArrayViewFromImage(moving).min())
    for transform in (sitk.DisplacementFieldTransform(field), forward):
        assert apart(transform, total, fixed).max() < 0.05
        warped = sitk.GetArrayFromImage(
            sitk.Resample(moving, fixed, transform, sitk.sitkLinear, lowest)
        )
        difference = np.abs(warped - sitk.GetArrayFromImage(registration.warped))
        assert np.ptp(warped) > 1500 and difference.mean() < 1.0  # HU
        faces = [np.moveaxis(difference, axis, 0)[[0, -1]] for axis in range(3)]
        assert max(face.mean() for face in faces) < 1.5  # at the rim too
    assert rigid.IsLinear() and apart(rigid, compose(START), fixed).max() < 1e-4
    inner = (slice(8, -8),) * 3
    assert lengths(sitk.CompositeTransform([backward, forward]), fixed)[inner].max() < 0.1


@pytest.mark.parametrize("large", [False, True])
def test_values_of_large_volumes_are_rounded_below_their_accuracy(
    registered, large, tmp_path, monkeypatch
):
    if large:
        monkeypatch.setattr(volume_files, "FEW", 1000)
    write_files(registered, tmp_path, options_of())
    registration = registered.registration
    known = {
        "fused": (registered.fused, 2.0**-11),
        "warped": (registration.warped, 0.125),  # 170 HU from black to white
        "uncertainty": (registration.uncertainty, 2.0**-5),
    }
    assert sorted(path.name for path in tmp_path.glob("[fuw]*.nii.gz")) == sorted(
        f"{name}.nii.gz" for name in known
    )
    for name, (volume, most) in known.items():
        values = sitk.GetArrayFromImage(volume).astype(np.float32)
        written = sitk.ReadImage(str(tmp_path / f"{name}.nii.gz"))
        assert written.GetSize() == volume.GetSize()
        kind = np.int16 if large else np.float32
        assert nibabel.load(tmp_path / f"{name}.nii.gz").get_data_dtype() == kind
        error = np.abs(sitk.GetArrayFromImage(written) - values)
        assert error.max() <= most
        assert (error.max() > 0) == large
    fused = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "fused.nii.gz")))
    assert fused.min() >= 0 and fused.max() <= 1


def test_what_was_made_regular_is_written_as_it_is(ball, tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "FEW", 1)
    registration = ball.registration
    moving = replace(registration.pair.moving, image=registration.pair.moving.image / 3)
    moving = replace(moving, resampled=True)
    pair = replace(registration.pair, moving=moving)
    initial = replace(registration.initial, pair=pair)
    found = replace(ball, registration=replace(registration, initial=initial))
    write_files(found, tmp_path, options_of())
    used = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "moving_used.nii.gz")))
    np.testing.assert_array_equal(used, sitk.GetArrayFromImage(moving.image).astype(np.float32))


@pytest.mark.parametrize(
    ("asked", "names"), [((), []), (("lta", "fsl"), ["rigid.lta", "rigid.mat"])]
)
def test_matrices_of_other_tools_are_written_on_request(asked, names, registered, tmp_path):
    registration, out = registered.registration, tmp_path / "out"
    out.mkdir()
    write_mapping(registration, out, options_of(matrices=asked))
    assert sorted(path.name for path in out.iterdir() if path.suffix in (".lta", ".mat")) == names
    matrix = as_matrix(sitk.ReadTransform(str(out / "rigid.tfm")))
    grids = registration.pair.fixed.image, registration.pair.moving.image
    for name in names:
        read_back = read_initial_transform(out / name, *grids)
        np.testing.assert_allclose(read_back, matrix, atol=1e-8)
