"""Recover the activity behind a pseudo-coloured slice."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from bundle.training.stacks.palette import (
    LIT,
    STEPS,
    Palette,
    draft_palette,
    lit_slices,
)
from bundle.training.stacks.series import read_series

DRAFTS = ((0.4, 16.0), (0.4, 12.0), (0.2, 16.0), (0.2, 12.0))
"""Shares of even pixels and widths of cells that are tried."""

GOOD = 6.0
"""Misfit of a palette that ends the trying."""

_WEIGHTS = np.array([1.0, 0.7, 0.7], np.float32)  # compression harms chrominance more
_FAR = 60.0**2  # squared distances beyond it hardly count more
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


@cache
def palette_of(path: str) -> Palette:
    """The palette of a movie, found once.

    Args:
        path: a series' file in RGB.

    Raises:
        InputError: it shows too few colours.
    """
    pictures = lit_slices(_to_ycbcr(read_series(path).pictures))
    best, least = None, np.inf
    for even, width in DRAFTS:
        palette = draft_palette(pictures, even, width, path)
        found = misfit(pictures[len(pictures) // 4 :: 5], palette)
        if found < least:
            best, least = palette, found
        if least < GOOD:
            break
    assert best is not None
    return best


def misfit(pictures: np.ndarray, palette: Palette) -> float:
    """How badly a palette explains pictures: far colours, and activity that jumps.

    In a palette whose colours are in the wrong order, neighbouring pixels lie far apart.

    Args:
        pictures: (D, H, W, 3), Y, Cb, Cr on the scale 0 to 255.
        palette: the palette.

    Returns:
        mean distance of a colour from the palette, plus the per cent of lit neighbours that lie
        more than a fifth of the palette apart.
    """
    lit = pictures[..., 0] > LIT
    if not lit.any():
        return 0.0
    away = cKDTree(palette.colours).query(pictures[lit][::7])[0].mean()
    found = np.stack([activity(picture, palette) for picture in pictures])
    jumps = np.abs(np.diff(found, axis=1))[lit[:, 1:]] > 0.2
    return float(away + 100 * jumps.mean())


def activity(picture: np.ndarray, palette: Palette) -> np.ndarray:
    """Place of each pixel along a palette, its colour and its neighbours' considered.

    Args:
        picture: (H, W, 3), Y, Cb, Cr on the scale 0 to 255.
        palette: of the movie.

    Returns:
        float32 (H, W), 0 black to 1 the palette's end.
    """
    rows, columns = (np.flatnonzero((picture[..., 0] > 4).any(axis)) for axis in (1, 0))
    found = np.zeros(picture.shape[:2], np.float32)
    if not len(rows):
        return found
    inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    away = (picture[inside][:, :, None] - palette.colours) ** 2 @ _WEIGHTS
    away = ndimage.gaussian_filter(away / (1 + away / _FAR), (0.7, 0.7, 0))
    found[inside] = _lowest(away) / (STEPS - 1)
    return found


def _lowest(costs: np.ndarray) -> np.ndarray:
    """Where (H, W, STEPS) is lowest, between its steps too."""
    lowest = costs.argmin(axis=-1)
    middle = lowest.clip(1, STEPS - 2)
    below, here, above = (
        np.take_along_axis(costs, (middle + step)[..., None], -1)[..., 0] for step in (-1, 0, 1)
    )
    between = 0.5 * (below - above) / np.maximum(below - 2 * here + above, 1e-6)
    return np.where(lowest == middle, lowest + between.clip(-1, 1), lowest)


@lru_cache(maxsize=2048)  # 64 kB each
def activity_slice(path: str, number: int) -> np.ndarray:
    """Activity of one slice of a movie; the last many stay in memory.

    Args:
        path: a series' file in RGB.
        number: of the slice, from 0.

    Returns:
        uint8 (H, W), 255 = the highest of the movie.
    """
    picture = _to_ycbcr(read_series(path).pictures[number : number + 1])[0]
    return (255 * activity(picture, palette_of(path))).round().astype(np.uint8)


def _to_ycbcr(pictures: np.ndarray) -> np.ndarray:
    """uint8 RGB (D, 3, H, W) to float32 Y, Cb, Cr (D, H, W, 3)."""
    return pictures.transpose(0, 2, 3, 1).astype(np.float32) @ _TO_YCBCR.T
