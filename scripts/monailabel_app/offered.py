"""What of MONAI Label's server is not offered."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route

NOT_OFFERED = ("train", "scoring", "batch", "session", "model", "infer/wsi", "infer/wsi_v2")
"""First words of paths. The stock routes start processes that fail, or keep images elsewhere."""

METHODS = ["GET", "POST", "PUT", "DELETE"]


def close_to_web_pages(app: FastAPI) -> None:
    """Let no web page read the answers: MONAI Label allows every page in the user's browser.

    Args:
        app: has not answered any request yet.
    """
    app.user_middleware[:] = [one for one in app.user_middleware if one.cls is not CORSMiddleware]


def refuse_others(app: FastAPI) -> None:
    """Answer 404 to the paths of :data:`NOT_OFFERED` before anything of the request is read."""
    routes = [
        Route(f"/{name}{rest}", _refused, methods=METHODS)
        for name in NOT_OFFERED
        for rest in ("", "/{rest:path}")
    ]
    app.router.routes[:0] = routes  # the first route that fits is taken


async def _refused(request: Request) -> None:
    name = max(n for n in NOT_OFFERED if request.url.path.startswith(f"/{n}"))
    raise HTTPException(404, f"{name} is not offered here; this server registers and fuses images")
