"""How a command tells what goes wrong, and how it ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from bundle.domain import MODALITIES
from bundle.errors import InputError, one_line
from bundle.options import Options, check_value

Result = TypeVar("Result")


def or_exit(function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Call a function for a command: what the user can cure becomes one line and exit status 1.

    That is an :class:`InputError`, or a file or folder that cannot be read or written.

    Configuration files use it for what they evaluate themselves, where MONAI would otherwise
    print a chain of tracebacks.

    Args:
        function: what to call with ``args`` and ``kwargs``.
        *args: passed on.
        **kwargs: passed on.

    Returns:
        the function's result.

    Raises:
        SystemExit: the function raised an :class:`InputError` or an ``OSError`` of a file; the
            interpreter prints the message on stderr and exits with status 1. With status 130 after
            Ctrl-C.
    """
    try:
        return function(*args, **kwargs)
    except InputError as error:
        if error.told:
            raise SystemExit(1) from error
        raise SystemExit(f"error: {one_line(error)}") from error
    except KeyboardInterrupt:
        tell("stopped; results that are complete stay")
        raise SystemExit(130) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise SystemExit(
            f"error: {error.filename}: {error.strerror}; check the path, or name another"
        ) from error


def tell(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr)


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options of :class:`bundle.options.Options`, with its choices, defaults and help."""
    for name in names:
        field = Options.model_fields[name]
        choices = MODALITIES if name == "modality" else _texts(get_args(field.annotation))
        kind: dict[str, Any] = {"choices": choices} if choices else {}
        if field.annotation is bool:
            kind = {"action": "store_true"}
        elif name == "series":
            kind = {"nargs": "+"}
        elif isinstance(field.default, tuple):
            kind = {"nargs": 2, "metavar": ("LOWER", "UPPER")}
        parser.add_argument(f"--{name}", default=field.default, help=field.description, **kind)


def given_options(parsed: argparse.Namespace) -> dict[str, Any]:
    """What a command was given for options of :class:`bundle.options.Options`.

    Raises:
        InputError: a value cannot be.
    """
    given = {name: vars(parsed)[name] for name in Options.model_fields if name in vars(parsed)}
    for name, value in given.items():
        if value != Options.model_fields[name].default:
            check_value(name, value)
    return given


def _texts(choices: tuple[Any, ...]) -> tuple[str, ...]:
    return choices if all(isinstance(choice, str) for choice in choices) else ()
