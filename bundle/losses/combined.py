"""All losses of section 2.5 together, with every term for the log."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import warp_tokens
from bundle.losses.correspondence import CorrespondenceLoss
from bundle.losses.field import FieldLoss
from bundle.losses.fusion import FusionLoss
from bundle.losses.registration import registration_loss
from bundle.losses.smoothness import folding_loss


class BiMSRecLoss(nn.Module):
    """Weighted sum of field, registration, folding and fusion losses.

    A term of weight 0 is not computed. Fusion terms appear when the network returned ``fused``.

    Args:
        field: loss of every field (Eq. 4).
        fusion: loss of the fused picture.
        flows_weight: weight of the mean over the ten fields.
        ddf_weight: weight of the field handed out.
        matches_weight: weight of the displacement that each window says (auxiliary).
        rounds_weight: weight of the mean over the fields before each round of refinement.
        correspondence_weight: weight of the windows' cross-entropy (auxiliary).
        registration_weight: weight of the registration loss.
        folding_weight: weight of the folding penalty on the field handed out.
        fusion_weight: weight of the fusion loss.
    """

    def __init__(
        self,
        field: FieldLoss | None = None,
        fusion: FusionLoss | None = None,
        flows_weight: float = 1.0,
        ddf_weight: float = 1.0,
        matches_weight: float = 0.1,
        rounds_weight: float = 0.5,
        correspondence_weight: float = 1.0,
        registration_weight: float = 0.0,
        folding_weight: float = 1.0,
        fusion_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.field = field or FieldLoss()
        self.fusion = fusion or FusionLoss()
        self.correspondence = CorrespondenceLoss()
        self.weights = {
            "flows": flows_weight,
            "ddf": ddf_weight,
            "matches": matches_weight,
            "rounds": rounds_weight,
            "correspondence": correspondence_weight,
            "registration": registration_weight,
            "folding": folding_weight,
            "fusion": fusion_weight,
        }

    def forward(self, outputs: dict[str, Any], batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Compute.

        Args:
            outputs: the network's training outputs.
            batch: ``fixed`` (B, 1, H, W), ``aligned`` and ``deformed`` (B, 3, H, W; Y, Cb, Cr)
                in [0, 1], ``ddf`` (B, 2, H, W); ``modality``, B names, or their
                places ``modality_index`` (B,), where the fusion's shares differ.

        Returns:
            every weighted term and their sum as ``loss``, scalars.
        """
        truth, fixed = batch["ddf"], batch["fixed"]
        trained = outputs["ddf"].requires_grad
        terms: dict[str, torch.Tensor] = {}
        if trained:
            for name in ("flows", "ddf", "matches", "rounds"):
                if self.weights[name] > 0 and name in outputs:
                    fields = outputs[name] if outputs[name].ndim == 5 else outputs[name][:, None]
                    terms[name] = self.weights[name] * self.field(fields, truth, fixed)
            if self.weights["correspondence"] > 0:
                weight = self.field.pixel_weight(truth, fixed)
                height, width = outputs.get("padded", truth.shape[-2:])
                room = [0, width - truth.shape[-1], 0, height - truth.shape[-2]]
                padded = functional.pad(truth, room), functional.pad(weight, room)
                loss = self.correspondence(outputs["windows"], *padded)
                terms["correspondence"] = self.weights["correspondence"] * loss
            if self.weights["folding"] > 0:
                terms["folding"] = self.weights["folding"] * folding_loss(outputs["ddf"][:, None])
        if trained and self.weights["registration"] > 0:
            warped = warp_tokens(batch["deformed"], outputs["ddf"], padding_mode="zeros")
            loss = registration_loss(warped, batch["aligned"])
            terms["registration"] = self.weights["registration"] * loss
        if "fused" in outputs and self.weights["fusion"] > 0:
            aligned = batch["aligned"][:, :1]
            names = batch.get("modality", batch.get("modality_index", ()))
            parts = self.fusion(outputs["fused"], fixed, aligned, names)
            terms |= {name: self.weights["fusion"] * part for name, part in parts.items()}
        terms["loss"] = torch.stack(list(terms.values())).sum()
        return terms
