import numpy as np
import pytest

from bundle.metrics.landmark_error import landmark_error


def test_true_field_has_no_error_and_no_field_the_full_one():
    fixed = np.array([[4.0, 5.0], [10.5, 2.25]])
    moving = fixed + [3, -4]
    ddf = np.zeros((2, 20, 30))
    np.testing.assert_allclose(landmark_error(ddf, fixed, moving), [5, 5])
    ddf[0], ddf[1] = 3, -4
    np.testing.assert_allclose(landmark_error(ddf, fixed, moving), 0, atol=1e-12)


def test_field_is_read_at_the_landmark_with_rows_first():
    ddf = np.zeros((2, 20, 30))
    ddf[1] = np.arange(20)[:, None] * 0.1  # columns move with the row
    fixed = np.array([[10.5, 2.0]])
    np.testing.assert_allclose(landmark_error(ddf, fixed, fixed), [1.05])


def test_fields_of_volumes():
    point = np.array([[2.0, 2.0, 2.0]])
    error = landmark_error(np.zeros((3, 5, 5, 5)), point, point + [3, 0, 4])
    np.testing.assert_allclose(error, [5])


def test_bad_landmarks_are_refused():
    ddf = np.zeros((2, 5, 5))
    with pytest.raises(ValueError, match="outside the field"):
        landmark_error(ddf, np.array([[0.0, 4.5]]), np.array([[0.0, 4.0]]))
    with pytest.raises(ValueError, match=r"expected \(K, 2\)"):
        landmark_error(ddf, np.zeros((3, 3)), np.zeros((3, 3)))
