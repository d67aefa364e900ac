"""How sharp a picture is: painted ones must not be sharper than real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STRONGEST = 0.05
_EXTREMES = (1.0, 99.0)
_FINE = 0.25  # cycles per pixel


@dataclass(frozen=True)
class Sharpness:
    """Two figures of one picture.

    Attributes:
        edges: mean gradient at the strongest 5 % of the head's pixels, share of the range per px.
        fine: share of the power at more than a quarter of a cycle per px, in percent.
    """

    edges: float
    fine: float


def sharpness(picture: np.ndarray, head: np.ndarray) -> Sharpness:
    """Measure a picture.

    Args:
        picture: (H, W), any unit.
        head: bool (H, W), with at least one pixel set.

    Returns:
        its figures; 0 for a picture that is constant in the head.
    """
    values = np.asarray(picture, dtype=np.float64)
    lower, upper = np.percentile(values[head], _EXTREMES)
    if upper <= lower:
        return Sharpness(0.0, 0.0)
    steps = np.hypot(*np.gradient(values))[head]
    strongest = np.sort(steps)[-max(1, round(_STRONGEST * len(steps))) :]
    return Sharpness(float(strongest.mean() / (upper - lower)), _fine(values))


def _fine(values: np.ndarray) -> float:
    """With a window, so that the picture's borders are no edges."""
    window = np.outer(*(np.hanning(n) for n in values.shape))
    power = np.abs(np.fft.fft2((values - values.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, values.shape), indexing="ij"))
    return float(100 * power[frequency > _FINE].sum() / power.sum())
