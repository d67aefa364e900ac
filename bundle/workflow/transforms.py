"""The steps of a pair as MONAI dictionary transforms, for ``configs/inference.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.inferers import Inferer
from monai.transforms import Transform

from bundle.fusion import FusedPair, fuse
from bundle.images.pair import VolumePair, read_pair
from bundle.images.volume import Volume
from bundle.options import Options
from bundle.registration import initialize, register
from bundle.results.folder import require_writable
from bundle.results.writing import write
from bundle.workflow.datalist import FILES, options_for

PAIR = "pair"
"""Key of the pair as it was read, and after its start."""


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
    """Read what lies under ``fixed`` and ``moving``; adds ``pair``.

    Where a record has the fixed volume of the one before, it is not read again.

    Args:
        options: how; what a record says of itself comes first.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._before: tuple[Any, Volume] | None = None

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read one record, see :func:`bundle.images.pair.read_pair`."""
        options = options_for(data, self.options)
        key = (data["fixed"], options.frame, options.fixed_frame, options.spacing)
        if self._before and (self._before[0] != key or options.series):
            self._before = None  # before another one takes memory
        fixed = self._before[1] if self._before else data["fixed"]
        pair = read_pair(fixed, data["moving"], options)
        if isinstance(pair, VolumePair) and not options.series:
            self._before = key, pair.fixed
        return {**data, PAIR: pair}


class InitializePaird(Transform):
    """Bring the volumes under ``pair`` together linearly, see :func:`registration.initialize`.

    Args:
        options: how; a record's own ``initial_transform`` comes first.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Initialise one record."""
        return {**data, PAIR: initialize(data[PAIR], options_for(data, self.options))}


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
            inputs: the pair, as it was read or initialised.
            network: :class:`bundle.networks.BiMSRec` in evaluation mode.
            *args: not used.
            **kwargs: not used.
        """
        return fuse(register(inputs, network, self.options), network)


class SavePaird(Transform):
    """Write what lies under ``pred``; adds ``report``.

    Args:
        options: what the pair was made with.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write one record, see :func:`bundle.results.write`."""
        options = options_for(data, self.options)
        return {**data, "report": write(data["pred"], Path(data["output_dir"]), options)}
