"""The 3D start: bring two volumes together in space before the network sees their slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError, Remark
from bundle.geometry.transform import as_transform
from bundle.registration.linear_motion import optimised_motion
from bundle.registration.searched_motion import searched_motion
from bundle.registration.start_candidates import (
    Candidate,
    angle,
    around,
    head_to_head,
    placements,
    points_of,
    rigid,
)
from bundle.registration.start_similarity import similarity
from bundle.registration.start_volume import StartVolume, start_volume

RIM = 9.0
"""Millimetres around the head that count: its outline is what tells most."""

GAIN, AWAY = 1.01, 0.005
"""A start has to raise the similarity by this factor, and by this share for every mm (mean in the
head) that it leaves the headers, else these are trusted: where they are wrong the similarity rises
far more, and in slabs of the neck by a tenth at any place."""

TURNED, TURN_GAIN = 60.0, 1.05
"""Degrees from which on the headers would be wrong, and the factor that this has to bring against
placements in their orientation."""

SEARCHED, FINISHED, PROMISING = 8, 2, 0.8
"""Candidates that are optimised on the coarsest voxels; at most how many of them are searched on
voxels of 3 mm, and the share of the best match that these have to reach. Placements less than
``APART`` from each other count as one."""

APART = 6.0
"""Mean distance in mm in the head from which on two placements are two."""

DOUBTFUL, ASIDE = 1.3, 30.0
"""A start matches hardly better than by chance if it does not beat the same one, this many mm aside
along each axis, by this factor."""

LEAST_STRETCH, MOST_STRETCH = 0.8, 1.25
"""Heads of two persons differ by less along any axis; beyond, a stretch follows what few slices
show."""

RIGID = Remark(
    "affine_dropped",
    "the affine start would stretch or squash the head by more than a fifth: the start is rigid",
)


@dataclass(frozen=True)
class Start:
    """Where the fixed volume's points lie in the moving volume.

    Attributes:
        matrix: (4, 4), millimetres, LPS, fixed to moving points (pull-back).
        source: from which candidate it was found.
        remarks: what a person should know about it.
    """

    matrix: np.ndarray
    source: str = "the headers"
    remarks: tuple[Remark, ...] = ()


def find_start(
    fixed: sitk.Image,
    moving: sitk.Image,
    init: str = "rigid",
    initial: np.ndarray | None = None,
    left_out: sitk.Image | None = None,
    whole: StartVolume | None = None,
) -> Start:
    """Find where the fixed volume's points lie in the moving volume.

    ``header`` (``none``) trusts the headers; ``center`` puts the volumes' middles and ``moments``
    the heads' middles onto each other; ``rigid`` and ``affine`` optimise the best of many
    placements (:mod:`bundle.registration.start_candidates`), by mutual information in and around
    the fixed head, from coarse to fine: background, of which a larger field of view has more, does
    not count. A result that does not match better than the headers is dropped. The same volumes
    give the same start, whatever the order in which their axes are stored.

    Args:
        fixed: the reference volume.
        moving: the volume to register.
        init: rigid, header, center, moments, none or affine.
        initial: (4, 4), millimetres, LPS, fixed to moving points, instead of the headers.
        left_out: uint8 on the fixed grid, not 0 where voxels do not count.
        whole: :func:`start_volume` of the fixed volume, where it is known.

    Raises:
        InputError: the headers or ``initial`` are trusted and leave no overlap, or ``initial``
            stands beside an ``init`` that leaves it no room.
    """
    if init in ("center", "moments"):
        if initial is not None:
            raise InputError(f"init {init} takes no initial transform; give init rigid or header")
        place = _middles if init == "center" else _moments
        return Start(place(fixed, moving), f"init {init}")
    reference = Candidate("the headers", np.eye(4))
    if initial is not None:
        reference = Candidate("the initial transform", np.asarray(initial, np.float64))
    shared = overlap(fixed, moving, reference.matrix) > 0
    if not shared and initial is not None:
        raise InputError(
            "does not overlap the fixed volume by the initial transform; check that it goes from "
            "fixed to moving points, in mm, LPS"
        )
    if not shared and init in ("none", "header"):
        raise InputError(
            "the volumes do not overlap in scanner coordinates; correct a header, or let the start "
            "be found with init rigid"
        )
    if init in ("none", "header"):
        return Start(reference.matrix, reference.name)
    whole = whole or start_volume(fixed)
    return _search((fixed, moving), whole, init, reference, shared, left_out)


def overlap(
    fixed: sitk.Image,
    moving: sitk.Image,
    start: np.ndarray | None = None,
    head: sitk.Image | None = None,
) -> float:
    """Share of the fixed volume's voxels that lie inside the moving volume.

    Args:
        fixed: the reference volume.
        moving: the volume to register.
        start: (4, 4), millimetres, LPS, fixed to moving points; by default the headers count.
        head: on the fixed grid; where it is not 0 voxels count, by default all.
    """
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    transform = sitk.Transform() if start is None else as_transform(start)
    inside = sitk.Resample(ones, fixed, transform, sitk.sitkNearestNeighbor, 0)
    covered = sitk.GetArrayViewFromImage(inside)
    if head is not None:
        covered = covered[sitk.GetArrayViewFromImage(head) > 0]
    return float(covered.mean())


def _middles(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """The middles of the volumes onto each other."""
    middles = [
        one.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in one.GetSize()])
        for one in (fixed, moving)
    ]
    return rigid(np.eye(3), np.subtract(middles[1], middles[0]))


def _moments(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """The middles of the heads onto each other."""
    points = [points_of(start_volume(one).head) for one in (fixed, moving)]
    return head_to_head(*points)


def _search(
    volumes: tuple[sitk.Image, sitk.Image],
    whole: StartVolume,
    init: str,
    reference: Candidate,
    shared: bool,
    left_out: sitk.Image | None,
) -> Start:
    """The best of many placements; the reference if none is clearly better."""
    other = start_volume(volumes[1])
    points = [points_of(one.coarsest().head) for one in (whole, other)]
    near = whole.around(RIM)
    near = near if left_out is None else near.without(left_out)
    coarse = near.coarsest(), other.coarsest()
    begins = [Candidate("the middles of the volumes", _middles(*volumes))]
    if shared:
        begins = [reference, _best_match(coarse, around(reference, points[0])), *begins]
    kept = len(begins)
    begins += placements(*points)
    begins = _best(coarse, begins, points[0], SEARCHED, keep=kept)
    begins = [_best_match(coarse, (one, optimised_motion(*coarse, one))) for one in begins]
    begins = _upright_first(coarse, begins, reference)
    begins = _best(coarse, begins, points[0], FINISHED, keep=1, least=PROMISING)
    found = [searched_motion(near, other, one) for one in begins]
    best = max(found, key=lambda one: _matched(near, other, one, reference))
    best, remarks = _stretched(near, other, best) if init == "affine" else (best, ())
    if shared and not _trusted(near, other, best, reference):
        best, remarks = reference, ()
    return Start(best.matrix, best.name, (*remarks, *_remarks(coarse, best, reference, shared)))


def _trusted(fixed: StartVolume, moving: StartVolume, one: Candidate, reference: Candidate) -> bool:
    """Whether a placement matches so much better than the headers that it counts."""
    away = _apart(one, reference, points_of(fixed.head))
    before, after = (similarity(fixed, moving, two.matrix) for two in (reference, one))
    return after >= max(GAIN, 1 + AWAY * away) * before


def _best_match(
    volumes: tuple[StartVolume, StartVolume], candidates: Iterable[Candidate]
) -> Candidate:
    """The one of the highest similarity; gradients raise another measure, of the shared part."""
    return max(candidates, key=lambda one: similarity(*volumes, one.matrix))


def _stretched(
    fixed: StartVolume, moving: StartVolume, one: Candidate
) -> tuple[Candidate, tuple[Remark, ...]]:
    """The affine placement from a rigid one; this itself if no person is stretched so far."""
    found = searched_motion(fixed, moving, one, affine=True)
    change = found.matrix[:3, :3] @ np.linalg.inv(one.matrix[:3, :3])
    stretches = np.linalg.svd(change, compute_uv=False)
    if stretches.min() >= LEAST_STRETCH and stretches.max() <= MOST_STRETCH:
        return found, ()
    return one, (RIGID,)


def _remarks(
    volumes: tuple[StartVolume, StartVolume], best: Candidate, reference: Candidate, shared: bool
) -> Iterator[Remark]:
    """What a person should look at."""
    if not shared:
        yield Remark(
            "no_common_space",
            "the volumes do not overlap in scanner coordinates: the start was found without the "
            f"headers, from {best.name}",
        )
    turn = angle(best.matrix, reference.matrix)
    if turn > TURNED:
        yield Remark(
            "start_turned",
            f"the start turns the moving volume by {turn:.0f} degrees against {reference.name}: "
            "check left and right",
        )
    aside = [rigid(np.eye(3), ASIDE * step) for step in (*np.eye(3), *-np.eye(3))]
    chance = max(similarity(*volumes, best.matrix @ one) for one in aside)
    if similarity(*volumes, best.matrix) < DOUBTFUL * chance:
        yield Remark(
            "start_doubtful",
            "the start fits hardly better than a random one: check that the volumes show the "
            "same head",
        )


def _matched(
    fixed: StartVolume, moving: StartVolume, one: Candidate, reference: Candidate
) -> float:
    """The similarity; that of a placement against the headers' orientation counts less."""
    against = angle(one.matrix, reference.matrix) > TURNED
    return similarity(fixed, moving, one.matrix) / (TURN_GAIN if against else 1.0)


