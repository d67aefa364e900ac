"""The steps of a pair as MONAI dictionary transforms, for ``configs/inference.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.inferers import Inferer
from monai.transforms import Transform

from bundle.fusion import FusedPair, fuse
from bundle.images.pair import read_pair
from bundle.options import Options
from bundle.registration import initialize, register
from bundle.results.folder import require_writable
from bundle.results.writing import write
from bundle.workflow.datalist import options_for

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
        sources = data["fixed"], data["moving"]
        require_writable(Path(data["output_dir"]), self.options.overwrite, *sources)
        return data


class ReadPaird(Transform):
    """Read what lies under ``fixed`` and ``moving``; adds ``pair``.

    Args:
        options: how; a record's own ``modality``, ``frame`` and ``series`` come first.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read one record, see :func:`bundle.images.pair.read_pair`."""
        options = options_for(data, self.options)
        return {**data, PAIR: read_pair(data["fixed"], data["moving"], options)}


class InitializePaird(Transform):
    """Bring the volumes under ``pair`` together linearly, see :func:`registration.initialize`.

    Args:
        options: how.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Initialise one record."""
        return {**data, PAIR: initialize(data[PAIR], self.options)}


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
        return {**data, "report": write(data["pred"], Path(data["output_dir"]), self.options)}
