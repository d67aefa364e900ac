"""The optional last step of volumes, as a dictionary transform."""

from __future__ import annotations

import time
from typing import Any

import torch
from monai.inferers import SliceInferer
from monai.networks.utils import eval_mode
from monai.transforms import Transform

from bundle.errors import InputError
from bundle.registration.bspline import MESH, REFINES, refine


class RefineFieldd(Transform):
    """Let a B-spline in 3D go on from the network's field, where it is better; fuse anew.

    Pictures, and volumes with the method ``none``, pass through. Otherwise adds ``refinement``
    for the report: ``method``, ``mesh_mm``, ``kept``, ``reason`` if not, ``mutual_information``
    in the head, ``folding``, ``seconds``. If the step is kept, also ``spline`` and ``refined``,
    (3, H, W, D) in voxels and (H, W, D) (see :class:`bundle.registration.bspline.Refinement`), and
    ``pred`` holds the fusion of the refined moving volume; its ddf stays the network's.

    Args:
        method: none or bspline.
        network: its method ``fuse`` takes (B, 2, H, W) and a ddf (B, 2, H, W).
        slices: how many slices are fused at a time.

    Raises:
        InputError: there is no such method.
    """

    def __init__(self, method: str = "none", network: Any = None, slices: int = 4) -> None:
        if method not in REFINES:
            raise InputError(f"refine: {method!r} is none of {', '.join(REFINES)}")
        self.method = method
        self.network = network
        self.slices = slices

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Refine one record."""
        pred = data["pred"]
        if self.method == "none" or pred.ndim != 4 or not torch.isfinite(pred).all():
            return data
        began = time.perf_counter()
        image, spacing = data["image"], data["spacing"].flatten().tolist()
        fixed, moving = image.cpu()
        found = refine(fixed, moving, data["head"][0].cpu() > 0, pred[1:3].cpu(), spacing)
        report = {
            "method": self.method,
            "mesh_mm": MESH,
            "kept": found.kept,
            **({} if found.kept else {"reason": found.reason}),
            "mutual_information": dict(
                zip(("before", "after"), [round(v, 6) for v in found.information], strict=True)
            ),
            "folding": round(found.folding, 6),
            "seconds": round(time.perf_counter() - began, 1),
        }
        data = {**data, "refinement": report}
        if not found.kept:
            return data
        fused = self._fused(torch.stack([image[0], found.warped.to(image)]))
        parts = {"spline": found.spline, "refined": found.warped}
        return {**data, **parts, "pred": torch.cat([fused.to(pred), pred[1:]])}

    def _fused(self, image: torch.Tensor) -> torch.Tensor:
        """Fuse slices that are registered already: (2, H, W, D) to (1, H, W, D)."""
        by_slice = SliceInferer(roi_size=image.shape[1:3], sw_batch_size=self.slices, spatial_dim=2)
        with eval_mode(self.network):
            fused = by_slice(
                image[None], lambda part: self.network.fuse(part, torch.zeros_like(part))
            )
        return torch.as_tensor(fused)[0]
