"""Refuse options that no configuration knows: MONAI takes them silently."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path

from monai.bundle import ConfigParser, run

from bundle.errors import InputError


def refuse_unknown_options(arguments: Sequence[str] | None = None) -> None:
    """Compare the options of ``python -m monai.bundle run`` with the ids of its configurations.

    Args:
        arguments: the command line, by default the process's own; any other command passes.

    Raises:
        InputError: an option is neither an id nor one of MONAI's own; names the nearest one.
    """
    arguments = sys.argv if arguments is None else arguments
    if Path(arguments[0]).parts[-3:] != ("monai", "bundle", "__main__.py"):
        return
    given = _options(arguments)
    own = set(inspect.signature(run).parameters) - {"override"}
    known = own | {"bundle_root"} | set(_configured(given.get("config_file", "")))
    for name in given:
        first = name.replace("::", "#").split("#")[0]
        if first not in known:
            near = difflib.get_close_matches(first, sorted(known), n=1)
            hint = f"did you mean --{near[0]}?" if near else "see the configuration for its ids"
            raise InputError(f"--{name}: unknown option; {hint}")


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """Names and values of ``--name value`` and ``--name=value``."""
    options = {}
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word.startswith("--"):
            name, separator, value = word[2:].partition("=")
            options[name] = value if separator else following
    return options


def _configured(files: str) -> list[str]:
    """Top-level ids of one file, or of a list of files as MONAI takes it."""
    if not files:
        return []
    names = ast.literal_eval(files) if files.startswith("[") else files
    return [str(key).lstrip("+~") for key in ConfigParser.load_config_files(names)]
