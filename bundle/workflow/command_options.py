"""Refuse options that no configuration knows, and expressions that are none."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, run
from monai.bundle.config_item import ComponentLocator
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS
from monai.utils import optional_import

from bundle.errors import InputError, one_line
from bundle.networks import usable_device
from bundle.options import check_value

ENVIRONMENT = "MLFLOW_TRACKING_URI"
"""The variable that names a tracking store, of MLflow's own."""


def refuse_unknown_options(arguments: Sequence[str] | None = None) -> None:
    """Compare the options of ``python -m monai.bundle run`` with the ids of its configurations.

    MONAI itself takes unknown ids silently. Also reads each expression, looks at the values of the
    commonest options and tries ``--device``.

    Args:
        arguments: the command line, by default the process's own; any other command passes.

    Raises:
        InputError: an option is neither an id nor one of MONAI's own (names the nearest one), a
            value that starts with ``$`` is not a Python expression, a value cannot be, or the
            device cannot be used.
    """
    arguments = sys.argv if arguments is None else arguments
    if Path(arguments[0]).parts[-3:] != ("monai", "bundle", "__main__.py"):
        return
    given = _options(arguments)
    own = set(inspect.signature(run).parameters) - {"override"}
    config = configuration(given.get("config_file", ""))
    tracking = _tracking(given.get("tracking", ""))
    for name in given:
        if name not in own:
            refuse_unknown_id(name, {"bundle_root": "."} | tracking | config, own)
        check_expression(name, given[name])
        if not given[name].startswith(("$", "@")):
            _check_plain(name, given[name])
    if "device" in given:
        usable_device(_evaluated("device", given["device"], config))


def _check_plain(name: str, value: str) -> None:
    """Look at a value that is no expression."""
    check_value(name, value)
    if name == "tracking_uri":
        check_store(value)
    if name == "palette_dir" and not Path(value).is_dir():
        raise InputError(f"--{name} {value}: no such folder; check the path")


def check_store(uri: str) -> None:
    """Look whether MLflow can keep records there: it no longer keeps them in plain folders.

    Args:
        uri: of a tracking store.

    Raises:
        InputError: it is a folder.
    """
    known = "://" in uri or uri.split("-")[0] == "databricks"
    if not known or uri.startswith("file:"):
        name = ENVIRONMENT if uri == os.environ.get(ENVIRONMENT) else "--tracking_uri"
        raise InputError(
            f"{name} {uri}: MLflow no longer keeps records in folders; give sqlite:///FILE.db"
        )


def check_expression(name: str, value: str) -> None:
    """Read a value as MONAI will: Python behind a ``$``, with ``@id`` for what stands elsewhere.

    Args:
        name: of the option.
        value: its value; any that does not start with ``$``, or imports, passes.

    Raises:
        InputError: it is not a Python expression.
    """
    if not value.startswith("$") or value[1:].lstrip().startswith(("import ", "from ")):
        return
    code = re.sub(r"@\w+(?:(?:#|::)\w+)*", "_", value[1:]).strip()
    try:
        ast.parse(code, mode="eval")
    except (SyntaxError, ValueError) as error:  # ValueError: a NUL character
        raise InputError(
            f"--{name} {value}: is not a Python expression ({error.args[0]}); correct it, or "
            "leave the $ out to give a plain value"
        ) from error


def _evaluated(name: str, value: str, config: Mapping[str, Any]) -> str:
    """What an expression yields with the imports of the configuration; other values as they are."""
    if not value.startswith("$"):
        return value
    parser = ConfigParser({**config, name: value})
    try:
        return str(parser.get_parsed_content(name))
    except Exception as error:  # whatever the expression raises, MONAI wraps it
        raise InputError(
            f"--{name} {value}: cannot be evaluated ({_first(error)}); correct it, or give a plain "
            "value such as cpu or cuda:0"
        ) from error


def _first(error: BaseException) -> str:
    """The error that MONAI wrapped, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)


def refuse_unknown_id(name: str, config: Mapping[str, Any], own: Iterable[str] = ()) -> None:
    """Follow an id such as ``train#trainer#max_epochs`` from level to level.

    Raises:
        InputError: it leads nowhere.
    """
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
            alone = following.startswith("--") or not following
            options[name] = value if separator else "true" if alone else following
    return options


def configuration(files: str) -> dict[str, Any]:
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
    if file and not Path(file).is_file():
        raise InputError(f"--tracking {file}: no such file, and not mlflow; check the path")
    return ConfigParser.load_config_file(file)["configs"] if file else {}
