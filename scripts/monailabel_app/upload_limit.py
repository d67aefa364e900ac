"""Refuse requests that are too large before they fill the disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import JSONResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TooLarge(Exception):
    """More was sent than is taken."""


class UploadLimit:
    """ASGI middleware that answers 413 to a body larger than the limit.

    Args:
        app: the application behind it.
        megabytes: the largest body.
    """

    def __init__(self, app: Any, megabytes: int) -> None:
        self.app = app
        self.megabytes = megabytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, taken = self.megabytes * 2**20, 0
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        refusal = JSONResponse(
            {"detail": f"the request is larger than the {self.megabytes} MB that are taken"}, 413
        )
        if declared.isdigit() and int(declared) > limit:
            await refusal(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge
            return message

        try:
            await self.app(scope, counted, send)
        except TooLarge:
            await refusal(scope, receive, send)
