"""Errors and remarks whose text is meant for the user."""

from __future__ import annotations

from dataclasses import dataclass


class InputError(ValueError):
    """What the user gave cannot be used; every error that a user can cure is one of these.

    The message is one line that names the file (or entry) and the remedy.

    Attributes:
        told: whether the user has seen the message already.
    """

    told = False


@dataclass(frozen=True)
class Remark:
    """Something that was noticed about an image or a result.

    Attributes:
        code: stable name, for programs.
        text: one sentence, for people; it names no file and no patient.
        warning: whether a person should look at it; else it is information.
    """

    code: str
    text: str
    warning: bool = True


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
