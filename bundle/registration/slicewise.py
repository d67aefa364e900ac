"""Apply the network to images of any size."""

from __future__ import annotations

from typing import Any, cast

import torch
from monai.inferers import Inferer, SliceInferer
from torch.nn import functional

from bundle.geometry.fields import warp
from bundle.registration.consistency import smooth_through_plane
from bundle.geometry.frame import Box, cut, head_frame, put_back
from bundle.registration.similarity import mutual_information

SHORTEST = 32
"""The fewest pixels per side that the network takes."""

LONGEST = 2048
"""The most pixels per side: twice as many would need about 26 GB of memory."""


class ScaledInferer(Inferer):
    """Register at the scale the network was trained at, fuse at full size.

    Displacements and anatomy have a size in pixels that the network has learnt. Images whose
    longest side lies outside ``keep`` are therefore resized to ``working_size`` for the
    registration, the field is brought back, and the fusion takes place on the image as it is.
    A volume is registered slice by slice along its last axis, in a frame around the head if that
    is known; then the fields of neighbouring slices are brought into agreement, and a field that
    lowers the mutual information in the head is dropped (the start is the result then).

    Args:
        working_size: longest side, in pixels, at which other images are registered.
        keep: shortest and longest longest side, in pixels, that is registered as it is.
        slices: how many slices of a volume are processed at a time.
        through_plane: width in mm of the smoothing across slices, 0 = none; in slices of 3 mm
            where no spacing is known.
        guard: whether a volume's field that lowers the mutual information is dropped.
    """

    def __init__(
        self,
        working_size: int = 256,
        keep: tuple[int, int] = (160, 384),
        slices: int = 4,
        through_plane: float = 4.5,
        guard: bool = True,
    ) -> None:
        super().__init__()
        self.working_size = working_size
        self.keep = keep
        self.slices = slices
        self.through_plane = through_plane
        self.guard = guard

    def __call__(  # type: ignore[override]
        self,
        inputs: torch.Tensor,
        network: torch.nn.Module,
        *args: Any,
        head: torch.Tensor | None = None,
        spacing: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Register and fuse.

        Args:
            inputs: (B, 2, H, W) or (B, 2, H, W, D) in [0, 1]: channel 0 fixed, channel 1 moving
                luminance.
            network: takes (B, 2, H, W), gives (B, 3, H, W), and has the methods ``register``
                (image -> ddf) and ``fuse`` (image, ddf -> fused).
                A network with the method ``all_fields`` yields the uncertainty as well.
            *args: not used.
            head: (1, 1, H, W, D), not 0 in a volume's head: what counts.
            spacing: (1, 3), millimetres per row, column and slice of a volume.
            **kwargs: not used.

        Returns:
            (B, 3, H, W[, D]): fused in [0, 1], then the ddf in voxels of the input, pull-back,
            rows before columns. For volumes a fourth channel, if the network has
            ``all_fields``: the spread of its fields in millimetres (voxels without spacing).
        """
        if inputs.ndim == 4:
            return self._plane(inputs, network)
        steps = [1.0, 1.0, 3.0] if spacing is None else spacing.flatten().tolist()
        return self._volume(inputs, network, head, steps)

    def _volume(
        self, inputs: torch.Tensor, network: Any, head: torch.Tensor | None, spacing: list[float]
    ) -> torch.Tensor:
        box = None
        if head is not None and (head > 0).any():
            box = head_frame(head[0, 0] > 0, spacing[:2])
        fields = self._by_slices(inputs, lambda part: self._fields(part, network, box))
        shown = inputs[:, :1] if head is None else head.to(inputs)
        fields = smooth_through_plane(fields, shown, self.through_plane / spacing[2])
        ddf = fields[:, :2]
        if self.guard and not raises_information(inputs, ddf, head):
            ddf = torch.zeros_like(ddf)
        both = torch.cat([inputs, ddf], dim=1)
        fused = self._by_slices(both, lambda part: network.fuse(part[:, :2], part[:, 2:]))
        spread = fields[:, 2:]
        if spread.shape[1]:
            steps = spread.new_tensor(spacing[:2]).view(1, 2, 1, 1, 1)
            spread = (spread * steps).norm(dim=1, keepdim=True)
        return torch.cat([fused, ddf, spread], dim=1)

    def _fields(self, image: torch.Tensor, network: Any, box: Box | None) -> torch.Tensor:
        """ddf and, if the network tells it, its spread per axis: (B, 2 or 4, H, W), voxels."""
        if box is None:
            part, size = image, self.registration_size(*image.shape[-2:])
        else:  # of a known size in millimetres, so always the same in pixels
            part, size = cut(image, box), (self.working_size, self.working_size)
        small = part if size == tuple(part.shape[-2:]) else _resize(part, size)
        found = [resize_field(field, part.shape[-2:]) for field in _with_spread(small, network)]
        fields = torch.cat(found, dim=1)
        return fields if box is None else put_back(fields, box, image.shape[-2:])

    def _by_slices(self, inputs: torch.Tensor, function: Any) -> torch.Tensor:
        per_slice = SliceInferer(
            roi_size=inputs.shape[2:4], sw_batch_size=self.slices, spatial_dim=2
        )
        return cast(torch.Tensor, per_slice(inputs, function))

    def _plane(self, image: torch.Tensor, network: Any) -> torch.Tensor:
        size = self.registration_size(image.shape[-2], image.shape[-1])
        if size == tuple(image.shape[-2:]):
            return network(image)
        ddf = resize_field(network.register(_resize(image, size)), image.shape[-2:])
        return torch.cat([network.fuse(image, ddf), ddf], dim=1)

    def registration_size(self, height: int, width: int) -> tuple[int, int]:
        """Choose the size at which an image is registered.

        Args:
            height: rows of the image.
            width: columns of the image.

        Returns:
            (rows, columns), in the image's proportions up to rounding; no side gets below 32.
        """
        longest = max(height, width)
        if self.keep[0] <= longest <= self.keep[1]:
            return height, width
        scale = max(self.working_size / longest, SHORTEST / min(height, width))
        if longest > self.keep[1]:
            scale = min(scale, 1.0)
        return round(height * scale), round(width * scale)


def _with_spread(image: torch.Tensor, network: Any) -> list[torch.Tensor]:
    """The ddf, and the standard deviation of the network's fields per axis if it tells them."""
    if not hasattr(network, "all_fields"):
        return [network.register(image)]
    outputs = network.all_fields(image)
    return [outputs["ddf"], outputs["flows"].std(dim=1, correction=0)]


def raises_information(
    inputs: torch.Tensor, ddf: torch.Tensor, head: torch.Tensor | None = None
) -> bool:
    """Whether a field raises the mutual information of fixed and moving image.

    Args:
        inputs: (1, 2, H, W, D) in [0, 1].
        ddf: (1, 2, H, W, D), voxels, in-plane, pull-back.
        head: (1, 1, H, W, D), not 0 where voxels count; by default all count.
    """
    where = None if head is None else head[0, 0].cpu().numpy() > 0
    fixed, moving = (inputs[0, k].cpu() for k in (0, 1))
    warped = torch.empty_like(moving)
    for k in range(moving.shape[-1]):  # one by one: a volume in float64 may not fit
        warped[..., k] = warp(moving[None, None, ..., k], ddf[:, ..., k].cpu())[0, 0]
    after = mutual_information(fixed.numpy(), warped.numpy(), where)
    return after >= mutual_information(fixed.numpy(), moving.numpy(), where)


def resize_field(ddf: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Bring a field to another resolution of the same image.

    Args:
        ddf: (B, 2, H, W), in voxels of its own grid, channel 0 = row i, channel 1 = column j.
        size: (H', W').

    Returns:
        (B, 2, H', W'), in voxels of the new grid.
    """
    if tuple(size) == tuple(ddf.shape[-2:]):
        return ddf
    ratios = [new / old for new, old in zip(size, ddf.shape[-2:], strict=True)]
    return _resize(ddf, size, "bicubic") * ddf.new_tensor(ratios).view(1, 2, 1, 1)


def _resize(image: torch.Tensor, size: tuple[int, ...], mode: str = "bilinear") -> torch.Tensor:
    """Resize with pixel edges, not centres, as the common frame; low-pass when shrinking."""
    return functional.interpolate(
        image, tuple(size), mode=mode, align_corners=False, antialias=True
    )
