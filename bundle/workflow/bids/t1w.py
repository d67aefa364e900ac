"""Which T1w an image is registered onto."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bundle.errors import InputError
from bundle.workflow.bids.names import BidsImage, require_in_place

PLAIN = "plain"
"""Stands for the T1w whose name has the fewest entities; entities themselves have a ``-``."""


def t1w_of(image: BidsImage, heads: Sequence[BidsImage], named: Collection[str]) -> BidsImage:
    """The T1w of the image's session; else the one without a session; else of another session.

    Args:
        image: the moving image.
        heads: every T1w.
        named: entities that tell which one of several, such as ``acq-mprage``, or ``plain``.

    Raises:
        InputError: there is none, it is not clear which one, or one lies with another subject.
    """
    ours = [head for head in heads if head.entities["sub"] == image.entities["sub"]]
    told = _chosen(ours, set(named) - {PLAIN}) if len(ours) > 1 else []  # of any session
    told = told or ours
    same = [head for head in told if head.session == image.session]
    found = same or [head for head in told if head.session is None] or told
    if not found:
        raise InputError(f"{image.path}: its subject has no T1w; add it")
    for head in found:  # before one is chosen: it may be another subject's
        require_in_place(head)
    chosen = _chosen(found, named) if len(found) > 1 else found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(head.path.name for head in chosen or found)
    which = "" if chosen else f", none with {', '.join(named)} in its name"
    raise InputError(
        f"{image.path}: there are several T1w ({names}){which}; name one by its entities, such as "
        "--t1w run-1, or the one of the shortest name by --t1w plain"
    )


def _chosen(heads: Sequence[BidsImage], named: Collection[str]) -> list[BidsImage]:
    """Those whose names have all the entities; of them the plain ones, if that is wanted."""
    found = [head for head in heads if set(named) - {PLAIN} <= set(head.stem.split("_"))]
    fewest = min((len(head.entities) for head in found), default=0)
    return [head for head in found if PLAIN not in named or len(head.entities) == fewest]
