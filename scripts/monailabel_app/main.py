"""The app that ``monailabel start_server --app scripts/monailabel_app`` loads."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the server imports by path

from bundle import __version__  # noqa: E402
from bundle.progress import Step  # noqa: E402
from scripts.monailabel_app.datastore import FolderDatastore, require_plain  # noqa: E402
from scripts.monailabel_app.pairing import find_pair  # noqa: E402
from scripts.monailabel_app.pipeline import Pipeline  # noqa: E402
from scripts.monailabel_app.task import MODELS, TAGS, PairTask  # noqa: E402

logger = logging.getLogger("bimsrec")


class BiMSRecApp(MONAILabelApp):
    """Serves the model ``bimsrec``, registration and fusion of two images, and either alone."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self._storing = threading.Lock()
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

    def init_infers(self) -> dict[str, PairTask]:
        """Load the weights, once for all models."""
        pipeline = Pipeline(self.conf.get("device"), _log)
        return {name: PairTask(model, pipeline) for name, model in MODELS.items()}

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Register and fuse two images, or what else the model does.

        Args:
            request: ``model``, what :func:`find_pair` and the task take, and ``tag``, a suffix
                for the tags the results are stored under.
            datastore: instead of the app's own.

        Returns:
            ``file`` and ``label``: the fused or warped image, to be removed by the caller;
            ``params``: the figures, and under ``stored`` the tags of the results in the
            datastore.

        Raises:
            HTTPException: the request cannot be served; its detail is one sentence.
        """
        datastore = datastore or self.datastore()
        task = self._infers.get(request.get("model"))
        if task is None:
            raise HTTPException(404, f"there is no such model; there is {', '.join(MODELS)}")
        if request.get("tag"):
            require_plain(f"{max(TAGS, key=len)}-{request['tag']}", "tag")
        fixed, moving = find_pair(request, datastore)
        path, figures = task({**request, "fixed": fixed, "moving": moving})
        folder = Path(path).parent
        try:
            stored = self._store(request, task.model.tags, folder, datastore)
            answer = _moved_out(Path(path))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        params = {**figures, "stored": stored}
        return {"label": answer, "file": answer, "tag": task.model.answer, "params": params}

    def _store(
        self, request: dict[str, Any], tags: tuple[str, ...], folder: Path, datastore: Any
    ) -> dict[str, str]:
        """Store the results under the fixed image; an uploaded one is in no datastore."""
        image = request.get("image")
        if not image:
            return {}
        suffix = f"-{request['tag']}" if request.get("tag") else ""
        stored = {}
        with self._storing:  # all results under a tag are those of one request
            for tag in TAGS:
                if datastore.get_label_uri(image, tag + suffix):
                    datastore.remove_label(image, tag + suffix)
            for tag in tags:
                for file in folder.glob(TAGS[tag]):
                    label = tag + suffix
                    datastore.save_label(image, str(file), label, {"model": request["model"]})
                    stored[tag] = label
        return json.loads(json.dumps(stored))


def _log(step: Step) -> None:
    """A line per stage; it names no image."""
    about = "" if step.expected is None else f", about {step.expected:.0f} s in all"
    logger.info("%s (%.0f %%%s)", step.stage, 100 * step.share, about)


def _moved_out(file: Path) -> str:
    """Move the answer beside its folder, so that the folder can go before the answer is sent."""
    suffix = file.name[file.name.index(".") :]
    return str(file.replace(file.parent.with_name(file.parent.name + suffix)))
