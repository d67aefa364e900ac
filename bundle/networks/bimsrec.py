"""BiMSRec: registration by M2FReg, reconstruction by PFRecon, as one network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, List, NamedTuple  # noqa: UP035 (scripting reads the types of a NamedTuple)

import torch
from torch import nn
from torch.nn import functional

from bundle.geometry.warp import warp_tokens
from bundle.networks.blend import blend, local_statistics
from bundle.networks.feature_extraction import FeatureExtraction
from bundle.networks.field_outputs import field_outputs, full_size, in_tokens
from bundle.networks.layers import pad_to_multiple, resize_as, use_channels_last
from bundle.networks.m2freg import M2FReg
from bundle.networks.patch_embedding import COARSEST_STRIDE, MultiScalePatchEmbedding
from bundle.networks.pfrecon import PFRecon
from bundle.networks.refinement import Refinement
from bundle.networks.spline import spline_upsample
from bundle.networks.unfolding import without_folds


class Match(NamedTuple):
    """What registration found, and what the reconstruction takes from it.

    Attributes:
        ddf: (B, 2, H', W'), voxels of the padded image, ij, pull-back.
        guides: per scale, finest first, the fields that HDFA warps with, in tokens.
        fixed: embedded features of the fixed image, finest scale first.
        moving: likewise of the moving image.
        features: of both images before their embedding.
    """

    ddf: torch.Tensor
    guides: List[List[torch.Tensor]]  # noqa: UP006
    fixed: List[torch.Tensor]  # noqa: UP006
    moving: List[torch.Tensor]  # noqa: UP006
    features: List[torch.Tensor]  # noqa: UP006


class BiMSRec(nn.Module):
    """Register a moving image onto a fixed one and fuse both.

    Args:
        channels: C_i of the scales, finest first.
        features: C of the feature extraction, 16 in the paper.
        directions: ``both``, ``forward`` or ``reverse``: the pathways of M2FReg (Table 3).
        scales: 5, or 1 for the finest scale alone (Table 3).
        reduction: 1 for pictures at full size (heads of about 200 px); 2 or 4 for pictures
            reduced by that, as in training. Registration sees the picture averaged by
            4 / reduction, so that the weights work alike at every size.
        refinements: rounds of correction of the field handed out, see :class:`Refinement`; the
            ten fields are what they are without.
        stage: what training runs and trains: ``registration`` (no reconstruction), ``fusion``
            (the reconstruction, fields given) or ``all``. Has no effect in eval mode.

    Raises:
        ValueError: ``scales``, ``reduction`` or ``stage`` is not one of the values above.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 80, 80, 80),
        features: int = 16,
        directions: str = "both",
        scales: int = 5,
        reduction: int = 1,
        refinements: int = 3,
        stage: str = "all",
    ) -> None:
        super().__init__()
        if scales not in (1, len(channels)):
            raise ValueError(f"scales must be 1 or {len(channels)}, got {scales}")
        if stage not in ("registration", "fusion", "all"):
            raise ValueError(f"stage must be 'registration', 'fusion' or 'all', got {stage!r}")
        if reduction not in (1, 2, 4):
            raise ValueError(f"reduction must be 1, 2 or 4, got {reduction}")
        channels = list(channels)[:scales]
        self.pool = 4 // reduction
        self.multiple = COARSEST_STRIDE * self.pool
        self.stage = stage
        self.refinements = refinements
        self.scales = scales
        self.flows_per_scale = 2 if directions == "both" else 1
        self.fixed_features = FeatureExtraction(features)
        self.moving_features = FeatureExtraction(features)
        # Alike at the start, so that equal anatomy matches from the first step.
        self.moving_features.load_state_dict(self.fixed_features.state_dict())
        self.embedding = MultiScalePatchEmbedding(features, channels)
        self.registration = M2FReg(channels, directions)
        self.refinement = Refinement(channels[0], features)
        self.reconstruction = PFRecon(features, channels, num_flows=self.flows_per_scale)
        use_channels_last(self)  # the layout in which CPU and GPU are fast
        self._freeze()

    def _freeze(self) -> None:
        """Train only what the stage runs (so that DDP finds no unused parameter)."""
        for module in self.children():
            fuses = module is self.reconstruction
            module.requires_grad_(self.stage == "all" or (self.stage == "fusion") == fuses)
        if self.refinements == 0:
            self.refinement.requires_grad_(False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Register and fuse.

        Args:
            image: (B, 2, H, W) in [0, 1], channel 0 fixed, channel 1 moving luminance.

        Returns:
            In eval mode (B, 3, H, W): fused in [0, 1], ddf_i, ddf_j. The ddf is in voxels,
            channel order ij, pull-back: ``warped(x) = moving(x + ddf(x))``. In training mode a
            dictionary, see :meth:`all_fields`, with ``windows`` (logits per scale, see
            :class:`RegBlk`), ``padded`` (the height and width that they cover) and, unless the
            stage is ``registration``, ``fused`` (B, 1, H, W).
        """
        if not torch.jit.is_scripting():  # noqa: SIM102 (scripting skips the body of this form)
            if self.training:
                return self._training_outputs(image)  # type: ignore[return-value]
        match = self.match(image)
        fused = self.reconstruct(image, match)
        ddf = match.ddf[..., : image.shape[-2], : image.shape[-1]]
        return torch.cat([fused, ddf], dim=1)

    def match(self, image: torch.Tensor) -> Match:
        """Register: the ddf, and what :meth:`reconstruct` takes from the registration.

        Args:
            image: (B, 2, H, W) in [0, 1].
        """
        padded = self._pad(image)
        fixed, moving, features = self._tokens(padded)
        flows, logits, _, _ = self.registration(fixed, moving)
        rounds = self._rounds(self._combine(flows, logits), fixed, moving, features)
        guides = self._by_scale(flows)
        return Match(full_size(rounds[-1], padded), guides, fixed, moving, features)

    def guided(self, image: torch.Tensor, ddf: torch.Tensor) -> Match:
        """What :meth:`reconstruct` takes where the field is given.

        Args:
            image: (B, 2, H, W) in [0, 1].
            ddf: (B, 2, H, W), voxels, ij, pull-back; serves every scale.
        """
        padded, ddf = self._pad(image), self._pad(ddf).float()
        fixed, moving, features = self._tokens(padded)
        guides: list[list[torch.Tensor]] = []
        for scale in fixed:
            guides.append([in_tokens(ddf, scale)] * self.flows_per_scale)
        return Match(ddf, guides, fixed, moving, features)

    def coefficients(self, image: torch.Tensor, match: Match) -> torch.Tensor:
        """What PFRecon says of the fused picture.

        Args:
            image: (B, 2, H, W) in [0, 1].
            match: of the same image.

        Returns:
            coefficients of :func:`bundle.networks.blend.blend`, (B, 4, h, w), one for each cell
            of ``pool`` pixels of the padded image.
        """
        padded = self._pad(image)
        return self._coefficients(padded, self._warped(padded, match.ddf), match)

    def reconstruct(self, image: torch.Tensor, match: Match) -> torch.Tensor:
        """Fuse by what :meth:`match` or :meth:`guided` gave.

        Args:
            image: (B, 2, H, W) in [0, 1].
            match: of the same image.

        Returns:
            fused, (B, 1, H, W) in [0, 1], nowhere outside the range of the fixed and the warped
            picture.
        """
        padded = self._pad(image)
        warped = self._warped(padded, match.ddf)
        coefficients = resize_as(self._coefficients(padded, warped, match), padded)
        fused = blend(coefficients, padded[:, :1].float(), warped)
        return fused[..., : image.shape[-2], : image.shape[-1]]

    def all_fields(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every field by itself, at full size.

        Args:
            image: (B, 2, H, W) in [0, 1].

        Returns:
            ``ddf`` (B, 2, H, W), the one handed out; ``flows`` (B, N, 2, H, W), flow_1 first;
            ``matches`` (B, M, 2, H, W), what the window of each scale says; ``rounds``
            (B, K, 2, H, W), the ddf before each round of refinement, the first one the mean of
            the flows. All in voxels, ij, pull-back, float32.
        """
        padded = self._pad(image)
        fixed, moving, features = self._tokens(padded)
        flows, logits, found, _ = self.registration(fixed, moving)
        rounds = self._rounds(self._combine(flows, logits), fixed, moving, features)
        return field_outputs(image, padded, rounds, flows, found)

    def register_with_spread(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The ddf, and how far the fields of all scales and pathways are from each other.

        Args:
            image: (B, 2, H, W) in [0, 1].

        Returns:
            ddf and the fields' standard deviation along each axis, both (B, 2, H, W), voxels; the
            ddf ij, pull-back.
        """
        padded = self._pad(image)
        fixed, moving, features = self._tokens(padded)
        flows, logits, _, _ = self.registration(fixed, moving)
        fields, share = self._in_finest(flows, logits)
        rounds = self._rounds((fields * share).sum(dim=1), fixed, moving, features)
        apart = fields - fields.mean(dim=1, keepdim=True)
        spread = apart.square().mean(dim=1).sqrt()  # torch's own is ten times slower
        height, width = image.shape[-2], image.shape[-1]
        found = [full_size(field, padded)[..., :height, :width] for field in (rounds[-1], spread)]
        return found[0], found[1]

    def register(self, image: torch.Tensor) -> torch.Tensor:
        """The ddf alone: (B, 2, H, W) in, (B, 2, H, W) out, voxels, ij, pull-back."""
        return self.match(image).ddf[..., : image.shape[-2], : image.shape[-1]]

    def fuse(self, image: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        """Fuse by a given field, at any size.

        Args:
            image: (B, 2, H, W) in [0, 1].
            ddf: (B, 2, H, W), voxels, ij, pull-back; serves every scale.

        Returns:
            fused, (B, 1, H, W) in [0, 1].
        """
        return self.reconstruct(image, self.guided(image, ddf))

    def _pad(self, image: torch.Tensor) -> torch.Tensor:
        return pad_to_multiple(image, self.multiple)

    def _tokens(
        self, padded: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Embedded features of the fixed and of the moving picture per scale, finest first.

        Third: the features of both before their embedding.
        """
        small = functional.avg_pool2d(padded, self.pool) if self.pool > 1 else padded
        features = [self.fixed_features(small[:, :1]), self.moving_features(small[:, 1:])]
        scales = self.embedding(torch.cat(features, dim=0))
        batch = padded.shape[0]
        return [scale[:batch] for scale in scales], [scale[batch:] for scale in scales], features

    def _rounds(
        self,
        ddf: torch.Tensor,
        fixed: list[torch.Tensor],
        moving: list[torch.Tensor],
        features: list[torch.Tensor],
    ) -> list[torch.Tensor]:
        """The combined field and what each round of refinement made of it, in finest tokens.

        The last is the one handed out: it does not fold.
        """
        refined = self.refinement(
            [fixed[0], features[0]], [moving[0], features[1]], ddf, self.refinements
        )
        fields = [ddf] + refined  # noqa: RUF005 (scripting knows no unpacking)
        fields[-1] = without_folds(fields[-1])
        return fields

    def _combine(self, flows: list[torch.Tensor], logits: list[torch.Tensor]) -> torch.Tensor:
        """Mean of all fields by their predicted confidence, in finest tokens."""
        fields, share = self._in_finest(flows, logits)
        return (fields * share).sum(dim=1)

    def _in_finest(
        self, flows: list[torch.Tensor], logits: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All fields in finest tokens, (B, N, 2, h, w), and their shares, (B, N, 1, h, w)."""
        height, width = flows[0].shape[-2], flows[0].shape[-1]
        if len(self.registration.down) == 0:
            height, width = flows[-1].shape[-2], flows[-1].shape[-1]
        fields: list[torch.Tensor] = []
        weights: list[torch.Tensor] = []
        for flow, logit in zip(flows, logits):  # noqa: B905 (scripting knows no strict=True)
            stride = width / flow.shape[-1]
            both = torch.cat([flow * stride, logit], dim=1)
            both = spline_upsample(both, height, width)
            fields.append(both[:, :2])
            weights.append(both[:, 2:])
        return torch.stack(fields, dim=1), torch.stack(weights, dim=1).softmax(dim=1)

    def _by_scale(self, flows: list[torch.Tensor]) -> list[list[torch.Tensor]]:
        """Group flow_i and flow_{2n+1-i}, whichever there are, by scale."""
        count = self.scales
        if self.flows_per_scale == 2:
            return [[flows[i], flows[2 * count - 1 - i]] for i in range(count)]
        if len(self.registration.up) > 0:
            return [[flows[count - 1 - i]] for i in range(count)]
        return [[flows[i]] for i in range(count)]

    def _warped(self, padded: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        return warp_tokens(padded[:, 1:], ddf, padding_mode="zeros")

    def _coefficients(
        self, padded: torch.Tensor, warped: torch.Tensor, match: Match
    ) -> torch.Tensor:
        moving = warp_tokens(match.features[1], in_tokens(match.ddf, match.features[1]))
        statistics = local_statistics(padded[:, :1], warped, self.pool)
        cells = [match.features[0], moving, statistics]
        return self.reconstruction(match.fixed, match.moving, match.guides, cells)

    def _training_outputs(self, image: torch.Tensor) -> dict[str, Any]:
        padded = self._pad(image)
        with torch.set_grad_enabled(self.stage != "fusion" and torch.is_grad_enabled()):
            fixed, moving, features = self._tokens(padded)
            flows, logits, found, windows = self.registration(fixed, moving)
            rounds = self._rounds(self._combine(flows, logits), fixed, moving, features)
            outputs: dict[str, Any] = field_outputs(image, padded, rounds, flows, found)
            outputs["windows"] = windows
            outputs["padded"] = [padded.shape[-2], padded.shape[-1]]
        if self.stage != "registration":
            guides = [[flow.detach() for flow in pair] for pair in self._by_scale(flows)]
            ddf = full_size(rounds[-1], padded).detach()
            match = Match(ddf, guides, fixed, moving, features)
            outputs["fused"] = self.reconstruct(image, match)
        return outputs
