"""DICOM slices that are tilted, uneven or shifted: resampled to a regular grid, or refused."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from tests.images.test_dicom import read, texts, write_series


@pytest.mark.parametrize(
    ("tilt", "first", "empty"), [(0.75, -9, slice(0, 2)), (-0.75, -12, slice(12, 14))]
)
def test_a_tilted_series_becomes_upright(tilt, first, empty, tmp_path):
    folder = write_series(tmp_path / "tilt", [0.0, 2.0, 4.0], tilt=tilt)
    volume = read(folder)
    assert volume.resampled and [remark.code for remark in volume.remarks] == ["resampled"]
    assert texts(volume) == ("the gantry was tilted by 36.9 degrees: resampled to a regular grid",)
    assert volume.image.GetSize() == (10, 14, 3)  # two rows more: the last begins 3 mm away
    np.testing.assert_allclose(volume.image.GetOrigin(), (-7, first, 0))
    values = sitk.GetArrayFromImage(volume.image)
    assert values[0, :12].max() == -500 and values[1, 1:13].min() == -490
    assert (values[2, empty] == -500).all()
    assert (np.delete(values[2], empty, axis=0) == -480).all()


def test_uneven_slices_are_interpolated_at_even_places(tmp_path):
    volume = read(write_series(tmp_path / "uneven", [0.0, 2.0, 4.0, 7.0, 9.0]))
    assert texts(volume) == ("the slices are 2.00 to 3.00 mm apart: resampled to a regular grid",)
    column = sitk.GetArrayFromImage(volume.image)[:, 5, 5]
    np.testing.assert_allclose(column, [-500, -490, -480, -480 + 20 / 3, -465])
    assert volume.image.GetSpacing() == (1.5, 1.5, 2.0)


def test_slices_that_jump_aside_are_brought_back(tmp_path):
    folder = write_series(tmp_path / "jump", [0.0, 2.0, 4.0, 6.0, 8.0])
    write_series(folder, [4.0], tilt=0.75, more={"0020|0013": "2", "0008|0018": "1.9"})
    (folder / "1.2.3.4_000.dcm").rename(folder / "1.2.3.4_002.dcm")
    write_series(folder, [0.0])
    (remark,) = read(folder).remarks
    assert remark.text == "slices are shifted by up to 3.0 mm: resampled to a regular grid"
    assert remark.warning


def test_a_slice_far_aside_is_a_wrong_header(tmp_path):
    folder = write_series(tmp_path / "astray", [0.0, 2.0, 4.0, 6.0, 8.0])
    write_series(folder, [4.0], first=2, more={"0020|0032": "8\\-9\\4", "0018|0050": "2"})
    with pytest.raises(InputError, match="astray: slice 3 is shifted by 15 mm against the others"):
        read(folder)
