"""The bundle's own transforms and network on one pair of images, loaded once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch
from fastapi import HTTPException
from monai.bundle import ConfigParser
from torch import nn

from bundle.errors import InputError, one_line
from bundle.workflow import SavePaird, load_weights, pair_record, prepare_pair
from bundle.workflow.loading import LoadPaird

ROOT = Path(__file__).resolve().parents[2]


class FusionOnly(nn.Module):
    """The network without its registration: every field is zero.

    Args:
        network: has the method ``fuse``.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W) in, (B, 3, H, W) out: fused, and a ddf of zeros."""
        ddf = self.register(image)
        return torch.cat([self.fuse(image, ddf), ddf], dim=1)

    def register(self, image: torch.Tensor) -> torch.Tensor:
        """A ddf of zeros, (B, 2, H, W)."""
        return torch.zeros_like(image)

    def fuse(self, image: torch.Tensor, ddf: torch.Tensor) -> torch.Tensor:
        """Fuse by a given field: (B, 1, H, W)."""
        return self.network.fuse(image, ddf)


class Pipeline:
    """Register and fuse a fixed and a moving image as ``configs/inference.json`` does.

    One pair is worked on at a time: a volume fills the cores, and two at once would only need
    twice the memory.

    Args:
        device: of the network; by default the configuration's: a GPU if there is one.
    """

    def __init__(self, device: str | None = None) -> None:
        parser = ConfigParser()
        parser.read_config(ROOT / "configs" / "inference.json")
        parser["bundle_root"] = str(ROOT)
        if device:
            parser["device"] = device
        self._network = load_weights(
            parser.get_parsed_content("network"), parser.get_parsed_content("checkpoint")
        )
        self._device = parser.get_parsed_content("device")
        self._inferer = parser.get_parsed_content("inferer")
        self._before = parser.get_parsed_content("preprocessing").transforms
        self._after = parser.get_parsed_content("postprocessing").transforms
        self._one_at_a_time = threading.Lock()

    def run(self, request: dict[str, Any], folder: Path, moves: bool = True) -> None:
        """Work on one pair.

        Args:
            request: ``fixed`` and ``moving`` (paths); optional ``modality`` and ``init``.
            folder: for the results.
            moves: whether to register; else the images are fused where they lie.

        Raises:
            HTTPException: 422 with one sentence if the images cannot be used.
        """
        try:
            with self._one_at_a_time:
                self._run(request, folder, moves)
        except InputError as error:
            raise HTTPException(422, without_paths(error, request)) from error

    def _run(self, request: dict[str, Any], folder: Path, moves: bool) -> None:
        network = self._network if moves else FusionOnly(self._network)
        init = request.get("init") if moves else "none"
        data: Any = pair_record(
            request["fixed"], request["moving"], folder, request.get("modality")
        )
        said: dict[str, Any] = {} if moves else {"registration": False}
        for transform in self._before:
            if isinstance(transform, LoadPaird):
                transform = LoadPaird(init or transform.init, transform.plane)
                said |= {"init": transform.init}
            data = transform(data)
        with torch.no_grad():
            data["pred"] = self._infer(data, network)
        for transform in self._after:
            if isinstance(transform, SavePaird):
                transform = SavePaird(transform.parameters | said, transform.checkpoint)
            data = transform(data)

    def _infer(self, data: Any, network: nn.Module) -> torch.Tensor:
        batch = {key: data[key][None] for key in ("image", "head", "spacing") if key in data}
        image, _, _, known = prepare_pair(batch, self._device, non_blocking=False)
        return self._inferer(image, network, **known)[0]


def without_paths(error: InputError, request: dict[str, Any]) -> str:
    """The error's sentence, with ``fixed image`` and ``moving image`` for the server's paths."""
    text = one_line(error)
    paths = {str(request[key]): f"{key} image" for key in ("fixed", "moving")}
    for path in sorted(paths, key=len, reverse=True):  # one may begin as the other does
        text = text.replace(path, paths[path])
    for path in paths:
        text = text.replace(str(Path(path).parent), "")
    return text
