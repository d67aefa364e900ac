"""Tell the layout of a folder by what lies in it, and check it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import InputError
from bundle.training.verify import heads, pairs, stacks
from bundle.training.verify.findings import SPLITS, Finding


@dataclass(frozen=True)
class Layout:
    """A way of laying out training data.

    Attributes:
        present: whether a folder holds some of it.
        verify: everything about it that the user should know, given the splits that are needed.
        summary: what it holds, in lines.
    """

    present: Callable[[Path], bool]
    verify: Callable[[Path, Sequence[str]], list[Finding]]
    summary: Callable[[Path], list[str]]


LAYOUTS = (
    Layout(pairs.present, pairs.verify, pairs.summary),
    Layout(stacks.present, stacks.verify, stacks.summary),
    Layout(heads.present, heads.verify, heads.summary),
)


def verify_folder(root: str | Path, splits: Sequence[str] = SPLITS) -> list[Finding]:
    """Check whatever is wrong with a folder of pairs, of stacks or of tissue maps.

    Args:
        root: a folder laid out as :func:`bundle.training.pairs.list_pairs`,
            :func:`bundle.training.stacks.listing.list_stack_slices` or
            :func:`bundle.training.heads.pairs.list_head_slices` says.
        splits: those that are needed; others are checked where they are there.

    Returns:
        all findings, errors first.
    """
    root = Path(root)
    if not root.is_dir():
        return [Finding(f"{root}: no such folder; check the path")]
    found = [layout for layout in LAYOUTS if layout.present(root)]
    if not found:
        return [
            Finding(
                f"{root}: unknown layout; it needs at least one of the folders "
                f"{', '.join(pairs.FOLDERS)}, or train/PATIENT/*.nii.gz, or head_NN.nii.gz"
            )
        ]
    findings = [finding for layout in found for finding in layout.verify(root, splits)]
    return sorted(findings, key=lambda finding: not finding.error)


def require_usable(root: str | Path, split: str) -> None:
    """Stop before anything runs if a folder has an error.

    Args:
        root: the folder.
        split: the one that is needed.

    Raises:
        InputError: the first error of :func:`verify_folder`.
    """
    errors = [finding for finding in verify_folder(root, [split]) if finding.error]
    if errors:
        more = f" ({len(errors) - 1} more: python -m scripts.verify_data {root})"
        raise InputError(errors[0].message + (more if len(errors) > 1 else ""))


def summary(root: str | Path) -> list[str]:
    """What a folder holds, a line for each kind."""
    root = Path(root)
    return [line for layout in LAYOUTS if layout.present(root) for line in layout.summary(root)]
