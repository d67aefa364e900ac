"""The models: what is done with a pair, what is answered and what is stored."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from scripts.monailabel_app.pipeline import Pipeline

TAGS = {
    "fused": "fused.*",
    "warped": "warped.*",
    "ddf": "ddf.nii.gz",
    "transform": "transform.h5",
    "transform_inverse": "transform_inverse.h5",
    "rigid": "rigid.tfm",
    "uncertainty": "uncertainty.nii.gz",
    "moving_used": "moving_used.nii.gz",
    "overlay": "overlay.png",
    "fused_color": "fused_color.nii.gz",
    "report": "report.html",
    "figures": "report.json",
}
"""Tag in the datastore and the file it stands for."""


@dataclass(frozen=True)
class Model:
    """One model of the server.

    Attributes:
        description: what it does.
        answer: tag of the file that is sent back.
        tags: of what is stored in the datastore.
        moves: whether it registers.
    """

    description: str
    answer: str
    tags: tuple[str, ...]
    moves: bool = True


MODELS = {
    "bimsrec": Model(
        "Registers a moving CT, PET or SPECT image onto a fixed MRI and fuses both",
        "fused",
        tuple(TAGS),
    ),
    "bimsrec_register": Model(
        "Registers a moving CT, PET or SPECT image onto a fixed MRI; answers with the warped image",
        "warped",
        tuple(tag for tag in TAGS if tag not in ("fused", "overlay", "fused_color")),
    ),
    "bimsrec_fuse": Model(
        "Fuses two images that lie on each other already; nothing is moved",
        "fused",
        ("fused",),
        moves=False,
    ),
}


class PairTask(InferTask):
    """A model behind MONAI Label's interface. Each request has a folder of its own.

    Args:
        model: what to do.
        pipeline: does it; shared by all models.
    """

    def __init__(self, model: Model, pipeline: Pipeline) -> None:
        super().__init__(
            type=InferType.OTHERS, labels=[], dimension=3, description=model.description
        )
        self.model = model
        self._pipeline = pipeline

    def is_valid(self) -> bool:
        """Whether the model can be used: always, since the weights were loaded."""
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Work on one pair.

        Args:
            request: ``fixed`` and ``moving`` (paths); optional what
                :data:`scripts.monailabel_app.pipeline.OPTIONS` names.

        Returns:
            the file to answer with and the figures of ``report.json`` (empty for pictures). The
            file's folder holds all the results and belongs to the caller.

        Raises:
            HTTPException: 400 or 422 with one sentence if the request or the images cannot be
                used.
        """
        if request.get("init") and not self.model.moves:
            raise HTTPException(400, "this model moves nothing: leave init out, or use bimsrec")
        folder = Path(tempfile.mkdtemp(prefix="bimsrec-"))
        try:
            report = self._pipeline.run(request, folder, self.model.moves)
            written = folder / "report.json"
            figures = json.loads(written.read_text(encoding="utf-8")) if report.unit == "mm" else {}
            return str(next(folder.glob(f"{self.model.answer}.*"))), figures
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
