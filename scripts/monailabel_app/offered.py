"""What of MONAI Label's server is not offered."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware


def close_to_web_pages(app: FastAPI) -> None:
    """Let no web page read the answers: MONAI Label allows every page in the user's browser.

    Args:
        app: has not answered any request yet.
    """
    app.user_middleware[:] = [one for one in app.user_middleware if one.cls is not CORSMiddleware]
