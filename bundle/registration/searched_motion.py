"""A rigid or affine motion by searches along lines, from one placement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from bundle.registration.start_candidates import Candidate, points_of, rigid
from bundle.registration.start_similarity import similarity
from bundle.registration.start_volume import StartVolume

RADIUS = 65.0
"""Distance in mm from a head's middle at which a turn moves points as far as a shift does."""

LINE, RISE = 0.1, 1e-3
"""SciPy takes a hundred times the first as the tolerance of a line, relative to its step: hardly
more than a bracket and a parabola, as finer lines end no nearer. The search ends when all lines
together raise the similarity by a smaller share than the second."""

MOST = {False: 600, True: 1500}
"""Placements that are looked at, about, of a rigid and of an affine motion."""


def searched_motion(
    fixed: StartVolume, moving: StartVolume, begin: Candidate, affine: bool = False
) -> Candidate:
    """Raise the similarity by Powell's method (Computer Journal 7, 1964), without gradients.

    Gradients of mutual information are those of an interpolated image: between slices that are
    7 mm apart they lead to where slices meet slices, several mm off.

    Args:
        fixed: the reference volume; its head counts.
        moving: the volume to register.
        begin: the placement, fixed to moving points, mm, LPS.
        affine: stretch and shear as well.

    Returns:
        the placement after a motion of the fixed points about the middle of their head.
    """
    middle = points_of(fixed.head).mean(axis=0)

    def placed(steps: np.ndarray) -> np.ndarray:
        return begin.matrix @ _motion(steps, middle)

    found = minimize(
        lambda steps: -similarity(fixed, moving, placed(steps)),
        np.zeros(12 if affine else 6),
        method="Powell",
        options={"xtol": LINE, "ftol": RISE, "maxfev": MOST[affine]},
    )
    return replace(begin, matrix=placed(found.x))


def _motion(steps: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """The (4, 4) matrix of a shift and of a turn, or of a linear map, about a point; all in mm."""
    *linear, x, y, z = steps
    if len(linear) == 3:
        turned = Rotation.from_rotvec(np.array(linear) / RADIUS).as_matrix()
    else:
        turned = np.eye(3) + np.reshape(linear, (3, 3)) / RADIUS
    return rigid(turned, middle + (x, y, z) - turned @ middle)
