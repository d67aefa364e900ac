"""Rows of the tables: what each measure is taken against."""

import torch

from bundle.evaluation.reference_rows import Pair


def test_fusion_is_measured_against_the_aligned_picture_and_not_the_deformed_one():
    generator = torch.Generator().manual_seed(0)
    fixed, aligned, deformed = (255 * torch.rand(3, 1, 1, 64, 64, generator=generator)).round()
    pair = Pair(fixed, aligned, deformed, torch.zeros(1, 2, 64, 64))
    assert pair.fusion(fixed)["SSIM_A"] == pair.fusion(aligned)["SSIM_B"] == 1
    assert pair.fusion(deformed)["SSIM_B"] < 0.5
