"""How the phantom's volumes become 8-bit pictures: windows, gains and palettes."""

from __future__ import annotations

import numpy as np


def _palette(*stops: tuple[float, tuple[int, int, int]]) -> np.ndarray:
    """Colours for 0..255, linear between stops (position 0..1, RGB): uint8 (256, 3)."""
    positions, colours = zip(*stops, strict=True)
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, positions, channel) for channel in zip(*colours, strict=True)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


# In the spirit of clinical displays; the luminance of the first falls again above yellow.
PET_PALETTE = _palette(
    (0, (0, 0, 0)), (0.12, (8, 12, 110)), (0.27, (20, 80, 225)), (0.42, (120, 190, 120)),
    (0.52, (250, 240, 40)), (0.72, (255, 110, 10)), (0.87, (225, 15, 25)), (1, (215, 0, 170)),
)  # fmt: skip
SPECT_PALETTE = _palette(
    (0, (0, 0, 0)), (0.16, (48, 66, 84)), (0.38, (84, 16, 138)), (0.58, (170, 64, 120)),
    (0.78, (250, 118, 30)), (1, (255, 222, 230)),
)  # fmt: skip


class Display:
    """Window, gain and palette; one draw is meant for all slices of a case and modality.

    Args:
        rng: the source of the variation between cases.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._level, self._width = rng.uniform(35, 45), rng.uniform(75, 125)  # HU
        self._gain = rng.uniform(0.8, 1.05)
        self._brightness = rng.uniform(0.75, 1.1)

    def mri(self, values: np.ndarray) -> np.ndarray:
        """Show a slice of MRI.

        Args:
            values: (I, J) along right and front, about 0 to 1.

        Returns:
            uint8 (J, I): rows from front to back, columns from right to left.
        """
        return _picture(values * self._brightness)

    def moving(self, values: np.ndarray, modality: str) -> np.ndarray:
        """Show a slice of CT, PET or SPECT.

        Args:
            values: (I, J) along right and front, HU or activity relative to the cortex.
            modality: "CT", "PET" or "SPECT".

        Returns:
            uint8, rows from front to back, columns from right to left: (J, I) with bone and
            air saturated for CT, RGB (J, I, 3) for PET and SPECT.
        """
        if modality == "CT":
            return _picture((values - self._level) / self._width + 0.5)
        palette, full = (PET_PALETTE, 1.25) if modality == "PET" else (SPECT_PALETTE, 0.95)
        return palette[_picture(values * self._gain / full)]


def _picture(values: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(values, 0, 1)).astype(np.uint8).T[::-1, ::-1]
