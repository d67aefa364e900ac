"""The network's fields in three planes as one field in three dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.domain import PLANES
from bundle.geometry.jacobian import volume_determinant
from bundle.geometry.slices import to_slices
from bundle.geometry.transform import displacement_field, field_transform
from bundle.registration.coarse import VOXEL, coarse_pair
from bundle.registration.three_planes import three_plane_field
from bundle.registration.unfolding import LEAST
from tests.registration.volumes import SLOPES, TILT, UPRIGHT, coded, vectors


def found_in(volume, network):
    """The field of three planes of a volume that is all head."""
    image = to_slices(volume).expand(2, -1, -1, -1).float()
    return three_plane_field(coarse_pair(image, torch.ones_like(image[:1]), volume), network)


class Reading(torch.nn.Module):
    """Reads a picture's plane and pixel size off its gradients, and says what it is told to.

    Args:
        told: per plane, mm along x, y and z.
    """

    def __init__(self, told):
        super().__init__()
        self.told, self.seen = told, []

    def register(self, image):
        return torch.stack([self._field(one, self.told) for one in image[:, 0]])

    def _field(self, picture, told):
        rows, columns = (picture.shape[axis] // 2 for axis in (0, 1))
        middle = picture[rows - 20 : rows + 21, columns - 20 : columns + 21]
        down = float(middle[-1].mean() - middle[0].mean()) / 40
        across = float(middle[:, -1].mean() - middle[:, 0].mean()) / 40
        assert across > 0  # to the left or to the back
        if down > 0:
            plane, steps = "axial", (down / SLOPES["y"], across / SLOPES["x"])
        else:  # feet down
            plane = "coronal" if across < -0.35 * down else "sagittal"
            steps = -down / SLOPES["z"], across / SLOPES["x" if plane == "coronal" else "y"]
        self.seen.append(plane)
        x, y, z = told[plane]
        parts = {"axial": (y, x), "coronal": (-z, x), "sagittal": (-z, y)}[plane]
        pixels = [part / step for part, step in zip(parts, steps, strict=True)]
        return torch.tensor(pixels).view(2, 1, 1).expand(2, *picture.shape)


class Doubting(Reading):
    """Its two fields lie some mm apart on either side of the one it is told."""

    def __init__(self, told, apart):
        super().__init__(told)
        self.apart = {plane: (value,) * 3 for plane, value in apart.items()}

    def register_with_spread(self, image):
        ddf = self.register(image)
        apart = torch.stack([self._field(one, self.apart) for one in image[:, 0]])
        return ddf, apart.abs().expand_as(ddf)


class Noise(torch.nn.Module):
    """A field of 20 mm and more that knows nothing of its neighbours."""

    def register(self, image):
        generator = torch.Generator().manual_seed(image.shape[0])
        coarse = 40 * torch.randn(len(image), 2, 16, 16, generator=generator)
        return torch.nn.functional.interpolate(coarse, image.shape[-2:], mode="bilinear")


def alike(vector):
    return dict.fromkeys(PLANES, vector)


def corners(volume):
    """The outermost voxels."""
    ends = [(0, n - 1) for n in volume.GetSize()]
    return [volume.TransformIndexToPhysicalPoint(c) for c in np.stack(np.meshgrid(*ends), -1)
            .reshape(-1, 3).tolist()]  # fmt: skip


@pytest.mark.parametrize("vector", [(3.0, 0.0, 0.0), (0.0, -4.0, 0.0), (0.0, 0.0, 5.0),
                                    (3.0, -4.0, 5.0)])  # fmt: skip
@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR"])
@pytest.mark.parametrize("direction", [UPRIGHT, TILT], ids=["upright", "oblique"])
def test_a_displacement_keeps_direction_and_length_in_every_plane(direction, orientation, vector):
    volume = coded((80, 64, 24), (1.0, 2.0, 4.0), direction, orientation)
    network = Reading(alike(vector))
    found = found_in(volume, network)
    assert set(network.seen) == set(PLANES) == set(found.planes)
    upright = np.reshape(sitk.DICOMOrient(volume, "LPS").GetDirection(), (3, 3))
    expected = upright @ vector
    np.testing.assert_allclose(vectors(found.field) - expected, 0, atol=0.05)
    transform = field_transform(found.field)
    for point in corners(volume):
        moved = np.subtract(transform.TransformPoint(point), point)
        np.testing.assert_allclose(moved, expected, atol=0.05)


@pytest.mark.parametrize(
    ("size", "spacing"),
    [((80, 64, 24), (1.0, 1.5, 4.0)), ((70, 71, 73), (0.7, 0.9, 1.1)), ((25, 26, 9), (3, 3, 9))],
)
@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_the_field_covers_the_fixed_volume_to_its_voxels_edges(orientation, spacing, size):
    volume = coded(size, spacing, TILT, orientation)
    found = found_in(volume, Reading(alike((3.0, -4.0, 5.0))))
    for grid in (found.field, found.spread):
        steps = np.array(grid.GetSpacing())
        assert (np.abs(steps - VOXEL) < 0.1).all()
        upright = sitk.DICOMOrient(volume, "LPS")
        np.testing.assert_allclose(
            steps * grid.GetSize(), np.multiply(upright.GetSpacing(), upright.GetSize())
        )
        edges = [one.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
                 for one in (grid, upright)]  # fmt: skip
        np.testing.assert_allclose(*edges, atol=1e-6)
    on_fixed = vectors(displacement_field(field_transform(found.field), volume))
    assert np.isfinite(on_fixed).all()
    np.testing.assert_allclose(np.linalg.norm(on_fixed, axis=-1), 50**0.5, rtol=0.03)


def test_a_network_that_says_zero_gives_zero():
    found = found_in(coded((80, 64, 24), (1.0, 1.5, 4.0)), Reading(alike((0.0, 0.0, 0.0))))
    assert (vectors(found.field) == 0).all() and (vectors(found.spread) < 1e-3).all()


def test_a_component_is_the_mean_of_two_planes_that_are_equally_sure():
    told = {"axial": (2.0, 3.0, 9e9), "coronal": (4.0, 9e9, 1.0), "sagittal": (9e9, 7.0, 5.0)}
    volume = coded((80, 64, 24), (1.0, 2.0, 4.0))
    for network in (Reading(told), Doubting(told, dict.fromkeys(PLANES, 2.0))):
        field = vectors(found_in(volume, network).field)
        np.testing.assert_allclose(field - [3.0, 5.0, 3.0], 0, atol=0.05)


def test_an_estimate_with_a_large_spread_counts_little():
    told = {"axial": (10.0, 0.0, 9e9), "coronal": (2.0, 9e9, 0.0), "sagittal": (9e9, 4.0, 8.0)}
    apart = {"axial": 20.0, "coronal": 0.5, "sagittal": 3.0}
    found = found_in(coded((80, 64, 24), (1.0, 2.0, 4.0)), Doubting(told, apart))
    share = {plane: 1 / (value**2 + 1) for plane, value in apart.items()}
    pairs = (("axial", "coronal"), ("axial", "sagittal"), ("coronal", "sagittal"))
    values, variance = [], 0.0
    for k, two in enumerate(pairs):
        weights = np.array([share[plane] for plane in two])
        estimates = np.array([told[plane][k] for plane in two])
        own = np.array([apart[plane] ** 2 for plane in two])
        values.append(weights @ estimates / weights.sum())
        variance += weights @ (own + (estimates - values[-1]) ** 2) / weights.sum()
    assert abs(values[0] - 2) < 0.03 and abs(values[2]) < 1.1  # nearly the surer plane's
    np.testing.assert_allclose(vectors(found.field) - values, 0, atol=0.05)
    np.testing.assert_allclose(vectors(found.spread), variance**0.5, rtol=0.02)


@pytest.mark.parametrize(
    ("size", "spacing"),
    [
        ((80, 64, 24), (1.0, 1.5, 4.0)),
        ((60, 60, 60), (2.0, 2.0, 2.0)),
        ((64, 64, 1), (2.0, 2.0, 3.0)),
        ((64, 64, 3), (1.0, 1.0, 2.0)),
    ],
)
@pytest.mark.parametrize("direction", [UPRIGHT, TILT], ids=["upright", "oblique"])
def test_even_noise_gives_a_field_that_does_not_fold(direction, size, spacing):
    volume = coded(size, spacing, direction, "RAS")
    field = found_in(volume, Noise()).field
    assert np.isfinite(vectors(field)).all() and np.abs(vectors(field)).max() > 0.1
    assert vectors(volume_determinant(field)).min() >= LEAST
    if min(volume.GetSize()) > 1:
        fine = displacement_field(field_transform(field), volume)
        assert vectors(volume_determinant(fine)).min() > 0
