"""A picture of fixed phantom cases, to see with one's eyes what training changes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import list_data_collate

from bundle.geometry.warp import warp
from bundle.phantom.pairs import write_pairs
from bundle.training.dataset import SeededDataset
from bundle.training.pairs import list_pairs
from bundle.training.steps import to_device


class PhantomPanel:
    """One phantom pair per modality, misaligned always in the same way.

    Args:
        preprocessing: of the validation: from the files of a pair to the network's input.
        size: pixels per side of the phantom's pictures.
        level: of misalignment.
        seed: of the misalignment.
    """

    def __init__(
        self, preprocessing: Callable, size: int = 128, level: str = "medium", seed: int = 7
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_pairs(folder, 1, size=size, split="val")
            pairs = [{**pair, "level": level} for pair in list_pairs(Path(folder), "val")]
            cases = SeededDataset(pairs, preprocessing, seed=seed, progress=False)
            self.batch: dict[str, Any] = list_data_collate([cases[i] for i in range(len(cases))])

    def draw(self, network: torch.nn.Module, device: torch.device | str) -> np.ndarray:
        """Register and fuse the cases.

        Args:
            network: in evaluation mode gives (B, 3, H, W), see :class:`bundle.networks.BiMSRec`.
            device: where it is.

        Returns:
            uint8 (3 H, 5 W): rows CT, PET, SPECT; columns fixed, moving, warped, fused, and the
            error \\|warped - aligned\\|.
        """
        batch = to_device(self.batch, torch.device(device))
        before = network.training
        network.eval()
        with torch.no_grad():
            output = network(batch["image"]).float()
        network.train(before)
        moving, aligned = batch["deformed"][:, :1], batch["aligned"][:, :1]
        warped = warp(moving, output[:, 1:]).float()
        columns = [batch["fixed"], moving, warped, output[:, :1], (warped - aligned).abs()]
        rows = torch.cat([torch.cat(list(column[:, 0]), dim=0) for column in columns], dim=1)
        return (255 * rows.clamp(0, 1)).round().byte().cpu().numpy()
