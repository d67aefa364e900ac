"""The outer head of the phantom: skin, fat, muscle, skull, sinuses, orbits, ears."""

from __future__ import annotations

import numpy as np

from bundle.phantom.canvas import SIDES, Canvas, Tissue
from bundle.phantom.shapes import Capsule, Ellipsoid, SmoothNoise, smooth_union


def paint_outside(canvas: Canvas) -> np.ndarray:
    """Paint all that lies outside the cranial cavity.

    Args:
        canvas: an empty canvas.

    Returns:
        float32 (I, J, K): depth below the inner table of the skull, mm, positive inside.
    """
    vault = _vault(canvas)
    cavity = _cavity(canvas, vault)
    head = _head(canvas, vault)
    _paint_soft_tissue(canvas, head)
    _paint_skull(canvas, cavity, head)
    cells = np.abs(SmoothNoise(canvas.rng, 4.0)(canvas.axes))  # air cells and their thin walls
    _paint_airways(canvas, head, cells)
    for name, side in SIDES:
        _paint_side(canvas, side, cells)
        _paint_orbit(canvas, name, side)
    bare = (canvas.labels == Tissue.BONE) & (head < 1.8)  # a small face may not cover its bones
    canvas.labels[bare] = np.where(head[bare] > 0, Tissue.SKIN, Tissue.BACKGROUND)
    return cavity


def _ridge(side: float) -> Capsule:
    """The petrous bone, between the middle and the posterior fossa."""
    return Capsule((side * 64, -26, -34), (side * 13, 2, -26), 11, 5)


def _socket(side: float) -> Ellipsoid:
    return Ellipsoid((side * 31, 52, -37), (19, 30, 17))


def _vault(canvas: Canvas) -> np.ndarray:
    """Depth below the inside of the skull cap, continued downwards to a closed egg, mm."""
    x, y, z = canvas.points
    egg = canvas.rng.uniform(0.0, 0.1)  # the forehead is narrower than the back of the head
    power = np.float32(canvas.rng.uniform(2.05, 2.4))  # 2: the axial section is an ellipse
    wide = np.abs(x * (1 + np.float32(egg / 85) * y) / 68) + np.float32(1e-3)
    long = np.abs((y + 3) / 84) + np.float32(1e-3)
    radius = 70 * (wide**power + long**power) ** (1 / power)
    section = np.stack([radius, np.zeros_like(z), z])
    return Ellipsoid((0, 0, -4), (70, 70, 70)).distance(section) + 1.2 * canvas.bulge


def _cavity(canvas: Canvas, vault: np.ndarray) -> np.ndarray:
    """Depth inside the cranial cavity: the vault's three fossae and the spinal canal, mm."""
    points = canvas.points
    cavity = -smooth_union(-vault, -20 - points[2], 8)  # the floor of the anterior fossa
    for _, side in SIDES:
        temporal = Ellipsoid((side * 42, 6, -22), (25, 38, 24))
        cavity = smooth_union(cavity, temporal.distance(points), 6)
    hind = Ellipsoid((0, -46, -32), (53, 40, 31)).distance(points)
    canal = Capsule((0, -20, -40), (0, -32, -130), 17, 10).distance(points)
    cavity = smooth_union(smooth_union(cavity, hind, 8), canal, 6)
    for _, side in SIDES:
        bones = np.maximum(_ridge(side).distance(points), _socket(side).distance(points) + 3.5)
        cavity = np.minimum(cavity, -bones)
    return cavity


def _head(canvas: Canvas, vault: np.ndarray) -> np.ndarray:
    """Depth below the skin of head, face and neck, mm."""
    points = canvas.points
    head = vault + np.float32(canvas.rng.uniform(11, 14)) + 0.8 * canvas.bulge
    head = smooth_union(head, Ellipsoid((0, 30, -58), (64, 62, 62)).distance(points), 14)
    head = smooth_union(head, Ellipsoid((0, 92, -52), (13, 18, 18)).distance(points), 10)
    neck = Capsule((0, -22, -60), (0, -22, -200), 58, 58).distance(points)
    return smooth_union(head, neck, 20)


def _paint_soft_tissue(canvas: Canvas, head: np.ndarray) -> None:
    """Skin, fat below it, and muscle for whatever is not painted over later."""
    fat = canvas.rng.uniform(2.0, 4.5) + 1.0 * canvas.bulge
    canvas.labels[head > 0] = Tissue.SKIN
    canvas.labels[head > 1.8] = Tissue.FAT
    canvas.labels[head > 1.8 + np.maximum(fat, 1)] = Tissue.MUSCLE
    for _, side in SIDES:  # the ears stand off the head
        canvas.paint(Tissue.SKIN, Ellipsoid((side * 76, -14, -26), (8, 11, 22)), ripple=2)


