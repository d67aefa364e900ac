"""MONAI Label's server with the checks that let a bad request fail with one sentence.

Started by ``monailabel start_server --uvicorn_app scripts.monailabel_app.serve:app``. It is
MONAI Label's own FastAPI application, without what :mod:`scripts.monailabel_app.offered` takes
away. The route of inference is replaced, since the stock one reads any file of the server that
``image`` names, and answers 500 to a slip in ``params``.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import BackgroundTasks, File, Form, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from monailabel.app import app
from monailabel.endpoints.infer import send_response
from monailabel.interfaces.exception import MONAILabelException
from monailabel.interfaces.utils.app import app_instance

from scripts.monailabel_app.datastore import SUFFIXES, require_image
from scripts.monailabel_app.offered import close_to_web_pages, refuse_others
from scripts.monailabel_app.params import texts_of
from scripts.monailabel_app.upload_limit import UploadLimit

MEGABYTES = int(os.environ.get("BIMSREC_MAX_UPLOAD_MB", "2048"))


def infer(
    background_tasks: BackgroundTasks,
    model: str,
    image: str = "",
    params: Annotated[str, Form()] = "{}",
    file: Annotated[UploadFile | None, File()] = None,
    label: Annotated[UploadFile | None, File()] = None,
    output: Literal["image", "json", "all"] = "all",
) -> Any:
    """Register and fuse two images.

    ``image`` is the id of the fixed image; ``params`` is JSON such as ``{"moving": "ID"}``;
    ``file`` and ``label`` are uploads: the fixed image where ``image`` is not given, and the
    moving one. ``output`` is ``image``, ``json`` or ``all``.
    """
    folder = Path(tempfile.mkdtemp(prefix="bimsrec-upload-"))
    try:
        uploads = [_saved(u, folder / str(n)) for n, u in enumerate((file, label)) if u]
        request = {"model": model, "image": image, "uploads": uploads, **texts_of(params)}
        instance = app_instance()
        result = instance.infer(request)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return send_response(instance.datastore(), result, output, background_tasks)


def _saved(upload: UploadFile, stem: Path) -> str:
    """Write an upload under a name of our own; only its suffix is the client's."""
    name = (upload.filename or "").lower()
    suffix = max((s for s in SUFFIXES if name.endswith(s)), key=len, default=None)
    if suffix is None:
        raise HTTPException(415, f"an uploaded image is one of {', '.join(SUFFIXES)}")
    path = stem.with_name(stem.name + suffix)
    with path.open("wb") as target:
        shutil.copyfileobj(upload.file, target)
    require_image(str(path))
    return str(path)


def _not_found(request: Request, error: Exception) -> JSONResponse:
    """MONAI Label's own errors say that something is not there, but as a bare 500."""
    return JSONResponse({"detail": str(getattr(error, "msg", error))}, status_code=404)


def _not_json(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"params is not JSON: {error}"}, status_code=400)


def _not_valid(request: Request, error: Exception) -> JSONResponse:
    """FastAPI lists what is wrong with each value; the first is told, in one sentence."""
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    reason = problem["msg"][:1].lower() + problem["msg"][1:]
    return JSONResponse({"detail": f"{problem['loc'][-1]}: {reason}"}, status_code=400)


close_to_web_pages(app)
app.add_exception_handler(MONAILabelException, _not_found)
app.add_exception_handler(RequestValidationError, _not_valid)
app.add_exception_handler(json.JSONDecodeError, _not_json)
app.add_middleware(UploadLimit, megabytes=MEGABYTES)
app.add_api_route("/infer/{model}", infer, methods=["POST"], tags=["Infer"])
app.router.routes.insert(0, app.router.routes.pop())  # the first route that fits is taken
refuse_others(app)
