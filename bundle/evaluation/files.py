"""What an evaluation leaves in its folder: tables, what was evaluated, pictures and fields."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from bundle.domain import LEVELS
from bundle.errors import InputError
from bundle.evaluation.evaluation import ONE
from bundle.geometry.fields import picture_grid, to_itk, write_field
from bundle.images.pictures import write_picture
from bundle.metrics.summary import summarise
from bundle.metrics.tables import write_csv, write_json, write_markdown
from bundle.networks.weights import weights_sha256
from bundle.workflow.parallel import gather_dealt, is_main_process, wait_for_all

logger = logging.getLogger(__name__)
METRICS = "metrics.csv"
SUMMARY = "summary.json"
PAGE = "summary.md"
RUN = "run.json"
FIELDS = "fields"

SMALLEST = 44
"""Pixels per side that the measures of fusion need: three scales with windows of 11."""

ROW_NOTES = (
    "`BiMSRec` is judged beside what needs no network: a copy of an input, the maximum without "
    "registration, blends of the maximum with the fixed image, and, as the ceiling of "
    "registration, the maximum by the true field. At the level aligned the network must leave "
    "the pair alone: `displacement` there is how far it moves it.",
    "`another patient's fixed`: the network got the same moving image beside the fixed image of "
    "another case (where there is one case only, of the slice half the list away). The measures "
    "are the pair's own: it must register clearly worse than the row `BiMSRec`. A modality "
    "with one pair has no such row.",
)


def require_size(image_size: int) -> None:
    """Refuse pictures that are too small for the measures, before any work.

    Args:
        image_size: pixels per side.

    Raises:
        InputError: there are fewer than ``SMALLEST``.
    """
    if image_size < SMALLEST:
        raise InputError(
            f"--image_size {image_size}: give {SMALLEST} or more, which the measures of fusion need"
        )


def refuse_initial_weights(initial_weights: str | None) -> None:
    """Refuse weights that training begins with: an evaluation takes none.

    Raises:
        InputError: some are named.
    """
    if initial_weights is not None:
        raise InputError(
            f"initial_weights {initial_weights}: training begins with them; name the weights to "
            "evaluate with --checkpoint"
        )


def prepare_output(output_dir: str, overwrite: bool = False) -> None:
    """Make the output folder.

    Args:
        output_dir: where the files will lie.
        overwrite: let :func:`evaluate` replace those of an earlier evaluation.

    Raises:
        InputError: the folder cannot be made, or holds files of an earlier evaluation.
    """
    folder = Path(output_dir)
    older = _written(folder)
    if older and not overwrite:
        raise InputError(
            f"{older[0]}: exists already; name another output_dir or add --overwrite true"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made; name another output_dir") from error


def evaluate(evaluator: Engine, output_dir: str) -> None:
    """Run an evaluator in place of an earlier evaluation, whose files are removed.

    They are kept until everything that the evaluator needs is there.

    Args:
        evaluator: with a :class:`TableWriter`.
        output_dir: see :func:`prepare_output`.

    Raises:
        OSError: an older file cannot be removed.
    """
    wait_for_all()  # nobody writes before everybody has looked, nor before the older files are gone
    if is_main_process():
        for path in _written(Path(output_dir)):
            path.unlink()
    wait_for_all()
    evaluator.run()


def _written(folder: Path) -> list[Path]:
    """Files of an evaluation in a folder; others there belong to the user."""
    tables = [folder / name for name in (METRICS, SUMMARY, PAGE, RUN)]
    endings = [f"{level}{suffix}" for level in LEVELS for suffix in (".nii.gz", ".png")]
    fields = [path for ending in endings for path in sorted(folder.glob(f"{FIELDS}/*_{ending}"))]
    return [path for path in (*tables, *fields) if path.is_file()]


class TableWriter:
    """Handler: the tables and ``run.json``, what was evaluated, when all pairs are done.

    Where several processes share the pairs, the first one writes the tables of all.

    Args:
        output_dir: an existing folder.
        checkpoint: the file of the weights.
        image_size: pixels per side of the network's input.
    """

    def __init__(
        self, output_dir: str, checkpoint: str | None = None, image_size: int | None = None
    ) -> None:
        self.folder = Path(output_dir)
        self.pairs: list[list[dict[str, Any]]] = []
        # Now and not when the tables are written: a training may replace the file meanwhile.
        self.settings = {"weights_sha256": weights_sha256(checkpoint), "image_size": image_size}

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator that runs :func:`bundle.evaluation.evaluation.evaluate_step`."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _collect(self, engine: Engine) -> None:
        rows: Any = engine.state.output
        self.pairs.append(rows)

    def _write(self, _: Engine) -> None:
        rows = [row for pair in gather_dealt(self.pairs) for row in pair]
        if not is_main_process():
            return
        summary, notes = summarise(rows), case_notes(rows)
        write_csv(rows, self.folder / METRICS)
        write_json(summary, self.folder / SUMMARY)
        write_markdown(summary, self.folder / PAGE, "Evaluation of BiMSRec", [*notes, *ROW_NOTES])
        data = {"pairs": pair_counts(rows), "notes": notes}
        write_json(self.settings | data, self.folder / RUN)
        logger.info("%d rows in %s, tables in %s", len(rows), self.folder / METRICS, PAGE)


def case_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how many pairs and cases each modality has.

    Args:
        rows: of the tables.

    Returns:
        a sentence or two per modality.
    """
    notes = []
    counts = pair_counts(rows)
    for modality, cases in _cases(rows).items():
        note = f"{modality}: {_plural(counts[modality], 'pair')} of {_plural(len(cases), 'case')}."
        if ONE in cases:
            note += " All its pairs are slices of one subject, whatever the names say."
        if len(cases) == 1:
            note += " Nothing here says how the method does on other patients."
        notes.append(note)
    return notes


def pair_counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of pairs of each modality, whatever the number of levels.

    Args:
        rows: of the tables.
    """
    return {
        modality: sum(len(pairs) for pairs in cases.values())
        for modality, cases in _cases(rows).items()
    }


def _cases(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, set[str]]]:
    """Modality to case to the names of its pairs."""
    names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        names[row["modality"]][row["case"]].add(row["pair"])
    return names


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class DeformationWriter:
    """Handler: the deformed pictures and true fields, so that others can use the same inputs.

    Writes ``fields/<modality>_<name>_<level>.nii.gz``, an ITK displacement field in pixels that
    takes the deformed moving picture back onto the fixed one, and the deformed picture's
    luminance as ``.png`` beside it.

    Args:
        output_dir: an existing folder.
    """

    def __init__(self, output_dir: str) -> None:
        self.folder = Path(output_dir) / FIELDS

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator with batches of one pair."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write one pair's files."""
        self.folder.mkdir(exist_ok=True)
        batch: Any = engine.state.batch
        stem = "_".join(batch[key][0] for key in ("modality", "name", "level"))
        grid = picture_grid(*batch["ddf"].shape[-2:])
        write_field(to_itk(batch["ddf"][0], grid), self.folder / f"{stem}.nii.gz")
        write_picture(batch["deformed"][0, :1] * 255, self.folder / f"{stem}.png")
