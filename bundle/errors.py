"""Errors and remarks whose text is meant for the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NO_MEMORY = ("DefaultCPUAllocator", "Failed to allocate memory", "Cannot allocate memory")
"""What torch, ITK and the system say where there is none."""


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


def refuse_warnings(name: str, remarks: Iterable[Remark]) -> None:
    """Turn warnings into a refusal, as the option ``strict`` asks for.

    Args:
        name: of the file or pair.
        remarks: what was noticed; notes pass.

    Raises:
        InputError: there is a warning.
    """
    texts = [one.text.rstrip(".") for one in remarks if one.warning]
    if texts:
        raise InputError(f"{name}: {'; '.join(texts)}; correct it, or leave out strict")


def one_line(error: BaseException, *files: object) -> str:
    """Say in one line what went wrong.

    MONAI wraps whatever its transforms raise, so the chain of causes is searched for the
    :class:`InputError` it may hide; any other error is named by its type, with the version and how
    to see where it came from.

    Args:
        error: a caught exception.
        *files: that were worked on; an :class:`InputError` names them itself.

    Returns:
        the message without line breaks and without what cannot be printed.
    """
    cause = error
    while not isinstance(cause, InputError) and cause.__cause__ is not None:
        cause = cause.__cause__
    text = str(cause) if isinstance(cause, InputError) else _unexpected(cause, files)
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def _unexpected(error: BaseException, files: Sequence[object]) -> str:
    """What is said of an error that nobody foresaw."""
    from bundle import __version__

    names = f"{', '.join(map(str, files))}{': ' if files else ''}"
    if isinstance(error, MemoryError) or any(text in str(error) for text in NO_MEMORY):
        return f"{names}not enough memory; end other programs, or give smaller images"
    if "CUDA out of memory" in str(error):
        return f"{names}not enough memory on the GPU; end other programs, or add --device cpu"
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing not in ("", "bundle", "scripts"):
        return f"{names}the package {missing} is missing; install the bundle's requirements anew"
    said = f"{type(error).__name__}: {error}".rstrip(": .")
    return (
        f"{names}cannot be done ({said}; BiMSRec {__version__}); --debug shows where it stopped: "
        "please report it"
    )
