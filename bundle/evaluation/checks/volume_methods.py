"""The registrations that are compared on volumes, each from the same rigid start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.evaluation.baselines.ants import require_ants, syn_volumes
from bundle.evaluation.baselines.convex_adam import (
    SETTINGS,
    convex_adam_volumes,
)
from bundle.evaluation.checks.inverted import inverted_share
from bundle.geometry.region import widened
from bundle.geometry.slices import from_slices
from bundle.geometry.transform import as_transform, compose, field_transform, onto
from bundle.images.pair import VolumePair, read_pair
from bundle.options import Options
from bundle.registration import InitializedPair, VolumeRegistration, initialize, register
from bundle.registration.bspline import spline_field
from bundle.registration.coarse import coarse_of
from bundle.registration.one_thread import one_thread
from bundle.registration.rigid import RIM
from bundle.registration.three_planes import three_plane_field


@dataclass(frozen=True)
class Seconds:
    """What a step took.

    Attributes:
        elapsed: on the clock.
        processor: of all threads together: on one thread what is elapsed on an idle machine.
    """

    elapsed: float = 0.0
    processor: float = 0.0

    @classmethod
    def now(cls) -> Seconds:
        """The clocks as they stand."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, began: Seconds) -> Seconds:
        """From then to now."""
        return Seconds(self.elapsed - began.elapsed, self.processor - began.processor)

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.elapsed + other.elapsed, self.processor + other.processor)


@dataclass(frozen=True)
class Task:
    """Two misaligned volumes that are to be registered.

    Attributes:
        fixed: reference volume.
        moving: misaligned volume.
        options: of the product; a method changes those that make it what it is.
        network: see :func:`bundle.networks.load_network`.
    """

    fixed: sitk.Image
    moving: sitk.Image
    options: Options
    network: Any

    def read(self, options: Options | None = None) -> VolumePair:
        """The pair as the product reads it."""
        pair = read_pair(self.fixed, self.moving, options or self.options)
        assert isinstance(pair, VolumePair)
        return pair

    @cached_property
    def started(self) -> tuple[InitializedPair, Seconds]:
        """The pair after its start, and what that took."""
        began = Seconds.now()
        initial = initialize(self.read(), self.options)
        assert isinstance(initial, InitializedPair)
        return initial, Seconds.now().since(began)

    @property
    def start(self) -> sitk.Transform:
        """The rigid start, fixed to moving points, mm, LPS."""
        return as_transform(self.started[0].start)


@dataclass(frozen=True)
class Found:
    """What a method finds.

    Attributes:
        transform: fixed to moving points, mm, LPS.
        seconds: reading and start included.
        kept: of the product whether its guard kept the field; None where there is no guard.
        uncertainty: mm, on the fixed grid, if the method tells it.
        inverted: of the product, see :func:`bundle.evaluation.checks.inverted.inverted_share`.
    """

    transform: sitk.Transform
    seconds: Seconds
    kept: bool | None = None
    uncertainty: sitk.Image | None = None
    inverted: float | None = None


def headers(task: Task) -> Found:
    """No registration."""
    return Found(sitk.Transform(3, sitk.sitkIdentity), Seconds())


def start(task: Task) -> Found:
    """The product's rigid start alone."""
    return Found(task.start, task.started[1])


def product(task: Task, **options: Any) -> Found:
    """The product as users call it.

    Args:
        task: the pair.
        **options: that differ from the task's.
    """
    chosen = task.options.model_copy(update=options)
    began = Seconds.now()
    found = register(task.read(chosen), task.network, chosen)
    seconds = Seconds.now().since(began)
    assert isinstance(found, VolumeRegistration)
    kept, uncertainty = found.elastic is not None, found.uncertainty
    return Found(found.transform, seconds, kept, uncertainty, inverted_share(found))


def three_planes(task: Task) -> Found:
    """The field of three planes, without a guard."""
    initial, seconds = task.started
    began = Seconds.now()
    with torch.no_grad():
        found = three_plane_field(coarse_of(initial), task.network)
    uncertainty = onto(found.spread, task.fixed) if found.spread else None
    seconds += Seconds.now().since(began)
    return Found(compose(initial.start, found.field), seconds, uncertainty=uncertainty)


def ants(task: Task) -> Found:
    """ANTs SyN in and around the head."""
    return _baseline(
        task, lambda fixed, moving, head: syn_volumes(fixed, moving, widened(head, RIM))
    )


def bspline(task: Task) -> Found:
    """SimpleITK's B-spline in and around the head, without the guard that the product has."""
    still = sitk.Transform(3, sitk.sitkIdentity)

    def found(fixed: sitk.Image, moving: sitk.Image, head: sitk.Image) -> sitk.Transform:
        with one_thread():
            return field_transform(spline_field(fixed, moving, head, still))

    return _baseline(task, found)


def convex_adam(task: Task, setting: str) -> Found:
    """ConvexAdam with a setting of its authors."""
    return _baseline(task, lambda fixed, moving, _: convex_adam_volumes(fixed, moving, setting))


def _baseline(
    task: Task, method: Callable[[sitk.Image, sitk.Image, sitk.Image], sitk.Transform]
) -> Found:
    """Let a method go on from the start, on the volumes that the product's networks see.

    Args:
        task: the pair.
        method: of fixed and moving volume as displayed, of 2 mm, and the head's mask.
    """
    initial, seconds = task.started
    began = Seconds.now()
    coarse = coarse_of(initial)
    fixed, moving = (from_slices(part[None], coarse.grid) for part in coarse.image)
    head = sitk.Cast(from_slices(coarse.head.float(), coarse.grid) > 0.5, sitk.sitkUInt8)
    transform = sitk.CompositeTransform([task.start, method(fixed, moving, head)])
    return Found(transform, seconds + Seconds.now().since(began))


METHODS: dict[str, Callable[[Task], Found]] = {
    "headers": headers,
    "start": start,
    "axial": partial(product, plane="axial"),
    "coronal": partial(product, plane="coronal"),
    "sagittal": partial(product, plane="sagittal"),
    "three_planes": three_planes,
    "shipped": product,
    "refined": partial(product, refine="bspline"),
    **{f"convexadam_{setting}": partial(convex_adam, setting=setting) for setting in SETTINGS},
    "ants": ants,
    "bspline": bspline,
}
"""By name; those of one plane and ``refined`` are options of the product."""


def chosen_methods(names: Sequence[str]) -> list[str]:
    """Names of :data:`METHODS` in their order; ``convexadam`` stands for all its settings.

    Raises:
        InputError: there is no such method, or its package is not installed.
    """
    for name in names:
        if name not in METHODS and name != "convexadam":
            raise InputError(f"{name}: not a method; there are {', '.join(METHODS)}, convexadam")
    chosen = [m for m in METHODS if m in names or m.split("_")[0] in names]
    if "ants" in chosen:
        require_ants()
    return chosen
