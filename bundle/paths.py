"""Where the bundle and what it ships lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The bundle root: the folder of ``configs/`` and ``models/``."""

MODEL = ROOT / "models" / "model.pt"
"""The trained weights."""
