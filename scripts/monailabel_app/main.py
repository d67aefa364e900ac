"""The app that ``monailabel start_server --app scripts/monailabel_app`` loads."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the server imports by path

from bundle import __version__  # noqa: E402
from scripts.monailabel_app.datastore import FolderDatastore, require_plain  # noqa: E402
from scripts.monailabel_app.pairing import find_pair  # noqa: E402
from scripts.monailabel_app.task import RegisterAndFuse  # noqa: E402

MODEL = "bimsrec"
TAGS = {
    "fused": "fused.*",
    "warped": "warped.*",
    "ddf": "ddf.nii.gz",
    "transform": "transform.h5",
    "report": "report.html",
    "figures": "report.json",
}
"""Tag in the datastore and the file it stands for."""


class BiMSRecApp(MONAILabelApp):
    """Serves the model ``bimsrec``: registration and fusion of two images."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        logging.getLogger("monailabel").setLevel(logging.WARNING)  # it logs names of images
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name="BiMSRec",
            description="Registration and fusion of MRI with CT, PET or SPECT. Research use only",
            version=__version__,
        )

    def init_datastore(self) -> FolderDatastore:
        """Open the folder of studies."""
        if self.studies.startswith(("http://", "https://")):
            raise SystemExit(f"error: {self.studies}: name a folder; DICOMweb is not supported")
        return FolderDatastore(self.studies)

    def init_infers(self) -> dict[str, RegisterAndFuse]:
        """Load the model."""
        return {MODEL: RegisterAndFuse(self.conf.get("device"))}

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Register and fuse two images.

        Args:
            request: ``model`` (always ``bimsrec``), what :func:`find_pair` and the task take,
                and ``tag``, a suffix for the tags the results are stored under.
            datastore: instead of the app's own.

        Returns:
            ``file`` and ``label``: the fused image, to be removed by the caller; ``params``: the
            figures, and under ``stored`` the tags of the results in the datastore.

        Raises:
            HTTPException: the request cannot be served; its detail is one sentence.
        """
        datastore = datastore or self.datastore()
        task = self._infers.get(request.get("model"))
        if task is None:
            raise HTTPException(404, f"there is no such model; the server has '{MODEL}'")
        if request.get("tag"):
            require_plain(request["tag"], "tag")
        fixed, moving = find_pair(request, datastore)
        fused, figures = task({**request, "fixed": fixed, "moving": moving})
        try:
            stored = self._store(request, Path(fused).parent, datastore)
            answer = _moved_out(Path(fused))
        finally:
            shutil.rmtree(Path(fused).parent, ignore_errors=True)
        params = {**figures, "stored": stored}
        return {"label": answer, "file": answer, "tag": "fused", "params": params}

    def _store(self, request: dict[str, Any], folder: Path, datastore: Any) -> dict[str, str]:
        """Store all results under the fixed image; an uploaded one is in no datastore."""
        image = request.get("image")
        if not image:
            return {}
        suffix = f"-{request['tag']}" if request.get("tag") else ""
        stored = {}
        for tag, pattern in TAGS.items():
            for file in folder.glob(pattern):
                datastore.save_label(image, str(file), tag + suffix, {"model": MODEL})
                stored[tag] = tag + suffix
        return json.loads(json.dumps(stored))


def _moved_out(fused: Path) -> str:
    """Move the answer beside its folder, so that the folder can go before the answer is sent."""
    suffix = fused.name[len("fused") :]
    return str(fused.replace(fused.parent.with_name(fused.parent.name + suffix)))
