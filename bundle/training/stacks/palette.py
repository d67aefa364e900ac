"""Find the palette of a pseudo-coloured movie in its own colours.

A palette is a curve through the colours: it starts at black, and colours that follow each other
are neighbours in the pictures too. Lossy compression blurs the colours where the activity
changes, so that only pixels with even surroundings count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from bundle.errors import InputError

STEPS = 48
"""Points along a palette: more than lossy colours tell apart."""

LIT = 20
"""Brightest channel of a pixel that is no background."""

_SLICES, _SAMPLES = 20, 40000  # what a palette is found from


@dataclass(frozen=True)
class Palette:
    """A curve of colours from black to the highest activity of the movie.

    Attributes:
        colours: float32 (STEPS, 3), Y, Cb, Cr on the scale 0 to 255, equally spaced.
    """

    colours: np.ndarray


def lit_slices(colours: np.ndarray, count: int = _SLICES) -> np.ndarray:
    """Up to ``count`` slices of (D, H, W, 3), spread over those that show something."""
    found = np.flatnonzero((colours[..., 0] > LIT).mean(axis=(1, 2)) > 0.02)
    if not len(found):
        return colours[:count]
    return colours[found[np.unique(np.linspace(0, len(found) - 1, count).round().astype(int))]]


def draft_palette(colours: np.ndarray, even: float, width: float, name: str) -> Palette:
    """A palette by the shortest way through the crowd of colours, from black to the farthest.

    Args:
        colours: (D, H, W, 3), Y, Cb, Cr on the scale 0 to 255.
        even: share of the lit pixels, those with the evenest surroundings, that count.
        width: side of the cells that colours are counted in.
        name: of the movie, for messages.

    Raises:
        InputError: too few colours to tell an order.
    """
    samples = _even(colours, even)
    centres, counts = _cells(samples, width)
    if len(centres) < 4:
        raise InputError(f"{name}: shows too few colours to find its palette; leave it out")
    return Palette(_settled(_way(centres, counts, width), samples))


def _even(colours: np.ndarray, share: float) -> np.ndarray:
    """(N, 3) averages of 3 x 3 pixels with little change."""
    window = (1, 3, 3, 1)
    change = ndimage.maximum_filter(colours, window) - ndimage.minimum_filter(colours, window)
    change = change.sum(axis=-1)
    lit = colours[..., 0] > LIT / 2
    if not lit.any():
        return np.zeros((0, 3), np.float32)
    chosen = lit & (change <= np.quantile(change[lit], share))
    found = ndimage.uniform_filter(colours, window)[chosen]
    return found[np.random.default_rng(0).permutation(len(found))[:_SAMPLES]]


def _cells(samples: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours of the cells that hold some, black first, and how many each holds."""
    cells = np.floor(samples / width).astype(int)
    _, place, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    if not len(counts):
        return np.zeros((1, 3)), np.ones(1)
    sums = [np.bincount(place.ravel(), samples[:, channel]) for channel in range(3)]
    kept = counts >= 3
    centres = (np.stack(sums, axis=1) / counts[:, None])[kept]
    return np.vstack([np.zeros((1, 3)), centres]), np.r_[counts.max(), counts[kept]]


def _way(centres: np.ndarray, counts: np.ndarray, width: float) -> np.ndarray:
    """(M, 3) cells on the way from black: short steps, through crowded cells."""
    pairs = cKDTree(centres).query_pairs(2.5 * width, output_type="ndarray")
    darkest = 1 + np.argsort(np.linalg.norm(centres[1:], axis=1))[:4]
    pairs = np.vstack([pairs, np.stack([np.zeros_like(darkest), darkest], axis=1)])
    steps = np.linalg.norm(centres[pairs[:, 0]] - centres[pairs[:, 1]], axis=1)
    crowd = np.sqrt(counts[pairs[:, 0]] * counts[pairs[:, 1]]) / counts.max()
    size = (len(centres),) * 2
    graph = coo_matrix((steps**2 / crowd, (pairs[:, 0], pairs[:, 1])), size).tocsr()
    cost, before = dijkstra(graph, directed=False, indices=0, return_predecessors=True)
    length = np.zeros(len(centres))
    for cell in np.argsort(cost):
        if before[cell] >= 0:
            length[cell] = length[before[cell]] + np.linalg.norm(
                centres[cell] - centres[before[cell]]
            )
    way = [int(np.argmax(length))]
    while before[way[-1]] >= 0:
        way.append(before[way[-1]])
    return centres[way[::-1]]


def _settled(way: np.ndarray, samples: np.ndarray, rounds: int = 8) -> np.ndarray:
    """Draw the curve into the middle of the colours next to it (a principal curve)."""
    curve = _equally_spaced(way)
    for _ in range(rounds):
        nearest = cKDTree(curve).query(samples)[1]
        weight = _smooth(np.bincount(nearest, minlength=STEPS).astype(float))[:, None]
        sums = np.stack([np.bincount(nearest, samples[:, c], STEPS) for c in range(3)], axis=1)
        curve = np.where(weight > 0.1, _smooth(sums) / np.maximum(weight, 0.1), curve)
        curve[0] = 0
        curve = _equally_spaced(curve)
    return curve.astype(np.float32)


def _smooth(values: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter1d(values, 1.5, axis=0, mode="nearest")


def _equally_spaced(points: np.ndarray) -> np.ndarray:
    lengths = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    places = np.linspace(0, lengths[-1], STEPS)
    return np.stack([np.interp(places, lengths, points[:, c]) for c in range(3)], axis=1)
