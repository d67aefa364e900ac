"""The inference task: the bundle's own transforms and network on one pair of images."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import torch
from fastapi import HTTPException
from monai.bundle import ConfigParser
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from bundle.errors import InputError, one_line
from bundle.inference import load_weights, pair_record
from bundle.inference.loading import LoadPaird

ROOT = Path(__file__).resolve().parents[2]


class RegisterAndFuse(InferTask):
    """Register and fuse a fixed and a moving image as ``configs/inference.json`` does.

    The network is loaded once. One pair is worked on at a time: a volume fills the cores, and
    two at once would only need twice the memory. Each request has a folder of its own.

    Args:
        device: of the network; by default the configuration's: a GPU if there is one.
    """

    def __init__(self, device: str | None = None) -> None:
        super().__init__(
            type=InferType.OTHERS,
            labels=[],
            dimension=3,
            description="Registers a moving CT, PET or SPECT image onto a fixed MRI and fuses both",
        )
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

    def is_valid(self) -> bool:
        """Whether the model can be used: always, since the weights were loaded."""
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Work on one pair.

        Args:
            request: ``fixed`` and ``moving`` (paths); optional ``modality`` (CT, PET, SPECT) and
                ``init`` (none, center, rigid, affine; volumes only).

        Returns:
            the fused image and the figures of ``report.json`` (empty for pictures). The file's
            folder holds all the results and belongs to the caller.

        Raises:
            HTTPException: 422 with one sentence if the images cannot be used.
        """
        folder = Path(tempfile.mkdtemp(prefix="bimsrec-"))
        try:
            with self._one_at_a_time:
                self._run(request, folder)
            report = folder / "report.json"
            figures = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
            return str(next(folder.glob("fused.*"))), figures
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _run(self, request: dict[str, Any], folder: Path) -> None:
        try:
            data: Any = pair_record(
                request["fixed"], request["moving"], folder, request.get("modality")
            )
            for transform in self._before:
                if isinstance(transform, LoadPaird):
                    transform = LoadPaird(request.get("init") or transform.init)
                data = transform(data)
            with torch.no_grad():
                pred = self._inferer(data["image"][None].to(self._device), self._network)[0]
            data["pred"] = pred
            for transform in self._after:
                data = transform(data)
        except InputError as error:
            raise HTTPException(422, without_paths(error, request)) from error


def without_paths(error: InputError, request: dict[str, Any]) -> str:
    """The error's sentence, with ``fixed image`` and ``moving image`` for the server's paths."""
    text = one_line(error)
    for key in ("fixed", "moving"):
        text = text.replace(str(request[key]), f"{key} image")
        text = text.replace(str(Path(request[key]).parent), "")
    return text
