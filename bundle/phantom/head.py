"""One individual's head: labels on a grid, landmarks, and the contrasts it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bundle.phantom.brain import paint_inside
from bundle.phantom.canvas import Canvas
from bundle.phantom.contrast import MODALITIES, render
from bundle.phantom.skull import paint_outside


@dataclass(frozen=True)
class Landmark:
    """A named point of the canvas.

    Attributes:
        tissue: name of the label in which the point lies.
        ijk: continuous voxel index, array order.
        mm: position, RAS.
    """

    tissue: str
    ijk: tuple[float, float, float]
    mm: tuple[float, float, float]


@dataclass(frozen=True)
class Head:
    """One phantom head on one grid.

    Attributes:
        labels: uint8 (I, J, K), see :class:`bundle.phantom.canvas.Tissue`; axes
            run to the right, front and top.
        affine: (4, 4), voxel index to mm RAS.
        landmarks: by name; a point outside the grid is left out.
        seed: what the head was made from.
    """

    labels: np.ndarray
    affine: np.ndarray
    landmarks: dict[str, Landmark]
    seed: tuple[int, ...]

    def contrast(self, modality: str) -> np.ndarray:
        """Return the head as one modality shows it.

        Args:
            modality: "T1", "T2", "CT", "PET" or "SPECT".

        Returns:
            float32 (I, J, K): MRI in arbitrary units (about 0 to 1), CT in HU, PET and SPECT as
            activity relative to the cortex. Always the same for the same head, whatever else
            was asked for before.

        Raises:
            ValueError: no such modality.
        """
        number = MODALITIES.index(modality) if modality in MODALITIES else len(MODALITIES)
        lesion = int(np.random.default_rng((*self.seed, 1)).integers(4))
        rng = np.random.default_rng((*self.seed, 2 + number))
        axes = _axes(self.labels.shape, self.affine)
        return render(self.labels, axes, modality, rng, lesion=lesion)


def make_head(
    seed: int | Sequence[int],
    shape: tuple[int, int, int] = (160, 192, 160),
    spacing: float | tuple[float, float, float] = 1.2,
    centre: tuple[float, float, float] = (0.0, 0.0, -8.0),
) -> Head:
    """Make one individual's head.

    Args:
        seed: one or several non-negative integers; the same seed gives the same anatomy on
            every grid.
        shape: voxels (I, J, K) along right, front and top.
        spacing: mm, one number or one per axis.
        centre: where the middle of the grid lies, mm RAS; the origin is the middle of the brain.

    Returns:
        the head.
    """
    seed = tuple(np.atleast_1d(np.asarray(seed)).tolist())
    steps = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (3,))
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = np.asarray(centre) - steps * (np.asarray(shape) - 1) / 2
    canvas = Canvas(np.random.default_rng((*seed, 0)), _axes(shape, affine))
    paint_inside(canvas, cavity=paint_outside(canvas))
    landmarks = {}
    for name, (tissue, mm) in canvas.landmarks.items():
        ijk = (mm - affine[:3, 3]) / steps
        if np.all((ijk >= 0) & (ijk <= np.asarray(shape) - 1)):
            landmarks[name] = Landmark(tissue.name.lower(), _triple(ijk), _triple(mm))
    return Head(canvas.labels, affine, landmarks, seed)


def _axes(shape: Sequence[int], affine: np.ndarray) -> list[np.ndarray]:
    return [affine[a, 3] + affine[a, a] * np.arange(shape[a]) for a in range(3)]


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = np.round(values, 4).tolist()
    return first, second, third
