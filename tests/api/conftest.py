"""A known network, and two volumes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from bundle import api
from tests.api.known import SHAPE
from tests.inference.images import smooth, write_volume
from tests.inference.stubs import KnownField


@pytest.fixture
def stub(monkeypatch):
    """The known network instead of the shipped one."""
    monkeypatch.setattr(api, "load_network", lambda *_: KnownField())


@pytest.fixture
def volumes(tmp_path):
    """Files of two oblique volumes, the moving one 4 mm further to the left."""
    fixed = write_volume(tmp_path / "f.nii.gz", smooth(SHAPE, seed=1), "RAS")
    moving = write_volume(tmp_path / "m.nii.gz", 900 * smooth(SHAPE, seed=2), "PIR")
    image = sitk.ReadImage(str(moving))
    image.SetOrigin(np.add(image.GetOrigin(), (4.0, 0.0, 0.0)).tolist())
    sitk.WriteImage(image, str(moving))
    return fixed, moving
