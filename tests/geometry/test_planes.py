"""The plane in which a volume is cut."""

import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.planes import choose_plane
from bundle.options import options_of


def test_the_finest_plane_is_chosen_only_if_it_is_much_finer():
    volume = sitk.Image([20, 20, 20], sitk.sitkFloat32)
    assert choose_plane(volume) == "axial"
    volume.SetSpacing((4.0, 1.0, 1.0))
    assert choose_plane(volume) == "sagittal"
    assert choose_plane(volume, "coronal") == "coronal"


def test_an_unknown_plane_is_refused():
    with pytest.raises(InputError, match="plane oblique: give one of auto, axial, coronal, sagi"):
        options_of(plane="oblique")
