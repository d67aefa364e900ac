"""M2FReg: ten complete deformation fields from two pathways over five scales (paper, 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bundle.networks.patch_embedding import SCALE_STRIDES
from bundle.networks.pathways import DownFusion, FieldHead, UpFusion
from bundle.networks.reg_block import RegBlk


class M2FReg(nn.Module):
    """Multi-modal and multi-scale deformation field registration network.

    One RegBlk per scale serves both pathways. Local-to-global gives flow_1 .. flow_n (finest to
    coarsest), global-to-local flow_{n+1} .. flow_{2n} (coarsest to finest), so flow_{2n+1-i}
    belongs to scale i. No field is composed from another.

    Args:
        channels: C_i per scale, finest first.
        directions: ``both``, ``forward`` (local-to-global only) or ``reverse``.
        pools: pooling of keys and values of each scale.
        radii: reach of the window of each scale, in tokens.
        dims: width of queries and keys of each scale.
        priors: starting width of the prior on the displacement, in tokens; all about 24 px of
            256.

    Raises:
        ValueError: ``directions`` is none of the three.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 80, 80, 80),
        directions: str = "both",
        pools: Sequence[int] = (2, 1, 1, 1, 1),
        radii: Sequence[int] = (4, 3, 2, 1, 1),
        dims: Sequence[int] = (16, 32, 32, 32, 32),
        priors: Sequence[float] = (3.0, 1.5, 0.75, 0.4, 0.4),
    ) -> None:
        super().__init__()
        if directions not in ("both", "forward", "reverse"):
            raise ValueError(
                f"directions must be 'both', 'forward' or 'reverse', got {directions!r}"
            )
        self.match = nn.ModuleList(
            RegBlk(width, dim, pool, radius, prior)
            for width, dim, pool, radius, prior in zip(
                channels, dims, pools, radii, priors, strict=False
            )
        )
        self.down = nn.ModuleList()  # finest first, the order of their work
        self.up = nn.ModuleList()  # coarsest first
        if directions != "reverse":
            for finer, width, stride in zip(
                [0, *channels[:-1]], channels, SCALE_STRIDES, strict=False
            ):
                self.down.append(DownFusion(finer, width, stride))
        if directions != "forward":
            upwards = list(channels)[::-1]
            for coarser, width in zip([0, *upwards[:-1]], upwards, strict=True):
                self.up.append(UpFusion(coarser, width))
        self.down_heads = nn.ModuleList(FieldHead(width) for width in channels[: len(self.down)])
        self.up_heads = nn.ModuleList(
            FieldHead(width) for width in list(channels)[::-1][: len(self.up)]
        )

    def forward(
        self, fixed: list[torch.Tensor], moving: list[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Predict all fields.

        Args:
            fixed: F_A per scale, finest first, (B, C_i, H_i, W_i).
            moving: F_B per scale, finest first, (B, C_i, H_i, W_i).

        Returns:
            flows in the paper's order (flow_1 ...), each (B, 2, H_i, W_i) in tokens of its
            scale, ij, pull-back; their confidence logits (B, 1, H_i, W_i) in the same order;
            the displacement that the window of each scale says (B, 2, H_i, W_i), in tokens; its
            logits, see :class:`RegBlk`.
        """
        matches: list[torch.Tensor] = []
        found: list[torch.Tensor] = []
        windows: list[torch.Tensor] = []
        for index, block in enumerate(self.match):
            features, displacement, window = block(fixed[index], moving[index])
            windows.append(window)
            matches.append(features)
            found.append(displacement)
        flows: list[torch.Tensor] = []
        logits: list[torch.Tensor] = []
        state: torch.Tensor | None = None
        # pairs of lists are of one length by construction; scripting knows no strict=True
        for index, (fusion, head) in enumerate(zip(self.down, self.down_heads)):  # noqa: B905
            state = fusion(state, matches[index])
            flow, logit = head(state, found[index])
            flows.append(flow)
            logits.append(logit)
        state = None
        for step, (fusion, head) in enumerate(zip(self.up, self.up_heads)):  # noqa: B905
            index = len(matches) - 1 - step
            state = fusion(state, matches[index])
            flow, logit = head(state, found[index])
            flows.append(flow)
            logits.append(logit)
        return flows, logits, found, windows
