"""The SimpleITK block of docs/exchange.md gives what the command has written."""

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.geometry.transform import resample
from bundle.options import options_of
from bundle.results.volume_files import write_mapping
from tests.results.conftest import ball
from tests.results.test_volume_files import registered

PAGE = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
__all__ = ["ball", "registered"]


def test_the_block_of_simpleitk_runs_and_agrees(registered, tmp_path, monkeypatch):
    found = registered.registration
    fixed, moving = found.pair.fixed.image, found.pair.moving.image
    (tmp_path / "out" / "volume").mkdir(parents=True)
    write_mapping(found, tmp_path / "out" / "volume", options_of())
    for name, image in (("mri", fixed), ("ct", moving)):
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32), str(tmp_path / f"{name}.nii.gz"))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    (block,) = re.findall(r"<!-- tested -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    exec(block, names)
    expected = sitk.GetArrayFromImage(found.warped)
    for name in ("warped", "warped_by_field"):
        away = abs(sitk.GetArrayFromImage(names[name]) - expected)
        assert away.mean() < 2e-3 * np.ptp(expected), name
    start = resample(moving, fixed, names["rigid"])
    rigid = sitk.GetArrayFromImage(names["warped_rigidly"])
    np.testing.assert_allclose(rigid, sitk.GetArrayFromImage(start), atol=1e-2)
    there = names["back"].TransformPoint(names["whole"].TransformPoint((1.0, -2.0, 3.0)))
    np.testing.assert_allclose(there, (1.0, -2.0, 3.0), atol=0.1)
