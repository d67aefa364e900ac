"""The inside of the phantom's skull: CSF, folded brain, ventricles, deep nuclei, a lesion."""

from __future__ import annotations

import numpy as np

from bundle.phantom.canvas import SIDES, Canvas, Tissue
from bundle.phantom.shapes import Capsule, Ellipsoid, SmoothNoise, smooth_union

_CEREBRUM = (Tissue.CSF, Tissue.GREY_MATTER, Tissue.WHITE_MATTER)


def paint_inside(canvas: Canvas, cavity: np.ndarray) -> None:
    """Paint all that lies inside the cranial cavity.

    Args:
        canvas: a canvas on which the outside is painted.
        cavity: (I, J, K) depth inside the cranial cavity, mm.
    """
    canvas.labels[cavity > 0] = Tissue.CSF
    canvas.labels[(cavity > 0) & (cavity < 0.8)] = Tissue.DURA
    hind = _paint_hindbrain(canvas, cavity)
    _paint_cerebrum(canvas, cavity, hind)
    _paint_deep_structures(canvas)
    _paint_lesion(canvas)
    above = (0, 0, 25)
    canvas.mark_first("vertex", Tissue.BONE, above, 2, 1)
    canvas.mark_first("frontal_bone", Tissue.BONE, above, 1, 1)
    canvas.mark_first("occipital_bone", Tissue.BONE, above, 1, -1)
    canvas.mark_first("right_parietal_bone", Tissue.BONE, above, 0, 1)
    canvas.mark_first("left_parietal_bone", Tissue.BONE, above, 0, -1)


def _paint_hindbrain(canvas: Canvas, cavity: np.ndarray) -> np.ndarray:
    """Paint cerebellum and brain stem; return the depth inside their union, mm."""
    box = canvas.box((-65, -100, -140), (65, 18, 18))  # with a margin: others keep a distance
    axes = [axis[part] for axis, part in zip(canvas.axes, box, strict=True)]
    points, bulge, labels = (
        canvas.points[(slice(None), *box)],
        canvas.bulge[box],
        canvas.labels[box],
    )
    lobes = Ellipsoid((0, -46, -33), (51, 36, 26)).distance(points)
    vermis = Ellipsoid((0, -44, -14), (14, 18, 14)).distance(points)
    cerebellum = np.minimum(smooth_union(lobes, vermis, 10) + 1.2 * bulge, cavity[box] - 2.5)
    midbrain = Capsule((0, -14, -12), (0, -14, -34), 13, 13).distance(points)
    medulla = Capsule((0, -18, -34), (0, -30, -130), 9, 6).distance(points)
    stem = smooth_union(midbrain, medulla, 6) + 0.9 * bulge
    folia = SmoothNoise(canvas.rng, (6, 2.4, 2.4), band=(0.7, 1.2)).distance_to_zero(axes)
    below = _fold(np.minimum(cerebellum, -stem - 1.5), folia, reach=12.0, half_width=0.3)
    labels[below > 0] = Tissue.CEREBELLUM_GREY
    labels[below > 1.5] = Tissue.CEREBELLUM_WHITE
    labels[(stem > 0) & (cavity[box] > 2)] = Tissue.BRAINSTEM
    canvas.mark("pons", Tissue.BRAINSTEM, (0, -13, -28))
    depth = np.full_like(cavity, -100)
    depth[box] = np.maximum(cerebellum, stem)
    return depth


