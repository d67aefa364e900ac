"""What the results page says beside its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OTHER_DIGITS = (
    "The paper's rows are its printed ones. They cannot be compared with ours digit by digit: "
    "the paper does not define its measures to the last parameter, its test pairs and "
    "deformations are not published, and no common definition reproduces its printed rows of "
    "other methods. Ours are means of the two sources over the validation pairs."
)
BASELINES = (
    "From `python -m scripts.baselines`, fusion by the maximum; more in "
    "[baselines.md](baselines.md). `seconds`: processor time per pair on one thread."
)
ANATOMY_NOTE = (
    "Dice of warped tissue labels and landmark error (px), on the phantom. Labels are resampled "
    "twice by nearest neighbour: the true field's row is the ceiling."
)
PICTURES = {
    "methods.png": "Fusion by method",
    "ablation.png": "Fusion by variant of the ablation",
    "fields.png": "The fields of one pair",
}
PICTURES_NOTE = (
    "From `python -m scripts.figures`: pairs of the phantom's evaluation, level medium. Fields are "
    "drawn as grids; beneath the name stands the error (EPE)."
)
COLOR_NOTE = (
    "Mean distance in the (a*, b*) plane of CIELAB between the colour fusion and the warped "
    "moving picture, over coloured pixels."
)
BRIGHT_NOTE = (
    "`Bright`: mean of fused over warped, at most 1, where the warped picture is nearly white "
    "(230 of 255 or more; 0.15 % of the pixels at least): bone in CT. 1 is all of it."
)


SPREAD = (
    "Standard deviations, 95 % intervals over cases and the worst pair of every figure are in the "
    "command's `summary.md`."
)


def origin_note(run: Mapping[str, Any], own_weights: str | None) -> str:
    """Which weights the figures belong to, where that is known.

    Args:
        run: ``run.json`` of the evaluation; empty where an older one has none.
        own_weights: of this repository, see :func:`bundle.networks.weights.weights_sha256`.
    """
    text = "Made by `python -m scripts.results` out of the tables of this command"
    weights, size = run.get("weights_sha256"), run.get("image_size")
    if weights:
        text += ", with "
        text += "the weights of this repository" if weights == own_weights else f"weights {weights}"
    if size:
        text += f", at {size} px"
    return text + ":"


def ablation_note(budget: Mapping[str, Any] | None) -> str:
    """What the variants of the ablation were trained with.

    Args:
        budget: ``budget.json`` of ``scripts.ablation``; None where it is not known.
    """
    text = (
        "Ours (`python -m scripts.ablation`; EPE in px of 256): every variant from nothing with "
        "the same data, seed and budget"
    )
    if budget:
        fusion = budget["fusion_epochs"]
        parts = f", then {fusion} of fusion" if fusion else ""
        text += (
            f", {budget['max_epochs']} epochs{parts}, batches of {budget['batch_size']}, seed "
            f"{budget['seed']}, at {budget['image_size']} px"
        )
    return text + (
        ". `paper recipe` has the paper's losses and optimiser. Where this differs from the "
        "paper's ranking, and why: [checks.md](checks.md#ablation)."
    )
