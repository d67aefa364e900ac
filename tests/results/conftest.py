"""A registered pair of volumes, made by a formula, for what is written of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.fusion import FusedVolumes
from bundle.geometry.compact import compact
from bundle.geometry.slices import from_slices
from bundle.geometry.transform import compose
from bundle.images.pair import VolumePair
from bundle.images.volume import Volume
from bundle.registration import InitializedPair, VolumeRegistration
from bundle.registration.elastic_field import ElasticField

UNCERTAINTY = 2.0


def pair_of(image: torch.Tensor, spacing: float) -> FusedVolumes:
    """Volumes in the orientation LPS.

    Args:
        image: float32 (4, H, W, D) in [0, 1]: fixed, start, warped, fused.
        spacing: mm.
    """
    fixed, start, warped, fused = image
    grid = sitk.Image([*fixed.shape[1::-1], fixed.shape[2]], sitk.sitkFloat32)
    grid.SetSpacing([spacing] * 3)
    grid.SetOrigin((-30.0, 20.0, 10.0))
    volumes = {
        name: from_slices(values[None], grid)
        for name, values in {"fixed": fixed, "warped": warped, "fused": fused}.items()
    }
    windows = ((0.0, 1.0), (100.0, 300.0))
    read = [Volume("a", volumes["fixed"]), Volume("b", 200 * volumes["warped"] + 100)]
    pair = VolumePair(read[0], read[1], "PET", "axial", (False, False), began=1e9)
    head = (torch.as_tensor(fixed)[None] > 0.1).to(torch.uint8)
    initial = InitializedPair(pair, np.eye(4), 1.0, head, image[:2], windows)
    still = compose(np.eye(4))
    registration = VolumeRegistration(
        initial, still, compact(still, grid), read[1].image, warped,
        ElasticField(volumes["fixed"], None, ("axial",)), volumes["fixed"] * 0 + UNCERTAINTY,
    )  # fmt: skip
    return FusedVolumes(registration, volumes["fused"], 1.0)


@pytest.fixture
def ball() -> FusedVolumes:
    """A ball of 60 mm; the start lies to its left, the warped volume inside."""
    places = torch.stack(torch.meshgrid(*[torch.arange(n) for n in (40, 44, 36)], indexing="ij"))

    def sphere(radius: float, aside: float = 0.0) -> torch.Tensor:
        centre = torch.tensor([20.0, 22.0 + aside, 18.0]).reshape(3, 1, 1, 1)
        return ((places - centre).norm(dim=0) < radius).float()

    fixed = 0.8 * sphere(15)
    image = torch.stack([fixed, sphere(8, 6.0), sphere(8), 0.5 * fixed + 0.5 * sphere(8)])
    return pair_of(image, 2.0)


@pytest.fixture
def noise() -> FusedVolumes:
    """Noise, which nothing compresses, larger than the viewer's volumes may be."""
    image = torch.from_numpy(np.random.default_rng(0).random((4, 100, 104, 100), np.float32))
    pair = pair_of(image.clamp(min=0.11), 2.0)
    uncertainty = sitk.Cast(pair.fused * 5, sitk.sitkFloat32)
    return replace(pair, registration=replace(pair.registration, spread=uncertainty))
