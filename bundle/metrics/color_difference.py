"""Delta E: how far fusion takes the moving image's colours."""

from __future__ import annotations

import numpy as np
import torch

COLORED = 5.0  # CIELAB chroma below this looks grey
TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def color_difference(fused: torch.Tensor, warped: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean CIE 1976 difference of the chroma: Euclidean distance in the plane (a*, b*) of CIELAB.

    Lightness is left out: it is what fusion is meant to change. Counted are the pixels where the
    warped picture is coloured (chroma above 5). Two things move colours: where luminance and
    chrominance together leave the RGB cube the chrominance is drawn towards grey, and a* and b*
    of a given chrominance grow with luminance.

    Args:
        fused: (B, 3, H, W), sRGB, 0 to 255.
        warped: the warped moving picture, as ``fused``.

    Returns:
        ``Delta_E`` (B,), 0 for equal colours, about 2 just visible; NaN where nothing is coloured.

    Raises:
        ValueError: the shapes differ or there are not 3 channels.
    """
    if fused.shape != warped.shape or fused.ndim != 4 or fused.shape[1] != 3:
        raise ValueError(
            "expected fused and warped of one shape (B, 3, H, W), got "
            f"{tuple(fused.shape)} and {tuple(warped.shape)}"
        )
    values = [_mean_distance(_chroma(f), _chroma(w)) for f, w in zip(fused, warped, strict=True)]
    return {"Delta_E": torch.tensor(values, dtype=torch.float64)}


def _chroma(rgb: torch.Tensor) -> np.ndarray:
    """a* and b* (2, H, W) of one sRGB picture (3, H, W) for the white of D65."""
    gamma = rgb.double().cpu().numpy() / 255
    linear = np.where(gamma > 0.04045, ((gamma + 0.055) / 1.055) ** 2.4, gamma / 12.92)
    x, y, z = np.einsum("kc,chw->khw", TO_XYZ / WHITE[:, None], linear)
    fx, fy, fz = (np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116) for t in (x, y, z))
    return np.stack([500 * (fx - fy), 200 * (fy - fz)])


def _mean_distance(fused: np.ndarray, warped: np.ndarray) -> float:
    colored = np.linalg.norm(warped, axis=0) > COLORED
    distance = np.linalg.norm(fused - warped, axis=0)[colored]
    return float(distance.mean()) if colored.any() else float("nan")
