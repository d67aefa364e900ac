"""When colours are written, and that they are those of the fused volume."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from bundle.errors import InputError
from bundle.options import options_of
from bundle.results import write


def of_modality(fused, modality):
    registration = fused.registration
    initial = replace(registration.initial, pair=replace(registration.pair, modality=modality))
    return replace(fused, registration=replace(registration, initial=initial))


@pytest.mark.parametrize(
    ("modality", "options", "colored"),
    [
        ("PET", {}, True),
        ("SPECT", {}, True),
        ("CT", {}, False),
        ("MR", {}, False),
        (None, {}, False),
        ("CT", {"colormap": "hot"}, True),
        (None, {"colormap": "hot"}, True),
    ],
)
def test_tracers_are_coloured_and_others_on_request(modality, options, colored, ball, tmp_path):
    write(of_modality(ball, modality), tmp_path / "out", options_of(**options))
    assert (tmp_path / "out" / "fused_color.nii.gz").exists() == colored
    assert not (tmp_path / "out" / "dicom_color").exists()


def test_the_overlay_has_the_colours_that_are_asked_for(ball, tmp_path):
    found = {}
    for colormap in (None, "gray", "viridis"):
        folder = tmp_path / str(colormap)
        write(of_modality(ball, "PET"), folder, options_of(colormap=colormap))
        found[colormap] = (folder / "overlay.png").read_bytes()
    assert len(set(found.values())) == 3


def test_the_colours_lie_on_the_fused_volume(ball, tmp_path):
    write(ball, tmp_path / "out", options_of(dicom_output=True))
    color, fused = (
        nibabel.load(tmp_path / "out" / f"{name}.nii.gz") for name in ("fused_color", "fused")
    )
    assert color.shape == fused.shape
    np.testing.assert_allclose(color.affine, fused.affine, atol=1e-5)
    rgb = np.asarray(color.dataobj)
    luminance = 0.299 * rgb["R"] + 0.587 * rgb["G"] + 0.114 * rgb["B"]
    np.testing.assert_allclose(luminance, 255 * fused.get_fdata(), atol=0.7)
    assert (rgb["R"] != rgb["B"]).any()
    slices = [len(list((tmp_path / "out" / n).iterdir())) for n in ("dicom", "dicom_color")]
    assert slices == [36, 36]


@pytest.mark.parametrize("name", ["rainbowish", "Hot", 3])
def test_an_unknown_colour_map_is_one_line(name):
    with pytest.raises(InputError, match=f"colormap {name}: give a colour map of matplotlib's"):
        options_of(colormap=name)
    assert options_of(colormap="").colormap is None
