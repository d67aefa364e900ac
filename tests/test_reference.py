"""docs/reference.md against the configurations and scripts that it lists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bundle.options import Options
from scripts import cli

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
PARTS = """imports network_def network options preprocessing dataset dataloader inferer
    postprocessing handlers progress evaluator loss optimizer train lr_scheduler validate initialize
    run training evaluate evaluating"""
"""Ids of what a configuration is built of; all others are settings."""


def _config(name: str) -> dict:
    return json.loads((ROOT / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def _rows(name: str) -> dict[str, str]:
    """Ids and defaults in the section of a configuration."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"`configs/{name}.json`")]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["inference", "train", "evaluate"])
def test_every_setting_is_listed_with_its_default(name):
    config = _config(name)
    settings = {
        key: value
        for key, value in config.items()
        if key not in PARTS.split() and "#" not in key and not key.startswith("+")
    }
    if name == "inference":  # docs/options.md has these
        settings = {
            key: value for key, value in settings.items() if key not in Options.model_fields
        }
    rows = _rows(name)
    columns = {"SD", "RES", "Delta_E", "displacement", "Bright"}
    assert set(rows) - columns == set(settings)
    for key, value in settings.items():
        if isinstance(value, str) and value[0] in "$@":
            folder = re.search(r"@bundle_root \+ '/(.*)'$", value)
            assert not folder or rows[key] == folder[1]
        else:
            assert rows[key] == _shown(value), key


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def test_every_configuration_and_script_is_listed():
    for path in (ROOT / "configs").rglob("*.json"):
        assert f"{path.relative_to(ROOT).as_posix()}`" in PAGE or path.name == "metadata.json"
    for path in (ROOT / "scripts").glob("*.py"):
        known = {"__init__", "slicer_client", *cli.HELPERS}
        if path.stem not in known:
            assert f"`{path.stem}`" in PAGE
