"""How MRI, CT, PET and SPECT show the head phantom: values, resolution and noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter

from bundle.phantom.canvas import Tissue
from bundle.phantom.shapes import Axes, SmoothNoise

_T = Tissue

# Relative signal (about 0 to 1); absent tissues are 0.
_T1 = {
    _T.SKIN: 0.5, _T.FAT: 0.95, _T.MUSCLE: 0.36, _T.BONE: 0.05, _T.MARROW: 0.55, _T.AIR: 0.01,
    _T.CSF: 0.14, _T.GREY_MATTER: 0.5, _T.WHITE_MATTER: 0.74, _T.VENTRICLE: 0.13,
    _T.CAUDATE: 0.53, _T.PUTAMEN: 0.56, _T.THALAMUS: 0.61, _T.CEREBELLUM_GREY: 0.5,
    _T.CEREBELLUM_WHITE: 0.72, _T.BRAINSTEM: 0.68, _T.DURA: 0.3, _T.VESSEL: 0.35, _T.EYE: 0.17,
    _T.LENS: 0.4, _T.OPTIC_NERVE: 0.6, _T.CALCIFICATION: 0.2, _T.LESION: 0.4, _T.OEDEMA: 0.52,
}  # fmt: skip
_T2 = {
    _T.SKIN: 0.3, _T.FAT: 0.5, _T.MUSCLE: 0.17, _T.BONE: 0.04, _T.MARROW: 0.25, _T.AIR: 0.01,
    _T.CSF: 0.97, _T.GREY_MATTER: 0.52, _T.WHITE_MATTER: 0.35, _T.VENTRICLE: 1.0,
    _T.CAUDATE: 0.46, _T.PUTAMEN: 0.42, _T.THALAMUS: 0.43, _T.CEREBELLUM_GREY: 0.5,
    _T.CEREBELLUM_WHITE: 0.37, _T.BRAINSTEM: 0.39, _T.DURA: 0.2, _T.VESSEL: 0.08, _T.EYE: 1.0,
    _T.LENS: 0.2, _T.OPTIC_NERVE: 0.35, _T.CALCIFICATION: 0.15, _T.LESION: 0.78, _T.OEDEMA: 0.72,
}  # fmt: skip
_PROTON_DENSITY = {
    _T.SKIN: 0.6, _T.FAT: 0.8, _T.MUSCLE: 0.4, _T.BONE: 0.05, _T.MARROW: 0.5, _T.AIR: 0.01,
    _T.CSF: 0.5, _T.GREY_MATTER: 0.72, _T.WHITE_MATTER: 0.58, _T.VENTRICLE: 0.48,
    _T.CAUDATE: 0.69, _T.PUTAMEN: 0.67, _T.THALAMUS: 0.66, _T.CEREBELLUM_GREY: 0.71,
    _T.CEREBELLUM_WHITE: 0.6, _T.BRAINSTEM: 0.6, _T.DURA: 0.3, _T.VESSEL: 0.15, _T.EYE: 0.5,
    _T.LENS: 0.4, _T.OPTIC_NERVE: 0.55, _T.CALCIFICATION: 0.2, _T.LESION: 0.85, _T.OEDEMA: 0.84,
}  # fmt: skip
# Hounsfield units.
_CT = {
    _T.BACKGROUND: -1000, _T.SKIN: 30, _T.FAT: -85, _T.MUSCLE: 50, _T.BONE: 1250,
    _T.MARROW: 620, _T.AIR: -980, _T.CSF: 5, _T.GREY_MATTER: 39, _T.WHITE_MATTER: 28,
    _T.VENTRICLE: 5, _T.CAUDATE: 38, _T.PUTAMEN: 38, _T.THALAMUS: 36, _T.CEREBELLUM_GREY: 38,
    _T.CEREBELLUM_WHITE: 31, _T.BRAINSTEM: 30, _T.DURA: 55, _T.VESSEL: 52, _T.EYE: 10,
    _T.LENS: 75, _T.OPTIC_NERVE: 32, _T.CALCIFICATION: 220, _T.LESION: 45, _T.OEDEMA: 18,
}  # fmt: skip
# Activity, cortex = 1.
_PET = {
    _T.SKIN: 0.06, _T.FAT: 0.03, _T.MUSCLE: 0.14, _T.BONE: 0.03, _T.MARROW: 0.1, _T.CSF: 0.05,
    _T.GREY_MATTER: 1.0, _T.WHITE_MATTER: 0.26, _T.VENTRICLE: 0.03, _T.CAUDATE: 1.0,
    _T.PUTAMEN: 1.08, _T.THALAMUS: 0.95, _T.CEREBELLUM_GREY: 0.95, _T.CEREBELLUM_WHITE: 0.4,
    _T.BRAINSTEM: 0.5, _T.DURA: 0.1, _T.VESSEL: 0.2, _T.EYE: 0.05, _T.OPTIC_NERVE: 0.2,
    _T.LESION: 0.7, _T.OEDEMA: 0.2,
}  # fmt: skip
_SPECT = {
    **_PET, _T.SKIN: 0.2, _T.FAT: 0.1, _T.MUSCLE: 0.16, _T.MARROW: 0.12, _T.WHITE_MATTER: 0.2,
    _T.CEREBELLUM_GREY: 1.05, _T.VESSEL: 0.45,
}  # fmt: skip

# What a lesion may be: CT (HU) and uptake (cortex = 1) of its core.
_LESIONS = ((45.0, 1.3), (36.0, 0.7), (16.0, 0.12), (70.0, 0.08))  # tumours, infarct, haemorrhage

MODALITIES = ("T1", "T2", "CT", "PET", "SPECT")


def render(
    labels: np.ndarray, axes: Axes, modality: str, rng: np.random.Generator, *, lesion: int
) -> np.ndarray:
    """Make the image of a label map that one modality would show.

    Args:
        labels: (I, J, K) of :class:`Tissue`.
        axes: coordinate vectors of the grid, mm RAS.
        modality: one of ``MODALITIES``.
        rng: the source of noise and of the scanner's variation.
        lesion: which kind of lesion it is, 0 to 3: the same for all modalities of a head.

    Returns:
        float32 (I, J, K): MRI in arbitrary units (about 0 to 1), CT in HU, PET and SPECT as
        activity relative to the cortex.

    Raises:
        ValueError: no such modality.
    """
    spacing = np.array([axis[1] - axis[0] for axis in axes])
    density, uptake = _LESIONS[lesion]
    if modality == "T1":
        return _mri(labels, axes, spacing, rng, _T1)
    if modality == "T2":
        echo = rng.uniform(0.6, 1) if rng.uniform() < 0.25 else rng.uniform(0, 0.2)
        table = {t: (1 - echo) * _T2[t] + echo * _PROTON_DENSITY[t] for t in _T2}
        return _mri(labels, axes, spacing, rng, table)
    if modality == "CT":
        return _ct(labels, axes, spacing, rng, {**_CT, _T.LESION: density})
    if modality == "PET":
        table = {**_PET, _T.LESION: uptake}
        return _emission(labels, axes, spacing, rng, table, width=5.5, noise=0.2)
    if modality == "SPECT":
        table = {**_SPECT, _T.LESION: min(uptake, 0.6)}
        return _emission(labels, axes, spacing, rng, table, width=9.0, noise=0.2)
    raise ValueError(f"no modality {modality!r}: choose one of {', '.join(MODALITIES)}")


def _paint(labels: np.ndarray, table: Mapping[Tissue, float]) -> np.ndarray:
    values = np.array([table.get(tissue, 0.0) for tissue in Tissue], dtype=np.float32)
    return values[labels]


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def _mri(
    labels: np.ndarray,
    axes: Axes,
    spacing: np.ndarray,
    rng: np.random.Generator,
    table: Mapping[Tissue, float],
) -> np.ndarray:
    """Jittered tissue signals, texture, partial volume, coil shading and Rician noise."""
    table = {tissue: value * rng.normal(1, 0.04) for tissue, value in table.items()}
    signal = _paint(labels, table)
    texture = 0.05 * SmoothNoise(rng, 3.5)(axes) + 0.04 * SmoothNoise(rng, 11)(axes)
    signal *= 1 + texture
    signal = gaussian_filter(signal, 0.5 / spacing)
    signal *= np.exp(np.float32(rng.uniform(0.05, 0.15)) * SmoothNoise(rng, 70)(axes))
    level = np.float32(rng.uniform(0.008, 0.022))
    return np.hypot(signal + level * _noise(rng, labels.shape), level * _noise(rng, labels.shape))


def _ct(
    labels: np.ndarray,
    axes: Axes,
    spacing: np.ndarray,
    rng: np.random.Generator,
    table: Mapping[Tissue, float],
) -> np.ndarray:
    """Hounsfield units with uneven bone, the head holder, blur and correlated noise."""
    density = _paint(labels, table)
    bone = (labels == Tissue.BONE) | (labels == Tissue.MARROW)
    density[bone] += 130 * SmoothNoise(rng, 5)(axes)[bone]
    x, y = (axis[:, None] if index == 0 else axis for index, axis in enumerate(axes[:2]))
    centre, radius = rng.uniform(5, 20), rng.uniform(128, 138)
    holder = (np.abs(np.hypot(x, y - centre) - radius) < 1) & (y < -30)
    density[holder[..., None] & (labels == Tissue.BACKGROUND)] = 300
    density = gaussian_filter(density, 0.45 / spacing)
    grain = gaussian_filter(_noise(rng, labels.shape), 0.6 / spacing)
    density += grain * np.float32(rng.uniform(2, 4) / grain.std())
    return np.maximum(density, -1024)


def _emission(
    labels: np.ndarray,
    axes: Axes,
    spacing: np.ndarray,
    rng: np.random.Generator,
    table: Mapping[Tissue, float],
    *,
    width: float,
    noise: float,
) -> np.ndarray:
    """Activity with regional differences, at a resolution of ``width`` mm (FWHM), and noise.

    The noise has a variance in proportion to the activity, as counts have, and is as coarse as
    a reconstruction filter leaves it; ``noise`` is its standard deviation in the cortex.
    """
    activity = _paint(labels, table)
    activity *= np.maximum(1 + 0.12 * SmoothNoise(rng, 16)(axes), 0)
    sigma = width / 2.355 / spacing
    activity = gaussian_filter(activity, sigma)
    counts = _noise(rng, labels.shape) * np.sqrt(np.maximum(activity, 0) + 0.01)
    grain = gaussian_filter(counts, 0.7 * sigma)
    gain = np.prod(np.sqrt(2 * np.sqrt(np.pi) * np.maximum(0.7 * sigma, 0.3)))
    return np.maximum(activity + np.float32(noise * 0.3 * gain) * grain, 0)
