"""Small images made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image


def smooth(shape: tuple[int, ...], seed: int = 0, sigma: float = 3.0) -> np.ndarray:
    """Smooth noise from 0 to 1."""
    noise = sitk.GetImageFromArray(np.random.default_rng(seed).standard_normal(shape))
    blurred = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, sigma))
    return (blurred - blurred.min()) / np.ptp(blurred)


def write_grey(path: Path, height: int = 60, width: int = 44, seed: int = 0) -> Path:
    Image.fromarray((255 * smooth((height, width), seed)).astype(np.uint8)).save(path)
    return path


def write_color(path: Path, height: int = 60, width: int = 44, seed: int = 0) -> Path:
    channels = [255 * smooth((height, width), seed + k) for k in range(3)]
    Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(path)
    return path


def write_volume(
    path: Path,
    values: np.ndarray,
    orientation: str = "LPS",
    spacing: tuple[float, float, float] = (0.9, 1.2, 3.0),
) -> Path:
    """Write an array (slices, rows, columns) as an oblique volume stored in an orientation."""
    volume = sitk.GetImageFromArray(values.astype(np.float32))
    tilt = sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix()
    volume.SetDirection(tilt)
    volume.SetSpacing(spacing)
    volume.SetOrigin((-20.0, 35.0, 7.5))
    sitk.WriteImage(sitk.DICOMOrient(volume, orientation), str(path))
    return path


def blob() -> np.ndarray:
    """An ellipsoid of 100 in a volume of zeros, (20, 40, 40) slices first."""
    z, y, x = np.indices((20, 40, 40))
    return (((z - 10) / 7) ** 2 + ((y - 20) / 14) ** 2 + ((x - 20) / 12) ** 2 < 1) * 100.0
