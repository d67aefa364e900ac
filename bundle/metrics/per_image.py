"""Base classes that turn a measure into a MONAI metric for the configs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric


class PerImageMetric(CumulativeIterationMetric):
    """Collects one value per image and term.

    ``get_buffer()`` returns all of them, (items, terms), in the order of ``terms``;
    ``aggregate()`` returns the mean over the items of the single term chosen.

    Args:
        term: which of the class's ``terms`` ``aggregate`` reports; default: the first.

    Raises:
        ValueError: the class has no such term.
    """

    terms: tuple[str, ...] = ()

    def __init__(self, term: str | None = None) -> None:
        super().__init__()
        self.term = term or self.terms[0]
        if self.term not in self.terms:
            raise ValueError(f"{type(self).__name__} has the terms {self.terms}, got {term!r}")

    @abstractmethod
    def measure(self, y_pred: torch.Tensor, y: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Compute every term.

        Args:
            y_pred: prediction, batch first.
            y: reference, batch first.

        Returns:
            a tensor (B,) for each of ``terms``.
        """

    def _compute_tensor(
        self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any
    ) -> torch.Tensor:
        values = self.measure(y_pred, y)
        return torch.stack([values[term] for term in self.terms], dim=1)

    def aggregate(self) -> torch.Tensor:
        """Mean of the chosen term over all items where it is defined (NaN where it never is).

        Returns:
            tensor without dimensions.
        """
        buffer = self.get_buffer()
        if buffer is None:
            return torch.tensor(torch.nan)
        return buffer[:, self.terms.index(self.term)].nanmean()


class FusionMetric(PerImageMetric):
    """A measure of the fused image against its two sources.

    Called with ``y_pred`` = fused (B, 1, H, W) and ``y`` = sources (B, 2, H, W), channel 0 the
    fixed and channel 1 the aligned moving image, all luma 0 to 255. Terms ending in ``_A`` concern
    the fixed image, those in ``_B`` the aligned moving image.
    """

    @abstractmethod
    def compare(
        self, fused: torch.Tensor, fixed: torch.Tensor, aligned: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Compute every term.

        Args:
            fused: (B, 1, H, W), luma 0 to 255.
            fixed: as ``fused``.
            aligned: as ``fused``.

        Returns:
            a tensor (B,) for each of ``terms``.
        """

    def measure(self, y_pred: torch.Tensor, y: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Split the sources and compare; see :meth:`PerImageMetric.measure`.

        Args:
            y_pred: fused, (B, 1, H, W).
            y: sources, (B, 2, H, W): fixed, aligned.

        Returns:
            a tensor (B,) for each of ``terms``.

        Raises:
            ValueError: ``y`` does not hold two channels.
        """
        if y is None or y.shape[1] != 2:
            shape = None if y is None else tuple(y.shape)
            raise ValueError(f"y must be (B, 2, H, W): fixed, aligned; got {shape}")
        return self.compare(y_pred, y[:, :1], y[:, 1:])
