"""All measures of one pair: the one path that training, validation and evaluation share."""

from __future__ import annotations

import torch

from bundle.metrics.displacement import displacement
from bundle.metrics.distortion_channel import distortion_channels
from bundle.metrics.endpoint_error import endpoint_error
from bundle.metrics.folding import folding
from bundle.metrics.gradient_transfer import gradient_transfer
from bundle.metrics.images import as_double
from bundle.metrics.intensity import intensity
from bundle.metrics.mef_ssim import mef_ssim
from bundle.metrics.residual_displacement import residual_displacement
from bundle.metrics.standard_deviation import standard_deviation
from bundle.metrics.structural_similarity import ssim, structural_similarity
from bundle.metrics.viff import viff_of_channels
from bundle.metrics.visual_information import vif_of_channels


def fusion_measures(
    fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
) -> dict[str, float]:
    """SD, Q, VIF, SSIM (mean and per source: ``_A`` fixed, ``_B`` aligned), VIFF and MEF_SSIM.

    Args:
        fused: (1, 1, H, W), luma 0 to 255 of the written 8-bit picture.
        fixed: as ``fused``.
        aligned: the aligned moving image (never a method's own ``warped``), as ``fused``.

    Returns:
        column name to value.

    Raises:
        ValueError: shapes differ, the batch is not 1, or H or W is below 44.
    """
    fused, fixed, aligned = as_double(fused=fused, fixed=fixed, aligned=aligned)
    # VIF and VIFF rest on the same, costly, local model.
    channels = distortion_channels(fused, torch.cat([fixed, aligned], dim=1))
    return _floats(
        standard_deviation(fused)
        | gradient_transfer(fused, fixed, aligned)
        | vif_of_channels(channels)
        | structural_similarity(fused, fixed, aligned)
        | viff_of_channels(channels)
        | mef_ssim(fused, fixed, aligned)
    )


def registration_measures(
    *,
    fixed: torch.Tensor,
    aligned: torch.Tensor,
    warped: torch.Tensor,
    ddf: torch.Tensor,
    flows: torch.Tensor | None = None,
    true_ddf: torch.Tensor | None = None,
) -> dict[str, float]:
    """EPE of the field handed out and of each flow, RES, MAE, NCC, SSIM, folding, displacement.

    Fields: channel 0 along rows, channel 1 along columns, voxels, pull-back
    (``warped(x) = moving(x + ddf(x))``).

    Args:
        fixed: (1, 1, H, W), luma 0 to 255.
        aligned: the aligned moving image, as ``fixed``.
        warped: the method's warped moving image, as ``fixed``.
        ddf: the field handed out, (1, 2, H, W).
        flows: the network's fields flow_1 to flow_N, (1, N, 2, H, W); None leaves their columns
            out.
        true_ddf: (1, 2, H, W); None (unknown) leaves all EPE columns out.

    Returns:
        column name to value: ``EPE``, ``EPE95``, ``RES``, ``MAE``, ``NCC``, ``SSIM_warped``,
        ``folding``, ``min_jacobian``, ``displacement``, ``EPE_flow1`` ..., ``EPE95_flow1`` ...

    Raises:
        ValueError: the shapes do not belong together or the batch is not 1.
    """
    values: dict[str, torch.Tensor] = {}
    of_flows: dict[str, torch.Tensor] = {}
    if true_ddf is not None:
        fields = ddf[:, None] if flows is None else torch.cat([ddf[:, None], flows], dim=1)
        for name, error in zip(
            ("EPE", "EPE95"), endpoint_error(fields, true_ddf, fixed), strict=True
        ):
            values[name] = error[:, 0]
            of_flows |= {f"{name}_flow{k}": error[:, k] for k in range(1, fields.shape[1])}
    values |= residual_displacement(warped, aligned) | intensity(warped, aligned)
    values["SSIM_warped"] = ssim(warped, aligned)
    values |= folding(ddf) | displacement(ddf, fixed)
    return _floats(values | of_flows)


def _floats(values: dict[str, torch.Tensor]) -> dict[str, float]:
    """Unpack tensors (1,)."""
    batch = {len(value) for value in values.values()}
    if batch != {1}:
        raise ValueError(f"the suite measures one pair at a time, got a batch of {max(batch)}")
    return {name: value.item() for name, value in values.items()}
