"""The steps of a pair as MONAI dictionary transforms, for ``configs/inference.json``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from monai.inferers import Inferer
from monai.transforms import Transform
from torch.utils.data import get_worker_info

from bundle.fusion import FusedPair, fuse
from bundle.images.pair import VolumePair, read_pair
from bundle.images.volume import Volume
from bundle.options import Options
from bundle.progress import SILENT, Progress
from bundle.registration import initialize, register
from bundle.results.folder import require_writable
from bundle.results.writing import write
from bundle.workflow.datalist import FILES, options_for

PAIR = "pair"
"""Key of the pair as it was read, and after its start."""

PROGRESS = "progress"
"""Key of what is told the stages of the pair."""


class RefuseExistingd(Transform):
    """Stop before any work if results are there already or cannot be written.

    Args:
        options: ``overwrite`` counts.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Check one record, see :func:`bundle.results.folder.require_writable`."""
        sources = [data[key] for key in ("fixed", "moving", *FILES) if key in data]
        require_writable(Path(data["output_dir"]), self.options.overwrite, *sources)
        return data


class ReadPaird(Transform):
    """Read what lies under ``fixed`` and ``moving``; adds ``pair`` and ``progress``.

    Where a record has the fixed volume of the one before, it is not read again.

    Args:
        options: how; what a record says of itself comes first.
        progress: makes what is told the stages of a pair, of the pair's id; by default, and in a
            process that reads ahead, nobody is.
    """

    def __init__(self, options: Options, progress: Callable[[str], Progress] | None = None) -> None:
        self.options = options
        self._before: tuple[Any, Volume] | None = None
        self.progress = progress

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read one record, see :func:`bundle.images.pair.read_pair`."""
        options = options_for(data, self.options)
        shown = self.progress is not None and get_worker_info() is None
        progress = self.progress(data["id"]) if self.progress and shown else SILENT
        key = (data["fixed"], options.frame, options.fixed_frame, options.spacing)
        if self._before and (self._before[0] != key or options.series):
            self._before = None  # before another one takes memory
        fixed = self._before[1] if self._before else data["fixed"]
        pair = read_pair(fixed, data["moving"], options, progress)
        if isinstance(pair, VolumePair) and not options.series:
            self._before = key, pair.fixed
        return {**data, PAIR: pair, PROGRESS: progress}


class InitializePaird(Transform):
    """Bring the volumes under ``pair`` together linearly, see :func:`registration.initialize`.

    Args:
        options: how; a record's own ``initial_transform`` comes first.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Initialise one record."""
        options = options_for(data, self.options)
        return {**data, PAIR: initialize(data[PAIR], options, data[PROGRESS])}


class PairInferer(Inferer):
    """Register and fuse a pair.

    Args:
        options: how.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options

    def __call__(  # type: ignore[override]
        self, inputs: Any, network: Any, *args: Any, **kwargs: Any
    ) -> FusedPair:
        """Register and fuse.

        Args:
            inputs: the record of a pair that was read, and initialised.
            network: :class:`bundle.networks.BiMSRec` in evaluation mode.
            *args: not used.
            **kwargs: not used.
        """
        pair, progress = inputs[PAIR], inputs[PROGRESS]
        return fuse(register(pair, network, self.options, progress), network, progress)


class SavePaird(Transform):
    """Write what lies under ``pred``; adds ``report``.

    Args:
        options: what the pair was made with.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write one record, see :func:`bundle.results.write`."""
        options, folder = options_for(data, self.options), Path(data["output_dir"])
        return {**data, "report": write(data["pred"], folder, options, data[PROGRESS])}
