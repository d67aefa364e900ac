"""Which two images a request means."""

from __future__ import annotations

import re
from typing import Any

from fastapi import HTTPException

NAMED = re.compile(r"(.*)fixed$", re.IGNORECASE)
"""The naming convention: ``X_fixed`` goes with ``X_moving``, ``fixed`` with ``moving``."""


def find_pair(request: dict[str, Any], datastore: Any) -> tuple[str, str]:
    """Find the paths of the fixed and the moving image.

    The fixed image is ``image`` (an id of the datastore) or the first upload; the moving one is
    the next upload, else the id ``moving``, else what the naming convention says.

    Args:
        request: ``image``, ``moving`` and ``uploads`` (paths of uploaded files), all optional.
        datastore: has ``get_image_uri`` (id -> path, empty if unknown).

    Returns:
        paths of the fixed and the moving image.

    Raises:
        HTTPException: 400 if it is not said which images are meant, 404 if there is no such one.
    """
    uploads = list(request.get("uploads", ()))
    if request.get("image"):
        fixed = _stored(request["image"], datastore)
    elif uploads:
        fixed = uploads.pop(0)
    else:
        raise HTTPException(400, "name the fixed image: image=ID, or upload one as 'file'")
    if len(uploads) > 1 or (uploads and request.get("moving")):
        raise HTTPException(400, "two moving images are given; leave one out")
    if uploads:
        return fixed, uploads[0]
    return fixed, _stored(request.get("moving") or _by_name(request), datastore)


def _by_name(request: dict[str, Any]) -> str:
    found = NAMED.match(request.get("image") or "")
    if not found:
        raise HTTPException(
            400,
            'the moving image is missing: name it in params as {"moving": "ID"}, upload it as '
            "'label', or call the two X_fixed and X_moving",
        )
    return found[1] + "moving"


def _stored(name: Any, datastore: Any) -> str:
    path = datastore.get_image_uri(name) if isinstance(name, str) else ""
    if not path:
        shown = "".join(c for c in str(name)[:80] if c.isprintable())
        raise HTTPException(404, f"there is no image '{shown}' in the datastore")
    return path
