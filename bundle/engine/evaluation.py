"""Evaluation of the network on seeded deformations: data, one step, and the files written."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from bundle.data.aanlib import one_subject_of
from bundle.data.pairs import training_pairs, with_levels
from bundle.engine import reference_rows
from bundle.engine.parallel import gather_dealt, is_main_process
from bundle.engine.reference_rows import METHOD, as_written, picture_pair
from bundle.errors import InputError
from bundle.fields import picture_grid, to_itk, write_field
from bundle.metrics.summary import summarise
from bundle.metrics.tables import write_csv, write_json, write_markdown
from bundle.pictures.write import write_picture

logger = logging.getLogger(__name__)
METRICS = "metrics.csv"
ONE = "one"
"""The case of pairs that all show one subject."""

ROW_NOTES = (
    "`BiMSRec` is judged beside what needs no network: a copy of an input, the maximum without "
    "registration, blends of the maximum with the fixed image, and, as the ceiling of "
    "registration, the maximum by the true field. At the level aligned the network must leave "
    "the pair alone: `displacement` there is how far it moves it.",
    "`another patient's fixed`: the network got the same moving image beside the fixed image of "
    "another case (where there is one case only, of the slice half the list away). The measures "
    "are the pair's own: it must register clearly worse than the row `BiMSRec`.",
)


def evaluation_pairs(
    root: str | None, stride: int = 1, one_subject: Sequence[str] | None = None
) -> list[dict[str, str]]:
    """Validation pairs at every level.

    Args:
        root: folder in AANLIB's layout; None = the phantom.
        stride: keep every ``stride``-th pair.
        one_subject: modalities whose pairs all show one subject, whatever their names say; they
            become one case. None: AANLIB's PET, told by its names.

    Returns:
        as :func:`bundle.data.pairs.list_pairs`, with ``level``.

    Raises:
        InputError: see :func:`bundle.data.pairs.list_pairs`.
    """
    pairs = with_levels(training_pairs(root, "val"), stride)
    if one_subject is None:
        one_subject = one_subject_of(pairs)
    return [pair | ({"case": ONE} if pair["modality"] in one_subject else {}) for pair in pairs]


def prepare_output(output_dir: str, overwrite: bool = False) -> None:
    """Make the output folder.

    Args:
        output_dir: where the tables will lie.
        overwrite: replace tables that are there.

    Raises:
        InputError: the folder cannot be made, or holds ``metrics.csv`` already.
    """
    folder = Path(output_dir)
    if (folder / METRICS).exists() and not overwrite:
        raise InputError(
            f"{folder / METRICS}: exists already; name another output_dir or add --overwrite true"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made; name another output_dir") from error


def evaluate_step(engine: SupervisedEvaluator, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure the network and the reference rows on one pair.

    Args:
        engine: the evaluator; its network offers ``all_fields`` and ``register``.
        batch: one item of :class:`bundle.engine.control.ControlledDataset`, collated.

    Returns:
        per row of the tables ``modality``, ``level``, ``row``, ``case``, ``pair`` and the
        measures that belong to it.
    """
    pair = picture_pair(batch)
    network: Any = engine.network
    image = torch.cat([pair.fixed, pair.deformed], dim=1) / 255
    output = _infer(engine, network, image)
    flows = _infer(engine, lambda image: network.all_fields(image)["flows"], image)
    fused, ddf = output[:, :1] * 255, output[:, 1:]
    rows = reference_rows.method_row(pair, fused, ddf, flows)
    rows[METHOD] |= reference_rows.color_terms(fused, batch["deformed"], ddf)
    rows |= reference_rows.copy_rows(pair)
    rows |= reference_rows.known_field_rows(pair)
    rows |= reference_rows.blend_rows(pair, ddf)
    if "other_fixed" in batch:
        image = torch.cat([as_written(batch["other_fixed"] * 255), pair.deformed], dim=1) / 255
        rows |= reference_rows.control_row(pair, _infer(engine, network.register, image))
    ids = {name: batch[name][0] for name in ("modality", "level", "case")}
    ids["pair"] = batch["name"][0]
    return [{**ids, "row": name, **measures} for name, measures in rows.items()]


def _infer(engine: SupervisedEvaluator, function: Any, image: torch.Tensor) -> torch.Tensor:
    """Run a part of the network without gradients on its device; float32 on the CPU."""
    device = torch.device(engine.state.device)
    engine.network.eval()
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=engine.amp)
    with torch.no_grad(), autocast:
        return function(image.to(device, memory_format=torch.channels_last)).float().cpu()


class TableWriter:
    """Handler: ``metrics.csv``, ``summary.json`` and ``summary.md`` when all pairs are done.

    Where several processes share the pairs, the first one writes the tables of all.

    Args:
        output_dir: an existing folder.
    """

    def __init__(self, output_dir: str) -> None:
        self.folder = Path(output_dir)
        self.pairs: list[list[dict[str, Any]]] = []

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator that runs :func:`evaluate_step`."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _collect(self, engine: Engine) -> None:
        rows: Any = engine.state.output
        self.pairs.append(rows)

    def _write(self, _: Engine) -> None:
        rows = [row for pair in gather_dealt(self.pairs) for row in pair]
        if not is_main_process():
            return
        summary = summarise(rows)
        write_csv(rows, self.folder / METRICS)
        write_json(summary, self.folder / "summary.json")
        notes = [*case_notes(rows), *ROW_NOTES]
        write_markdown(summary, self.folder / "summary.md", "Evaluation of BiMSRec", notes)
        logger.info("%d rows in %s, tables in summary.md", len(rows), self.folder / METRICS)


def case_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how many pairs and cases each modality has.

    Args:
        rows: of the tables.

    Returns:
        a sentence or two per modality.
    """
    names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        names[row["modality"]][row["case"]].add(row["pair"])
    notes = []
    for modality, cases in names.items():
        count = sum(len(pairs) for pairs in cases.values())
        note = f"{modality}: {_plural(count, 'pair')} of {_plural(len(cases), 'case')}."
        if ONE in cases:
            note += " All its pairs are slices of one subject, whatever the names say."
        if len(cases) == 1:
            note += " Nothing here says how the method does on other patients."
        notes.append(note)
    return notes


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
        self.folder = Path(output_dir) / "fields"

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
