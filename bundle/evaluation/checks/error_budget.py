"""What the remaining error is made of: what a pair brings along, and what is not found."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.data import Subset
from tqdm import tqdm

from bundle.domain import REFERENCE_SIZE
from bundle.geometry.picture_head import head_mask

COLUMNS = ("before", "before_affine", "before_elastic", "error", "own", "affine", "elastic")


def error_budget(errors: torch.Tensor, truths: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Split the errors of one pair under several deformations.

    What is the same whatever the deformation is the pair's own: its two pictures were not
    aligned exactly, or the network takes the anatomy for a displacement. What changes with the
    deformation was not found; an affine map is fitted to it and to the true fields, and the rest
    is elastic.

    Args:
        errors: predicted minus true fields, (D, 2, H, W), voxels, ij; D deformations, at least 2.
        truths: true fields, as ``errors``.
        mask: (H, W), bool, where to look.

    Returns:
        mean squares (7,) in the order of :data:`COLUMNS`, unbiased in D, so that
        error = own + affine + elastic.
    """
    errors, truths = errors[..., mask].double(), truths[..., mask].double()
    places = torch.nonzero(mask).double()
    places = torch.cat([places - places.mean(dim=0), torch.ones_like(places[:, :1])], dim=1)
    basis = torch.linalg.qr(places)[0]  # of the affine fields, (pixels, 3)
    count = len(errors)
    changing = errors - errors.mean(dim=0)
    parts = [truths, _affine(truths, basis), truths - _affine(truths, basis)]
    squares = [_mean_square(part) for part in parts]
    affine = _affine(changing, basis)
    unbiased = count / (count - 1)
    found = [unbiased * _mean_square(part) for part in (affine, changing - affine)]
    error = _mean_square(errors)
    own = error - found[0] - found[1]
    return torch.stack([*squares, error, own, *found])


def modality_budgets(
    data: Subset, deformations: int, infer: Callable[[torch.Tensor], torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Root mean squares of :func:`error_budget` over all pairs of each modality.

    Args:
        data: of one level, from :func:`bundle.evaluation.baselines.compare.evaluation_data`.
        deformations: of each pair, at least 2.
        infer: takes (1, 2, H, W) in [0, 1], gives (1, 3, H, W): fused, ddf_i, ddf_j.

    Returns:
        modality to (7,) in px of 256, in the order of :data:`COLUMNS`; NaN for an ``own`` part
        that is too small to be told from none.
    """
    budgets: dict[str, list[torch.Tensor]] = {}
    for index in tqdm(range(len(data)), desc="pairs"):
        errors, truths = [], []
        for epoch in range(deformations):
            data.dataset.set_epoch(epoch)  # type: ignore[attr-defined]
            item = data[index]
            with torch.no_grad():
                errors.append(infer(item["image"][None])[0, 1:] - item["ddf"])
            truths.append(item["ddf"])
        mask = head_mask(255 * item["fixed"][None])[0]
        ratio = REFERENCE_SIZE / max(mask.shape)
        budget = error_budget(torch.stack(errors) * ratio, torch.stack(truths) * ratio, mask)
        budgets.setdefault(item["modality"], []).append(budget)
    return {name: torch.stack(found).mean(dim=0).sqrt() for name, found in budgets.items()}


def _affine(fields: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """The affine fields closest to (D, 2, pixels)."""
    return (fields @ basis) @ basis.T


def _mean_square(fields: torch.Tensor) -> torch.Tensor:
    """Mean squared length of (D, 2, pixels)."""
    return fields.square().sum(dim=1).mean()
