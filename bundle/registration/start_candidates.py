"""Where the search for the rigid start may begin: placements of one head on another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

TILT = 25.0
"""Degrees about each axis that the search by itself may not overcome."""

TALLER = 1.3
"""A moving body this many times taller than the fixed head holds more than a head."""

WINDOW = 40.0
"""Millimetres from one place along the body at which a head may lie to the next."""

AROUND, SHIFTED, TILTED = 128, 15.0, 12.0
"""Placements around the headers, and how far: at most so many mm along, and degrees about, each
axis. Of a thin slab the search overcomes less."""

LEAST_POINTS = 8
"""Fewer points have no axes."""

Rotations = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Candidate:
    """A linear placement.

    Attributes:
        name: for people: what lies on what.
        matrix: (4, 4), millimetres, LPS, fixed to moving points.
    """

    name: str
    matrix: np.ndarray


def points_of(mask: sitk.Image) -> np.ndarray:
    """(n, 3) middles of a mask's voxels, millimetres, LPS."""
    indices = np.argwhere(sitk.GetArrayViewFromImage(mask) > 0)[:, ::-1]
    direction = np.reshape(mask.GetDirection(), (3, 3))
    return (indices * mask.GetSpacing()) @ direction.T + mask.GetOrigin()


def placements(fixed: np.ndarray, moving: np.ndarray) -> Iterator[Candidate]:
    """Placements of one head on another.

    Rotations: none, 180 degrees about each axis (a header that has it the other way round), a tilt
    about each axis, and the four proper ones between the principal axes. Each with the
    middles, the tops and the bottoms of the heads put onto each other, and of a body with its
    parts from top to bottom.

    Args:
        fixed: (n, 3) points of the fixed head, millimetres, LPS.
        moving: (m, 3) points of the moving head, or of a body that holds it.
    """
    for name, rotation in [*_turns(), *_principal(fixed, moving)]:
        turned = moving @ rotation  # into the fixed frame: the inverse of each row's rotation
        for place, shift in _shifts(fixed, turned):
            yield Candidate(f"{place}{name}", rigid(rotation, rotation @ shift))


def around(reference: Candidate, fixed: np.ndarray) -> Iterator[Candidate]:
    """Placements near one that is given, the same ones each time.

    Args:
        reference: that of the headers.
        fixed: (n, 3) points of the fixed head, millimetres, LPS; it is turned about its middle.
    """
    middle, random = fixed.mean(axis=0), np.random.default_rng(0)
    for shift, turn in random.uniform(-1.0, 1.0, (AROUND, 2, 3)):
        rotation = Rotation.from_euler("xyz", TILTED * turn, degrees=True).as_matrix()
        motion = rigid(rotation, middle + SHIFTED * shift - rotation @ middle)
        yield Candidate(f"{reference.name}, moved", reference.matrix @ motion)


def head_to_head(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """The (4, 4) matrix of the shift from one head's middle to the other's.

    Args:
        fixed: (n, 3) points of the fixed head, millimetres, LPS.
        moving: (m, 3) points of the moving one.
    """
    return rigid(np.eye(3), moving.mean(axis=0) - fixed.mean(axis=0))


def rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """The (4, 4) matrix of a rotation (3, 3) and a translation (3,)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation
    return matrix


def angle(matrix: np.ndarray, reference: np.ndarray) -> float:
    """Degrees by which two (4, 4) linear transforms differ in rotation."""
    parts = [np.linalg.svd(one[:3, :3]) for one in (matrix, reference)]
    first, second = (u @ v for u, _, v in parts)
    return float(np.degrees(Rotation.from_matrix(first @ second.T).magnitude()))


def _turns() -> Rotations:
    """None, the other way round, and tilted."""
    found = [("", np.eye(3))]
    for axis, name in enumerate("xyz"):
        turn = np.zeros(3)
        turn[axis] = 180.0
        matrix = Rotation.from_rotvec(turn, degrees=True).as_matrix().round()
        found.append((f", the other way round about {name}", matrix))
        for sign in (-1, 1):
            tilt = sign * turn * TILT / 180.0
            found.append((", tilted", Rotation.from_rotvec(tilt, degrees=True).as_matrix()))
    return found


def _principal(fixed: np.ndarray, moving: np.ndarray) -> Rotations:
    """Between the principal axes, whose signs are unknown."""
    height = min(_height(fixed), _height(moving))
    if min(len(fixed), len(moving)) < LEAST_POINTS:
        return []
    axes = []
    for points in (fixed, moving):
        part = points[points[:, 2] >= _top(points) - height]
        axes.append(np.linalg.eigh(np.cov(part.T))[1])
    found = []
    for signs in product((-1.0, 1.0), repeat=3):
        rotation = (axes[1] * signs) @ axes[0].T
        if np.linalg.det(rotation) > 0:
            found.append((" along the principal axes", rotation))
    return found


def _shifts(fixed: np.ndarray, moving: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """From the fixed head's middle to those of parts of the moving head, z upwards."""
    height = min(_height(fixed), _height(moving))
    yield "the middles of the heads", moving.mean(axis=0) - fixed.mean(axis=0)
    tops = [one[one[:, 2] >= _top(one) - height].mean(axis=0) for one in (fixed, moving)]
    yield "the tops of the heads", tops[1] - tops[0]
    bottoms = [-_top(-one) for one in (fixed, moving)]
    low = [
        one[one[:, 2] <= z + height].mean(axis=0)
        for one, z in zip((fixed, moving), bottoms, strict=True)
    ]
    yield "the bottoms of the heads", low[1] - low[0]
    if _height(moving) > TALLER * height:
        for top in np.arange(_top(moving) - WINDOW, bottoms[1] + height / 2, -WINDOW):
            part = moving[(moving[:, 2] <= top) & (moving[:, 2] >= top - height)]
            if len(part):
                yield "the head and a part of the body", part.mean(axis=0) - tops[0]


def _top(points: np.ndarray) -> float:
    """Height of the upper end; a few points do not tell."""
    return float(np.percentile(points[:, 2], 99.5))


def _height(points: np.ndarray) -> float:
    return _top(points) + _top(-points)
