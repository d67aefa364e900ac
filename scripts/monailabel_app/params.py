"""What a request says in ``params``."""

from __future__ import annotations

import difflib
import json

from fastapi import HTTPException

from bundle.options import Options
from scripts.monailabel_app.pipeline import OPTIONS

TEXTS = ("moving", *OPTIONS, "tag")
"""What ``params`` may say."""

CLIENTS = (
    "background", "client_id", "description", "device", "foreground", "gpus", "label_info",
    "label_tag", "largest_cc", "logging", "multi_gpu", "restore_label_idx", "result_compress",
    "result_dtype", "result_extension", "result_write_to_file", "roi", "save_label",
    "selected_label_name", "session", "session_id",
)  # fmt: skip
"""What MONAI Label and its clients (Python, 3D Slicer, OHIF) add; it is left aside."""


def texts_of(params: str) -> dict[str, str]:
    """Read ``params`` of a request.

    Args:
        params: JSON, an object of texts.

    Returns:
        what it says of :data:`TEXTS`.

    Raises:
        HTTPException: 400 with one sentence if it is no such object, or has a key that would be
            of no effect.
    """
    try:
        given = json.loads(params or "{}")
    except ValueError as error:
        raise HTTPException(400, f"params is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise HTTPException(400, 'params has to be an object such as {"moving": "ID"}')
    for key in given:
        if key not in (*TEXTS, *CLIENTS):
            raise HTTPException(400, _unknown(key))
    texts = {key: given[key] for key in TEXTS if given.get(key) is not None}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise HTTPException(400, f"params: {key} has to be a text")
    return texts


def _unknown(key: str) -> str:
    shown = "".join(c for c in key[:80] if c.isprintable())
    if key in Options.model_fields:
        return f"params: {shown} is not offered here; there are {', '.join(TEXTS)}"
    near = difflib.get_close_matches(key.lower(), TEXTS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TEXTS)}"
    return f"params: {shown} is unknown; {hint}"
