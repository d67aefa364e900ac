"""Refuse options that no configuration knows, and devices that are not there."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, run
from monai.bundle.config_item import ComponentLocator
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS
from monai.utils import optional_import

from bundle.errors import InputError


def refuse_unknown_options(arguments: Sequence[str] | None = None) -> None:
    """Compare the options of ``python -m monai.bundle run`` with the ids of its configurations.

    MONAI itself takes unknown ids silently. Also tries ``--device``.

    Args:
        arguments: the command line, by default the process's own; any other command passes.

    Raises:
        InputError: an option is neither an id nor one of MONAI's own (names the nearest one),
            or the device cannot be used.
    """
    arguments = sys.argv if arguments is None else arguments
    if Path(arguments[0]).parts[-3:] != ("monai", "bundle", "__main__.py"):
        return
    given = _options(arguments)
    own = set(inspect.signature(run).parameters) - {"override"}
    config = _configuration(given.get("config_file", ""))
    tracking = _tracking(given.get("tracking", ""))
    for name in given:
        if name not in own:
            _refuse_unknown_id(name, {"bundle_root": "."} | tracking | config, own)
    if "device" in given:
        check_device(given["device"])


def check_device(name: str) -> None:
    """Try whether torch can use a device.

    Args:
        name: such as ``cpu`` or ``cuda:1``, or the expression ``$torch.device('cuda:1')``; any
            other expression passes.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    quoted = re.fullmatch(r"""\$torch\.device\(['"](.*)['"]\)""", name)
    if name.startswith("$") and not quoted:
        return
    name = quoted[1] if quoted else name
    try:
        torch.zeros(1, device=torch.device(name))
    except Exception as error:  # each kind of device fails in a way of its own
        count = torch.cuda.device_count()
        gpus = ", ".join(f"cuda:{index}" for index in range(count)) or "no GPU that torch can use"
        raise InputError(
            f"--device {name}: cannot be used here; this machine has cpu and {gpus}"
        ) from error


def _refuse_unknown_id(name: str, config: Mapping[str, Any], own: Iterable[str]) -> None:
    """Follow an id such as ``train#trainer#max_epochs`` from level to level."""
    keys = name.replace("::", "#").split("#")
    place: Any = config
    for depth, key in enumerate(keys):
        known = {str(item) for item in _ids(place)} | (set(own) if depth == 0 else set())
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            path = "#".join([*keys[:depth], *near])
            hint = f"did you mean --{path}?" if near else "see the configuration for its ids"
            raise InputError(f"--{name}: unknown option; {hint}")
        place = _item(place, key)
        if place is None:  # an argument that the configuration leaves at its default
            return


def _item(place: Any, key: str) -> Any:
    return place[int(key)] if isinstance(place, list) else place.get(key)


def _ids(place: Any) -> Iterable[Any]:
    """What can stand below a place of the configuration; a component takes its arguments too."""
    if isinstance(place, list):
        return range(len(place))
    if not isinstance(place, Mapping):
        return []
    return {*place, *_arguments(place.get("_target_"))}


def _arguments(target: Any) -> set[str]:
    """Names of a component's arguments, and what MONAI itself reads beside them."""
    if not isinstance(target, str):
        return set()
    found = ComponentLocator().get_component_module_name(target)
    found = found[0] if isinstance(found, list) else found
    path = f"{found}.{target}" if found else target
    module, _, attribute = path.rpartition(".")
    component, there = optional_import(module, name=attribute)
    parts: list[Any] = [component] if there else []
    if inspect.isclass(component):  # a base class takes what **kwargs hands on
        parts = [vars(base)["__init__"] for base in inspect.getmro(component) if _has_init(base)]
    names = {name for part in parts for name in inspect.signature(part).parameters}
    return (names - {"self"}) | {"_disabled_", "_requires_", "_desc_", "_mode_"}


def _has_init(base: type) -> bool:
    return base is not object and "__init__" in vars(base)


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """Names and values of ``--name value`` and ``--name=value``."""
    options = {}
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word.startswith("--"):
            name, separator, value = word[2:].partition("=")
            options[name] = value if separator else following
    return options


def _configuration(files: str) -> dict[str, Any]:
    """What one file holds, or a list of files as MONAI takes it, merged."""
    if not files:
        return {}
    parser = ConfigParser()
    parser.read_config(ast.literal_eval(files) if files.startswith("[") else files)
    return parser.get()


def _tracking(file: str) -> dict[str, Any]:
    """The ids that tracking settings add, MONAI's own or those of a file."""
    own: dict[str, Any] = DEFAULT_EXP_MGMT_SETTINGS
    if file in own:
        return own[file]["configs"]
    return ConfigParser.load_config_file(file)["configs"] if Path(file).is_file() else {}