def _paint_cerebrum(canvas: Canvas, cavity: np.ndarray, hind: np.ndarray) -> None:
    """Paint the folded cortex, the white matter, and falx and venous sinus between the halves."""
    rng, axes = canvas.rng, canvas.axes
    x, y, z = canvas.points
    rim = rng.uniform(1.5, 4.5) + 0.8 * canvas.bulge  # CSF around the brain, more with age
    base = np.clip((z + 25) / 40, 0.3, 1)  # the brain lies close to the skull base
    brain = np.minimum(cavity - np.maximum(rim * base, 1), -2 - hind)
    brain = np.minimum(brain, z + 46)  # none in the spinal canal

    middle = np.abs(x + SmoothNoise(rng, 24)(axes) * np.float32(0.8))
    callosum = 1 - np.hypot((y + 6) / 46, (z - 2) / 26)  # positive below the corpus callosum
    fissure = np.hypot(middle, np.maximum(callosum * 26, 0)) - rng.uniform(0.6, 1.6)
    depth = np.minimum(np.minimum(brain, fissure), _beside_insula(canvas.points))
    sheets = SmoothNoise(rng, rng.uniform(4.8, 5.8), band=(1.0, 1.9)).distance_to_zero(axes)
    reach = np.clip(12 + 4 * SmoothNoise(rng, 18)(axes), 5, 20)
    half_width = np.maximum(0.2 * rim + 0.2 * SmoothNoise(rng, 14)(axes), 0.35)
    below = _fold(depth, sheets, reach, half_width)
    canvas.labels[below > 0] = Tissue.GREY_MATTER
    canvas.labels[below > 2.7 + 0.35 * SmoothNoise(rng, 10)(axes)] = Tissue.WHITE_MATTER

    falx = (middle < 0.9) & (cavity > 0) & (cavity < 30) & (callosum < -0.15) & (brain > -8)
    canvas.labels[falx & (canvas.labels == Tissue.CSF)] = Tissue.DURA
    sinus = (middle < 5 - cavity) & (cavity > 0) & ((z > 15) | (y < -60))
    canvas.labels[sinus] = Tissue.VESSEL


def _beside_insula(points: np.ndarray) -> np.ndarray:
    """Distance to the Sylvian fissures and the sheets of CSF over the insulae, mm."""
    x, y, z = points
    sloping = np.stack([x, y, z + 0.5 * y])  # the fissure rises to the back
    depth = np.full_like(x, np.inf)
    for _, side in SIDES:
        insula = Ellipsoid((side * 43, 2, 2), (1.8, 22, 13)).distance(points)
        sylvian = Ellipsoid((side * 56, 0, 1), (18, 28, 1.5)).distance(sloping)
        depth = np.minimum(depth, -np.maximum(insula, sylvian))
    return depth


def _fold(
    depth: np.ndarray,
    sheets: np.ndarray,
    reach: np.ndarray | float,
    half_width: np.ndarray | float,
) -> np.ndarray:
    """Depth below a folded surface, whose sulci follow sheets down to a given depth.

    Args:
        depth: (I, J, K) depth below the unfolded surface, mm.
        sheets: (I, J, K) distance to the middle of the nearest sulcus, mm.
        reach: how deep the sulci go, mm.
        half_width: half the width of a sulcus, mm.

    Returns:
        (I, J, K), mm, positive inside.
    """
    sulcus = np.hypot(sheets, np.maximum(depth - reach, 0)) - half_width
    return np.minimum(depth, sulcus)


def _paint_deep_structures(canvas: Canvas) -> None:
    """Deep nuclei, ventricles, cisterns and small calcifications."""
    rng, paint = canvas.rng, canvas.paint
    inside = (*_CEREBRUM, Tissue.DURA)
    wide = float(rng.uniform(0.75, 1.6))  # ventricles differ more between people than brains
    quadrigeminal = Ellipsoid((0, -30, -1), (12, 6, 6))
    paint(Tissue.CSF, quadrigeminal, ripple=1, over=(*inside, Tissue.BRAINSTEM))
    paint(Tissue.CSF, Ellipsoid((0, 12, -14), (11, 8, 6)), ripple=2, over=inside)
    for name, side in SIDES:
        _paint_hemisphere(canvas, name, side, wide * float(rng.uniform(0.85, 1.15)))
    third = Ellipsoid((0, -6, 1), (1.2 + wide, 13, 9))
    paint(Tissue.VENTRICLE, third, over=(*inside, Tissue.THALAMUS, Tissue.BRAINSTEM))
    fourth = Ellipsoid((0, -31, -30), (6 + 2 * wide, 4 + wide, 9))
    hind = (Tissue.CEREBELLUM_GREY, Tissue.CEREBELLUM_WHITE, Tissue.BRAINSTEM, Tissue.CSF)
    paint(Tissue.VENTRICLE, fourth, ripple=0.5, over=hind)
    canvas.mark("fourth_ventricle", Tissue.VENTRICLE, (0, -31, -30))
    pineal = (float(rng.normal(0, 0.8)), -27.0, 3.0)
    paint(Tissue.CALCIFICATION, Ellipsoid(pineal, (2.8, 3, 2.8)))
    canvas.mark("pineal", Tissue.CALCIFICATION, pineal)


