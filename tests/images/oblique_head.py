"""A phantom's head in oblique voxels, and what tells that it was read right."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from bundle.phantom.head import make_head

SHAPE, SPACING = (80, 96, 40), (2.0, 2.0, 4.0)
HEAD = make_head(0, SHAPE, SPACING)
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TURN = np.eye(4)
TURN[:3, :3] = np.reshape(sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix(), (3, 3))
AFFINE = TURN @ HEAD.affine
"""RAS; oblique, so that no axis hides an error of another."""

T1 = (1000 * HEAD.contrast("T1")).astype(np.int16)
CT = HEAD.contrast("CT").astype(np.int16)


def require_right(volume, affine=AFFINE, values=T1, within=0.1):
    """A voxel that is told by its value lies where the phantom has it."""
    image = volume.image
    stored = sitk.GetArrayFromImage(image).T
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(values.shape) - 1)
    for corner in corners:
        found = image.TransformIndexToPhysicalPoint([int(k) for k in corner])
        expected = (TO_LPS @ affine @ [*corner, 1])[:3]
        assert np.linalg.norm(np.subtract(found, expected)) <= within
    np.testing.assert_allclose(stored, values, rtol=1e-6)


def codes(volume):
    return [one.code for one in volume.remarks]