def _paint_skull(canvas: Canvas, cavity: np.ndarray, head: np.ndarray) -> None:
    """A bony shell of varying thickness, with marrow where it is thick."""
    thickness = canvas.rng.uniform(4.5, 7.0) + 1.3 * SmoothNoise(canvas.rng, 16)(canvas.axes)
    thickness += np.maximum(-8 - canvas.points[2], 0) * 0.06  # the skull base is thicker
    thickness = np.clip(thickness, 2.5, 14)
    outside = -cavity
    shell = (outside > -0.5) & (outside < thickness) & (head > 2.5)
    canvas.labels[shell] = Tissue.BONE
    diploe = shell & (outside > 0.3 * thickness) & (outside < 0.72 * thickness)
    canvas.labels[diploe & (thickness > 4.5)] = Tissue.MARROW


def _paint_airways(canvas: Canvas, head: np.ndarray, cells: np.ndarray) -> None:
    """Nose and the sinuses of the midline with the bones around them, and the spine."""
    rng, paint = canvas.rng, canvas.paint
    paint(Tissue.BONE, Ellipsoid((0, 16, -32), (19, 20, 17)), ripple=1.5)
    sphenoid = Ellipsoid((rng.normal(0, 2), 20, -31), (rng.uniform(6, 11), 11, 9))
    paint(Tissue.AIR, sphenoid, ripple=1)
    nose = Ellipsoid((0, 62, -50), (13, 32, 24))
    paint(Tissue.BONE, nose, grow=2, ripple=1)
    paint(Tissue.MUSCLE, nose, ripple=1)
    paint(Tissue.AIR, nose, grow=-1, ripple=1, where=cells > 0.35)
    ethmoid = Ellipsoid((0, 60, -32), (11, 26, 12))
    paint(Tissue.BONE, ethmoid)
    paint(Tissue.AIR, ethmoid, grow=-1, where=cells > 0.35)
    frontal = Ellipsoid((rng.normal(0, 4), 84, -12), (rng.uniform(8, 24), 4, 13))
    paint(Tissue.BONE, frontal, grow=3, ripple=1, where=head > 3)
    paint(Tissue.AIR, frontal, ripple=1.5, where=head > 6)
    paint(Tissue.BONE, Capsule((0, -32, -62), (0, -32, -140), 22, 22), ripple=1.5)


def _paint_side(canvas: Canvas, side: float, cells: np.ndarray) -> None:
    """Petrous bone, mastoid and ear canal, maxillary sinus, cheek bone and jaw of one side."""
    rng, paint = canvas.rng, canvas.paint
    paint(Tissue.BONE, _ridge(side), ripple=1)
    mastoid = Ellipsoid((side * 62, -28, -40), (11, 15, 18))
    paint(Tissue.BONE, mastoid, ripple=1)
    paint(Tissue.AIR, mastoid, grow=-2, where=cells > rng.uniform(0.4, 1.0))
    paint(Tissue.AIR, Capsule((side * 90, -12, -32), (side * 48, -14, -32), 3.5, 2.5))
    maxilla = Ellipsoid((side * 30, 56, -68), (16, 20, 17))
    paint(Tissue.BONE, maxilla, grow=2.5, ripple=1)
    paint(Tissue.AIR, maxilla, ripple=1)
    paint(Tissue.BONE, Capsule((side * 52, 66, -46), (side * 70, 4, -40), 4.5, 3))
    paint(Tissue.BONE, Capsule((side * 52, 2, -44), (side * 44, 30, -110), 6, 6))


def _paint_orbit(canvas: Canvas, name: str, side: float) -> None:
    """The eye with its muscles and nerve, in fat, in a bony socket."""
    paint, gaze = canvas.paint, float(canvas.rng.normal(0, 1.5))
    socket = _socket(side)
    solid = (Tissue.SKIN, Tissue.FAT, Tissue.MUSCLE, Tissue.MARROW, Tissue.AIR)
    front = canvas.points[1] > 66
    paint(Tissue.BONE, socket, grow=2.5, over=solid, where=~front)
    paint(Tissue.FAT, socket)
    apex = (side * 12.0, 27.0, -33.0)
    for offset in ((13, 0), (-11, 0), (0, 12), (0, -12)):
        insertion = (side * (31 + offset[0]), 62.0, -36.0 + offset[1])
        paint(Tissue.MUSCLE, Capsule(apex, insertion, 1.8, 2.2))
    globe = (side * 31.0, 68.0, -36.0)
    paint(Tissue.OPTIC_NERVE, Capsule(apex, globe, 2.4, 2.4))
    paint(Tissue.SKIN, Ellipsoid(globe, (13, 13, 13)))
    paint(Tissue.EYE, Ellipsoid(globe, (12, 12, 12)))
    lens = (globe[0] + gaze, globe[1] + 8, globe[2])
    paint(Tissue.LENS, Ellipsoid(lens, (5, 2.5, 5)))
    canvas.mark(f"{name}_eye", Tissue.EYE, (globe[0], globe[1] - 2, globe[2]))
    canvas.mark(f"{name}_lens", Tissue.LENS, lens)
