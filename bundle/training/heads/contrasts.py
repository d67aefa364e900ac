"""Draw how one scanner shows one subject: values of the tissues, resolution and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bundle.training.heads.tissues import Tissue
from bundle.training.heads.values import TABLES

MRI = ("T1", "T2", "FLAIR", "PD", "random")
"""Contrasts of the fixed image."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """A drawn contrast.

    Attributes:
        name: one of ``MRI``, or CT, PET or SPECT.
        values: float32, per tissue: relative units, HU, or activity (cortex about 1).
        fwhm: full width at half maximum of the scanner's blur, mm.
        texture: deviation of the values within a tissue: share of the value; HU for CT.
        bias: deviation of the logarithm of the coil's shading; MRI alone has it.
        regional: share by which uptake differs from region to region; PET and SPECT.
        noise: its deviation: relative units, HU, or at an activity of 1.
        noise_fwhm: full width at half maximum of the blur of the noise, mm.
    """

    name: str
    values: np.ndarray
    fwhm: float
    texture: float = 0.0
    bias: float = 0.0
    regional: float = 0.0
    noise: float = 0.0
    noise_fwhm: float = 0.0


@dataclass(frozen=True)
class _Scanner:
    """The ranges that a contrast's figures are drawn from, see :class:`Contrast`."""

    fwhm: Span
    texture: Span
    noise: Span
    noise_fwhm: Span
    bias: Span = (0.0, 0.0)
    regional: Span = (0.0, 0.0)


_SCANNERS = {
    "MRI": _Scanner((0.9, 1.3), (0.02, 0.06), (0.008, 0.025), (0.6, 1.0), bias=(0.04, 0.15)),
    "CT": _Scanner((1.3, 1.8), (0.5, 2.0), (1.5, 4.5), (1.2, 2.0)),
    "PET": _Scanner((6.5, 9.0), (0.02, 0.06), (0.01, 0.05), (4.0, 6.0), regional=(0.04, 0.15)),
    "SPECT": _Scanner((9.0, 12.5), (0.02, 0.06), (0.01, 0.05), (7.0, 10.0), regional=(0.05, 0.2)),
}


def draw_contrast(name: str, rng: np.random.Generator) -> Contrast:
    """Draw a subject and a scanner.

    Args:
        name: T1, T2, FLAIR, PD, random, CT, PET or SPECT.
        rng: the source.

    Raises:
        KeyError: no such contrast.
    """
    if name not in (*TABLES, "random"):
        raise KeyError(f"unknown contrast {name!r}; there are {[*TABLES, 'random']}")
    values = _random_values(rng) if name == "random" else _known_values(name, rng)
    scanner = _SCANNERS["MRI" if name in MRI else name]
    return Contrast(
        name, values,
        fwhm=rng.uniform(*scanner.fwhm), texture=rng.uniform(*scanner.texture),
        bias=rng.uniform(*scanner.bias), regional=rng.uniform(*scanner.regional),
        noise=rng.uniform(*scanner.noise), noise_fwhm=rng.uniform(*scanner.noise_fwhm),
    )  # fmt: skip


def _known_values(name: str, rng: np.random.Generator) -> np.ndarray:
    """Of a table; MRI also differs in how hard the sequence weights, CT does not change sign."""
    means, spreads = np.array([TABLES[name][tissue] for tissue in Tissue]).T
    values = means + spreads * rng.standard_normal(len(Tissue)).clip(-2.5, 2.5)
    if name == "CT":
        return values.astype(np.float32)
    values = values.clip(0)
    if name in MRI:
        values = values ** rng.uniform(0.85, 1.2)
    return values.astype(np.float32)


def _random_values(rng: np.random.Generator) -> np.ndarray:
    """A value for every tissue as in SynthMorph (Hoffmann et al., IEEE TMI 41 (2022) 543).

    The cerebellum is near the cerebrum, as no sequence tells them apart, and air is dark.
    """
    values = rng.uniform(0.05, 1.0, len(Tissue))
    values[Tissue.BACKGROUND] = rng.uniform(0, 0.03)
    for like, of in (
        (Tissue.CEREBELLAR_CORTEX, Tissue.CORTEX),
        (Tissue.CEREBELLAR_WHITE, Tissue.WHITE_MATTER),
        (Tissue.BRAIN_STEM, Tissue.WHITE_MATTER),
        (Tissue.VENTRICLE, Tissue.CSF),
    ):
        values[like] = values[of] + rng.normal(0, 0.05)
    return values.clip(0).astype(np.float32)
