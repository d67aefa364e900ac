"""Grids of voxels in space."""

import numpy as np
import SimpleITK as sitk

from bundle.geometry.grid import on_one_grid


def test_one_grid_up_to_the_rounding_of_headers():
    grid = sitk.Image(40, 50, 60, sitk.sitkUInt8)
    grid.SetOrigin((-90.0, 12.0, 400.0))
    for change, same in ((1e-3, True), (1.1e-2, False)):
        other = sitk.Image(grid)
        other.SetOrigin((-90.0, 12.0 + change, 400.0))
        assert on_one_grid(grid, other) == same
        assert on_one_grid(grid, other, tolerance=0.1)
    angle = 1e-3  # of 59 voxels: 0.06 at the end
    turned = sitk.Image(grid)
    turned.SetDirection(
        (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    )
    assert not on_one_grid(grid, turned)
    assert not on_one_grid(grid, grid[:, :, :-1])
