import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bundle.metrics.intensity import intensity
from bundle.metrics.residual_displacement import residual_displacement


@pytest.fixture
def scene(texture):
    """A textured disc on black, 160 x 160, inside a margin of 30 px."""
    i, j = np.mgrid[:160, :160] - 79.5
    return texture(0, (160, 160), sigma=3.0) * torch.from_numpy(np.hypot(i, j) < 50)


def test_equal_images_have_none(scene):
    assert residual_displacement(scene, scene)["RES"].item() < 0.02


@pytest.mark.parametrize("shift", [(3, 0), (0, -3), (2, 2)])
def test_shift_is_found(scene, shift):
    moved = torch.roll(scene, shift, dims=(2, 3))
    found = residual_displacement(moved, scene)["RES"].item()
    assert found == pytest.approx(np.hypot(*shift), abs=0.15)


def test_counts_at_the_edges_of_the_aligned_image_only(scene):
    # A second object that only `warped` shows, far from the aligned one, changes little.
    moved = scene.clone()
    moved[..., :12, :12] = 200
    assert residual_displacement(moved, scene)["RES"].item() < 0.3


def test_equals_its_definition_on_an_uneven_motion(scene):
    aligned = scene[0, 0].numpy()
    matrix = np.array([[1.06, 0, 1.0], [0, 0.96, 2.0]])
    moved = np.rint(cv2.warpAffine(aligned, matrix, aligned.shape))
    first, second = (
        cv2.copyMakeBorder(image.astype(np.uint8), 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=0)
        for image in (aligned, moved)
    )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    search.setGradientDescentIterations(50)
    search.setVariationalRefinementIterations(10)
    length = np.linalg.norm(search.calc(first, second, None)[32:-32, 32:-32], axis=-1)
    gradient = np.hypot(*(gaussian_filter(aligned, 1.5, order=o) for o in ((1, 0), (0, 1))))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    mask = cv2.dilate((gradient > 4).astype(np.uint8), cross, iterations=2) > 0
    found = residual_displacement(torch.from_numpy(moved)[None, None], scene)["RES"].item()
    assert found == pytest.approx(length[mask].mean(), abs=1e-5)


def test_without_edges_it_is_undefined(scene):
    assert residual_displacement(scene, torch.full_like(scene, 70))["RES"].isnan().item()


def test_does_not_depend_on_opencv_threads(scene):
    before = cv2.getNumThreads()
    moved = torch.roll(scene, (2, 1), dims=(2, 3))
    try:
        values = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            values.append(residual_displacement(moved, scene)["RES"].item())
    finally:
        cv2.setNumThreads(before)
    assert values[0] == values[1]


def test_blank_image_is_caught_by_ncc(scene):
    assert intensity(torch.zeros_like(scene), scene)["NCC"].item() == 0
