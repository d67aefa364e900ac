"""Errors whose message is meant for the user, and how a command ends on one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class InputError(ValueError):
    """What the user handed over cannot be used.

    The message is one line that names the file (or entry) and the mend.
    """


def one_line(error: BaseException) -> str:
    """Say in one line what went wrong.

    MONAI wraps whatever its transforms raise, so the chain of causes is searched for the
    :class:`InputError` it may hide; any other error is named by its type.

    Args:
        error: a caught exception.

    Returns:
        the message without line breaks.
    """
    cause = error
    while not isinstance(cause, InputError) and cause.__cause__ is not None:
        cause = cause.__cause__
    text = str(cause) if isinstance(cause, InputError) else f"{type(cause).__name__}: {cause}"
    return " ".join(text.split())


def or_exit(function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Call a function for a command: what the user can mend becomes one line and exit status 1.

    That is an :class:`InputError`, or a file or folder that cannot be read or written.

    Configuration files use it for what they evaluate themselves, where MONAI would otherwise
    print a chain of tracebacks.

    Args:
        function: what to call with ``args`` and ``kwargs``.
        *args: handed on.
        **kwargs: handed on.

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
        raise SystemExit(f"error: {one_line(error)}") from error
    except KeyboardInterrupt:
        print("stopped; results that are complete stay", file=sys.stderr)
        raise SystemExit(130) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise SystemExit(
            f"error: {error.filename}: {error.strerror}; check the path, or name another"
        ) from error
