"""How a command tells what goes wrong, and how it ends."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from bundle.domain import MOVING
from bundle.errors import InputError, one_line
from bundle.options import Options, check_value
from bundle.paths import IN_CHECKOUT
from scripts.ending import STOPPED, Ended, ended_cleanly
from scripts.streams import tell

Result = TypeVar("Result")
logger = logging.getLogger("bundle")

FILES = ("fixed", "moving", "reference", "transform", "datalist", "input_dir")
"""Options that name what a command works on."""


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
        tell(STOPPED)
        raise SystemExit(130) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise SystemExit(
            f"error: {error.filename}: {error.strerror}; check the path, or name another"
        ) from error


def or_report(function: Callable[..., Result], *args: Any) -> Result:
    """Like :func:`or_exit`, and any other exception becomes one line too.

    It names the files, the version and how to get the trace.

    Args:
        function: what to call with ``args``.
        *args: passed on; files are named out of an ``argparse.Namespace`` among them.

    Raises:
        SystemExit: the function raised an exception.
        Ended: a signal ended the process.
    """
    with ended_cleanly():
        try:
            return or_exit(function, *args)
        except Ended:
            tell(STOPPED)
            raise
        except Exception as error:
            logger.debug("stopped", exc_info=True)
            raise SystemExit(f"error: {one_line(error, *_files(args))}") from error


def _files(args: Sequence[Any]) -> list[object]:
    """What a command was given to work on."""
    given = next((vars(one) for one in args if isinstance(one, argparse.Namespace)), {})
    return [given[name] for name in FILES if given.get(name)]


def require_png(path: Path) -> None:
    """Refuse another kind of picture, before any work.

    Raises:
        InputError: the name does not end in ``.png``.
    """
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the picture will be a PNG; name it .png")


def program(name: str) -> str:
    """How a command is called, for its usage line."""
    return f"python -m scripts.{name}" if IN_CHECKOUT else f"bimsrec {name}"


def show_traces(wanted: bool) -> None:
    """Show on stderr where errors come from, as the option ``--debug`` asks for."""
    if wanted:
        logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
        logger.setLevel(logging.DEBUG)


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--debug``."""
    parser.add_argument("--debug", action="store_true", help="show where errors come from")


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options of :class:`bundle.options.Options`, with its choices, defaults and help."""
    for name in names:
        field = Options.model_fields[name]
        choices = MOVING if name == "modality" else _texts(get_args(field.annotation))
        kind: dict[str, Any] = {"choices": choices} if choices else {}
        if name == "modality":
            kind["nargs"] = "+"
        if field.annotation is bool:
            kind = {"action": "store_true"}
        elif name in ("series", "matrices"):
            kind = {"nargs": "+"}
        elif name == "spacing":
            kind = {"nargs": 3, "metavar": ("X", "Y", "Z")}
        elif isinstance(field.default, tuple):
            kind = {"nargs": 2, "metavar": ("LOWER", "UPPER")}
        parser.add_argument(f"--{name}", default=field.default, help=field.description, **kind)


def given_options(parsed: argparse.Namespace, *others: str) -> dict[str, Any]:
    """What a command was given for options of :class:`bundle.options.Options`.

    Args:
        parsed: the command line.
        *others: options that are looked at elsewhere.

    Raises:
        InputError: a value cannot be.
    """
    names = [name for name in Options.model_fields if name not in others]
    given = {name: vars(parsed)[name] for name in names if name in vars(parsed)}
    for name, value in given.items():
        if value != Options.model_fields[name].default:
            check_value(name, value)
    return given


def _texts(choices: tuple[Any, ...]) -> tuple[str, ...]:
    return choices if all(isinstance(choice, str) for choice in choices) else ()
