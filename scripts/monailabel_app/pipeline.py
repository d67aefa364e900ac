"""The way of a pair on the server: the bundle's own functions, with weights loaded once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from bundle.errors import InputError, one_line
from bundle.fusion import fuse
from bundle.images.pair import read_pair
from bundle.networks import load_network
from bundle.options import options_of
from bundle.progress import Progress, Step
from bundle.registration import register
from bundle.results import Report, write

OPTIONS = ("modality", "init", "frame", "fixed_frame", "series", "spacing", "strict")
"""What a request may say of a pair, as texts; see :class:`bundle.options.Options`."""


class Pipeline:
    """Register and fuse a fixed and a moving image as ``scripts.fuse`` does.

    One pair is worked on at a time: a volume fills the cores, and two at once would only need
    twice the memory.

    Args:
        device: of the network; by default the GPU if there is one.
        progress: takes the stages of each pair, each as it begins.
    """

    def __init__(
        self, device: str | None = None, progress: Callable[[Step], None] | None = None
    ) -> None:
        self._progress = progress
        self._network = load_network(device=device)
        self._one_at_a_time = threading.Lock()

    def run(self, request: dict[str, Any], folder: Path, moves: bool = True) -> Report:
        """Work on one pair.

        Args:
            request: ``fixed`` and ``moving`` (paths); optional what ``OPTIONS`` names.
            folder: for the results.
            moves: whether to register; else the images are fused where they lie.

        Returns:
            the report.

        Raises:
            HTTPException: 422 with one sentence if the images cannot be used.
        """
        given = {key: request[key] for key in OPTIONS if request.get(key)}
        still = {} if moves else {"init": "none", "rigid_only": True}
        try:
            options = options_of(**given | still)
            with self._one_at_a_time:
                told = Progress(self._progress)
                pair = read_pair(request["fixed"], request["moving"], options, told)
                registration = register(pair, self._network, options, told)
                fused = fuse(registration, self._network, told)
                return write(fused, folder, options, told)
        except InputError as error:
            raise HTTPException(422, without_paths(error, request)) from error


def without_paths(error: InputError, request: dict[str, Any]) -> str:
    """The error's sentence, with ``fixed image`` and ``moving image`` for the server's paths."""
    text = one_line(error)
    paths = {str(request[key]): f"{key} image" for key in ("fixed", "moving")}
    for path in sorted(paths, key=len, reverse=True):  # one may begin as the other does
        text = text.replace(path, paths[path])
    for path in paths:
        text = text.replace(str(Path(path).parent), "")
    return text