def _paint_hemisphere(canvas: Canvas, name: str, side: float, wide: float) -> None:
    """Deep nuclei and lateral ventricle of one side; ``wide`` scales the ventricle."""
    paint, deep = canvas.paint, (*_CEREBRUM, Tissue.DURA)
    putamen = (side * 26.0, 3.0, 3.0)
    paint(Tissue.PUTAMEN, Ellipsoid(putamen, (6, 17, 10)), ripple=0.7, over=deep)
    thalamus = (side * 11.0, -14.0, 6.0)
    paint(Tissue.THALAMUS, Ellipsoid(thalamus, (9, 15, 10)), ripple=0.5, over=deep)
    caudate = (side * 14.0, 19.0, 7.0)
    paint(Tissue.CAUDATE, Ellipsoid(caudate, (6, 9, 10)), ripple=0.4, over=deep)
    tail = Capsule((side * 14, 16, 15), (side * 21, -18, 21), 4.5, 2.5)
    paint(Tissue.CAUDATE, tail, over=deep)
    course = [  # frontal horn, body, atrium, occipital horn; then the temporal horn
        ((side * 11, 33, 8), (side * 7, 14, 14), 2.6, 3.6),
        ((side * 7, 14, 14), (side * 10, -14, 20), 3.6, 4.2),
        ((side * 10, -14, 20), (side * 24, -38, 9), 4.2, 5.6),
        ((side * 24, -38, 9), (side * 25, -62, 5), 5.2, 1.8),
        ((side * 24, -38, 9), (side * 31, -12, -17), 3.4, 1.8),
    ]
    over = (*deep, Tissue.CAUDATE, Tissue.THALAMUS)
    for start, end, *radii in course:
        horn = Capsule(start, end, *(radius * wide for radius in radii))
        paint(Tissue.VENTRICLE, horn, ripple=0.5, over=over)
    plexus = (side * 23.0, -37.0, 8.0)
    paint(Tissue.CALCIFICATION, Ellipsoid(plexus, (1.5, 2.6, 1.5)), over=(Tissue.VENTRICLE,))
    canvas.mark(f"{name}_putamen", Tissue.PUTAMEN, putamen)
    canvas.mark(f"{name}_thalamus", Tissue.THALAMUS, (side * 13.0, -14.0, 6.0))
    canvas.mark(f"{name}_caudate", Tissue.CAUDATE, (side * 15.0, 20.0, 6.0))
    canvas.mark(f"{name}_frontal_horn", Tissue.VENTRICLE, (side * 7.0, 14.0, 14.0))


def _paint_lesion(canvas: Canvas) -> None:
    """One lesion with oedema, in the white matter of a random side."""
    rng = canvas.rng
    side = rng.choice((-1.0, 1.0))
    centre = (side * rng.uniform(26, 40), rng.uniform(-55, 40), rng.uniform(26, 42))
    width, length, height = rng.uniform(6, 14) * rng.uniform(0.8, 1.2, 3)
    core = Ellipsoid(centre, (width, length, height))
    swelling = float(rng.uniform(0, 10))
    canvas.paint(Tissue.OEDEMA, core, grow=swelling, ripple=2, over=(Tissue.WHITE_MATTER,))
    canvas.paint(Tissue.LESION, core, ripple=1.2, over=(*_CEREBRUM, Tissue.OEDEMA))
    canvas.mark("lesion", Tissue.LESION, centre)
