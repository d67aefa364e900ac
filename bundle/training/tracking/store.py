"""Where records are kept, and what is said if that cannot be used."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from bundle.errors import InputError
from bundle.workflow.command_options import ENVIRONMENT

FAILURES = (MlflowException, SQLAlchemyError, OSError)
"""What a store raises that is full, closed or away."""

SQLITE = "sqlite:///"


def store_of(folder: str | Path) -> str:
    """The store of a run that names none: that of the environment, else a database in its folder.

    Args:
        folder: of the run.

    Returns:
        a URI. In that of a database nothing is escaped but what has to be: MLflow makes a folder
        of the name as it stands there.
    """
    database = (Path(folder).absolute() / "mlruns.db").as_posix()
    escaped = database.replace("%", "%25").replace("?", "%3F")
    return os.environ.get(ENVIRONMENT) or f"{SQLITE}{escaped}"


def artifacts_of(uri: str) -> str | None:
    """The folder ``mlruns`` beside a database, as a URI; of other stores None: they have one."""
    database = _database_of(uri)
    return (database.parent / "mlruns").as_uri() if database else None


def _database_of(uri: str) -> Path | None:
    """The file of a store that is a database of SQLite."""
    file = unquote(uri.removeprefix(SQLITE))
    return Path(file).absolute() if uri.startswith(SQLITE) else None


@contextmanager
def environment_left_out() -> Iterator[None]:
    """MONAI's handler prefers the store of the environment to the one that it is given."""
    given = os.environ.pop(ENVIRONMENT, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[ENVIRONMENT] = given


@contextmanager
def usable(uri: str) -> Iterator[None]:
    """Use a store.

    MLflow could not use a database that was not made whole: a new one is removed.

    Raises:
        InputError: it cannot be used.
    """
    database = _database_of(uri)
    new = database is not None and not database.exists()
    try:
        with untraced():
            yield
    except FAILURES as error:
        if database and new:
            database.unlink(missing_ok=True)
        raise InputError(
            f"{uri}: MLflow cannot keep records there ({reason(error)}); make room, or name "
            "another place"
        ) from error


@contextmanager
def untraced() -> Iterator[None]:
    """Keep MLflow from printing the trace of what it then raises."""
    log = logging.getLogger("mlflow.store.db.utils")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def reason(error: BaseException) -> str:
    """What the database or the system said, in one line: MLflow adds its statements to it."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(said.split()) or type(error).__name__
