"""Where the bundle and what it ships lie."""

from __future__ import annotations

from pathlib import Path

_HOME = Path(__file__).resolve().parents[1]
_INSTALLED = _HOME / "bimsrec"

IN_CHECKOUT = not (_INSTALLED / "configs").is_dir()
"""Whether this is a checkout of the repository, not the installed package."""

ROOT = _HOME if IN_CHECKOUT else _INSTALLED
"""The bundle root: the folder of ``configs/``, ``models/`` and ``scripts/``."""

MODEL = ROOT / "models" / "model.pt"
"""The trained weights of BiMSRec."""

COMBINER = ROOT / "models" / "combiner.pt"
"""The trained weights of the network that combines two fields of a volume."""

OUT = (ROOT if IN_CHECKOUT else Path.cwd()) / "out"
"""Where the phantom is made and results go by default."""
