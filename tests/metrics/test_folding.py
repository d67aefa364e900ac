import numpy as np
import pytest
import torch

from bundle.metrics.folding import folding, jacobian_determinant


def linear_field(matrix, size=(12, 15)):
    """ddf of x -> matrix @ x, (1, 2, H, W)."""
    grid = np.stack(np.mgrid[: size[0], : size[1]]).astype(float)
    mapped = np.einsum("kl,lij->kij", np.asarray(matrix, dtype=float), grid)
    return torch.from_numpy(mapped - grid)[None]


@pytest.mark.parametrize(
    ("matrix", "determinant"),
    [
        ([[1, 0], [0, 1]], 1.0),
        ([[1.5, 0], [0, 0.5]], 0.75),
        ([[1, 0.3], [-0.2, 1]], 1.06),
        ([[1, 0], [0, -1]], -1.0),  # reflection
    ],
)
def test_linear_maps_have_their_determinant(matrix, determinant):
    found = jacobian_determinant(linear_field(matrix))
    torch.testing.assert_close(found, torch.full((1, 12, 15), determinant, dtype=torch.float64))
    values = folding(linear_field(matrix))
    assert values["folding"].item() == (1.0 if determinant <= 0 else 0.0)
    assert values["min_jacobian"].item() == pytest.approx(determinant)


def test_only_the_folded_part_counts():
    # Columns 10 to 19 run backwards: x + ddf falls by 1 per pixel; central differences at the
    # turning points give slope 0, which counts as folded.
    position = np.concatenate([np.arange(10), 10 - np.arange(10), 1 + np.arange(10)]).astype(float)
    ddf = np.zeros((1, 2, 4, 30))
    ddf[0, 1] = position - np.arange(30)
    slope = np.gradient(position)
    expected = (slope <= 0).mean()
    assert folding(torch.from_numpy(ddf))["folding"].item() == pytest.approx(expected)
    assert 0.3 < expected < 0.45


def test_rows_and_columns_are_not_mixed_up():
    generator = np.random.default_rng(0)
    ddf = generator.standard_normal((1, 2, 9, 11))
    di, dj = np.gradient(ddf[0, 0]), np.gradient(ddf[0, 1])
    expected = (1 + di[0]) * (1 + dj[1]) - di[1] * dj[0]
    np.testing.assert_allclose(jacobian_determinant(torch.from_numpy(ddf))[0], expected)