def _upright_first(
    volumes: tuple[StartVolume, StartVolume], candidates: Sequence[Candidate], reference: Candidate
) -> list[Candidate]:
    """The best one in the headers' orientation before all others: coarse voxels of a slab can match
    better the wrong way round."""
    upright = [one for one in candidates if angle(one.matrix, reference.matrix) <= TURNED]
    first = max(upright, key=lambda one: similarity(*volumes, one.matrix), default=None)
    others = [one for one in candidates if one is not first]
    return others if first is None else [first, *others]


def _best(
    volumes: tuple[StartVolume, StartVolume],
    candidates: Sequence[Candidate],
    points: np.ndarray,
    count: int,
    keep: int = 0,
    least: float = 0.0,
) -> list[Candidate]:
    """The first ones that are to be kept, and those that match best and differ.

    Of the others only those count that reach a share of the best match.
    """
    scores = np.array([similarity(*volumes, one.matrix) for one in candidates])
    order = sorted(range(len(candidates)), key=lambda n: (n >= keep, -scores[n]))
    chosen: list[Candidate] = []
    for one in (candidates[n] for n in order if n < keep or scores[n] >= least * scores.max()):
        if len(chosen) < count and all(_apart(one, two, points) > APART for two in chosen):
            chosen.append(one)
    return chosen


def _apart(first: Candidate, second: Candidate, points: np.ndarray) -> float:
    """Mean distance of two placements in a head, mm."""
    difference = first.matrix - second.matrix
    return float(np.linalg.norm(points @ difference[:3, :3].T + difference[:3, 3], axis=1).mean())
