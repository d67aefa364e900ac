"""The fused volume shows nothing that neither source shows."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from bundle.fusion import fuse
from bundle.geometry.slices import to_slices
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.registration import register
from tests.inference.images import smooth
from tests.inference.stubs import Brightest


class Inventing(Brightest):
    """Has coefficients that are noise."""

    def coefficients(self, image, match):
        return 4 * torch.randn(len(image), 4, 64, 64, generator=torch.Generator().manual_seed(0))


def volume(seed):
    values = 100 * smooth((12, 40, 36), seed, 2.0)
    values[:, :6] = values[:, -6:] = values[..., :6] = values[..., -6:] = 0
    return sitk.GetImageFromArray(values)


def test_no_value_lies_outside_the_sources():
    asked = options_of(init="none", rigid_only=True, modality="PET")
    registration = register(read_pair(volume(0), volume(1), asked), Inventing(), asked)
    fused = to_slices(fuse(registration, Inventing()).fused, registration.pair.plane)[0].numpy()
    sources = np.stack([registration.initial.image[0].numpy(), registration.shown.numpy()])
    assert (fused >= sources.min(axis=0) - 1e-6).all()
    assert (fused <= sources.max(axis=0) + 1e-6).all()
    bounds = sources.max(axis=0) - sources.min(axis=0)
    assert (fused[bounds == 0] == sources[0][bounds == 0]).all() and (bounds == 0).any()
