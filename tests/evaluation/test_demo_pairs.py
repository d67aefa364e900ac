from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.evaluation import demo_pairs
from bundle.geometry.warp import warp
from bundle.images.volumes import read_volume


@pytest.fixture
def blob():
    """A smooth stack (1, H, W, D)."""
    axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in (96, 80, 5)]
    i, j, k = torch.meshgrid(*axes, indexing="ij")
    return (torch.cos(5 * i) * torch.sin(4 * j + k) * torch.exp(-4 * (i**2 + j**2)))[None]


def test_true_field_restores_the_aligned_stack(blob):
    moving, ddf = demo_pairs.misalign(blob, seed=3)

    def restore(field):
        return warp(moving.movedim(-1, 0), field.movedim(-1, 0), float(blob.min())).movedim(0, -1)

    inside = (slice(None), slice(16, -16), slice(16, -16))
    error = (restore(ddf) - blob)[inside].abs().mean()
    assert error < 0.05 * (moving - blob)[inside].abs().mean()
    for wrong in (-ddf, ddf.flip(0)):
        assert (restore(wrong) - blob)[inside].abs().mean() > 10 * error


def test_field_is_smooth_across_slices_and_seeded(blob):
    stack = blob[..., :1].expand(-1, -1, -1, 40)
    _, ddf = demo_pairs.misalign(stack, seed=3)
    steps = ddf.diff(dim=-1).norm(dim=0)
    assert 0 < steps.mean() < 0.1 * ddf.norm(dim=0).mean()
    torch.testing.assert_close(demo_pairs.misalign(stack, seed=3)[1], ddf, rtol=0, atol=0)
    assert (demo_pairs.misalign(stack, seed=4)[1] - ddf).abs().mean() > 0.5


def test_written_field_moves_the_misaligned_volume_back(tmp_path, monkeypatch):
    """The oracle is ITK: its resampling with the written true field."""
    grid = {"shape": (48, 56, 3), "spacing": (4.0, 4.0, 20.0), "centre": (0.0, 0.0, 0.0)}
    monkeypatch.setattr(demo_pairs, "GRID", grid)
    pair = demo_pairs.volume_pairs(tmp_path, 0)[0]
    fixed, moving, aligned = (read_volume(p).image for p in (pair.fixed, pair.moving, pair.aligned))
    field = sitk.ReadImage(str(tmp_path / "ct_true_ddf.nii.gz"), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    restored = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, -1000.0)
    arrays = [sitk.GetArrayFromImage(volume)[pair.head] for volume in (restored, moving, aligned)]
    errors = [np.abs(array - arrays[2]).mean() for array in arrays[:2]]
    assert errors[0] < 0.5 * errors[1]  # what is left is bone's edges at 4 mm, interpolated twice
