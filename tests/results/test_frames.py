"""All frames of a 4D image on the fixed grid."""

from dataclasses import replace

import nibabel
import numpy as np
import SimpleITK as sitk

from bundle.geometry.compact import compact
from bundle.geometry.transform import compose
from bundle.images.frames import Frames
from bundle.images.volumes import read_volume
from bundle.results.frames import write_frames


def with_frames(ball, frames):
    """The pair's moving volume with frames."""
    registration = ball.registration
    pair = replace(registration.pair, moving=replace(registration.pair.moving, frames=frames))
    initial = replace(registration.initial, pair=pair)
    return replace(registration, initial=initial)


def test_each_frame_is_resampled_as_a_volume_of_its_own(ball, tmp_path):
    moving = ball.registration.pair.moving.image
    size = moving.GetSize()
    shift = sitk.GetImageFromArray(np.full((*size[::-1], 3), [4.0, 0, 0]), isVector=True)
    shift.CopyInformation(moving)  # two voxels
    series = sitk.JoinSeries([sitk.Cast(moving * (k + 1), sitk.sitkFloat32) for k in range(3)])
    frames = Frames(series, "image", 3, step=90.0, unit="sec")
    registration = replace(
        with_frames(ball, frames), mapping=compact(compose(np.eye(4), shift), moving)
    )
    write_frames(registration, frames, tmp_path / "warped_4d.nii.gz")
    written = nibabel.load(tmp_path / "warped_4d.nii.gz")
    assert written.shape == (*moving.GetSize(), 3)
    assert written.get_data_dtype() == np.float32
    assert written.header.get_zooms()[3] == 90.0
    assert written.header.get_xyzt_units() == ("mm", "sec")
    read = np.asarray(written.dataobj)
    values = sitk.GetArrayFromImage(moving).T
    for k in range(3):
        assert np.array_equal(read[:-2, ..., k], ((k + 1) * values[2:]).astype(np.float32))
    again = read_volume(tmp_path / "warped_4d.nii.gz", 1).image  # on the fixed grid, for ITK too
    fixed = registration.pair.fixed.image
    assert np.allclose(again.GetOrigin(), fixed.GetOrigin(), atol=1e-4)
    by_itk = sitk.ReadImage(str(tmp_path / "warped_4d.nii.gz"))
    assert np.allclose(by_itk.GetOrigin()[:3], fixed.GetOrigin(), atol=1e-4)
    assert np.array_equal(sitk.GetArrayFromImage(by_itk).T, read)
    assert not (tmp_path / "warped_4d.nii").exists()
