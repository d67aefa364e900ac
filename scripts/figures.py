"""Draw the paper's figures 2 and 3 and the ten fields, on pairs of the project's phantom.

Run from the repository root::

    python -m scripts.figures --ablation out/ablation --output_dir docs/images

``methods.png``: the fusion of every method side by side. ``ablation.png``: that of the variants
which ``scripts.ablation`` trained, where its folder is there. ``fields.png``: the fields of one
pair as grids, with their errors. One pair per modality of the evaluation on the phantom.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.utils import optional_import
from torch.utils.data import default_collate

from bundle.domain import LEVELS
from bundle.evaluation.baselines.compare import Registration, evaluation_data
from bundle.evaluation.baselines.simpleitk import affine_bspline
from bundle.evaluation.checks.network import shipped_network
from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION, TRUE_FIELD, picture_pair
from bundle.evaluation.tables.sheets import colored, contact_sheet, field_sheet, titled
from bundle.metrics.endpoint_error import endpoint_error
from bundle.networks.weights import load_weights
from bundle.paths import ROOT
from scripts.ablation import VARIANTS
from scripts.command import or_exit, program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if an option cannot be used.
    """
    parser = argparse.ArgumentParser(prog=program("figures"), description=__doc__)
    parser.add_argument("--checkpoint", default="models/model.pt")
    parser.add_argument("--ablation", default="out/ablation", help="folder of scripts.ablation")
    parser.add_argument("--output_dir", default="docs/images", help="where the pictures go")
    parser.add_argument("--level", choices=list(LEVELS), default="medium")
    parser.add_argument("--image_size", type=int, choices=(64, 128, 256), default=256)
    or_exit(_run, parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> None:
    network = shipped_network(options.checkpoint, options.image_size)
    items = _one_per_modality(options.image_size, options.level)
    folder = Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    contact_sheet(
        {name: _methods(item, network) for name, item in items.items()}, folder / "methods.png"
    )
    _draw_fields(next(iter(items.values())), network, folder / "fields.png")
    variants = _variants(Path(options.ablation), 256 // options.image_size)
    if variants:
        rows = {
            name: {variant: _fused(item, one) for variant, one in variants.items()}
            for name, item in items.items()
        }
        contact_sheet(rows, folder / "ablation.png")
    print(f"pictures written to {folder}")


def _one_per_modality(size: int, level: str) -> dict[str, dict[str, Any]]:
    """The first pair of each modality of the evaluation on the phantom, as a batch of one."""
    items: dict[str, dict[str, Any]] = {}
    data: Any = evaluation_data(None, size, levels=[level])
    for index in range(len(data)):
        item = data[index]
        items.setdefault(item["modality"], default_collate([item]))
    return items


def _methods(item: dict[str, Any], network: Any) -> dict[str, np.ndarray]:
    """Both sources and what each method makes of them."""
    pair = picture_pair(item)
    zero = torch.zeros_like(pair.true_ddf)
    ddfs = {NO_REGISTRATION: zero}
    for name, register in _registrations().items():
        ddfs[f"{name} + maximum"] = register(pair.fixed, pair.deformed)
    pictures = {
        "fixed": colored(pair.fixed, torch.zeros_like(item["deformed"]), zero),
        "moving": colored(pair.deformed, item["deformed"], zero),
    }
    for name, ddf in ddfs.items():
        pictures[name] = _maximum(item, ddf)
    pictures[METHOD] = _fused(item, network)
    pictures[TRUE_FIELD] = _maximum(item, pair.true_ddf)
    return {name.replace(" + ", "\n+ "): picture for name, picture in pictures.items()}


def _registrations() -> dict[str, Registration]:
    """Methods that need no training; ANTs where it is installed."""
    methods: dict[str, Registration] = {"SimpleITK": affine_bspline}
    if optional_import("ants")[1]:
        from bundle.evaluation.baselines.ants import syn

        methods["ANTs SyN"] = syn
    return methods


def _maximum(item: dict[str, Any], ddf: torch.Tensor) -> np.ndarray:
    """The maximum of both sources after warping by a field, in colour."""
    pair = picture_pair(item)
    fused = torch.maximum(pair.fixed, pair.warped(ddf))
    return colored(fused, item["deformed"], ddf.float())


def _fused(item: dict[str, Any], network: Any) -> np.ndarray:
    """The network's own fusion, in colour."""
    with torch.no_grad():
        output = network(item["image"].float()).float()
    return colored(output[:, :1] * 255, item["deformed"], output[:, 1:])


def _draw_fields(item: dict[str, Any], network: Any, path: Path) -> None:
    with torch.no_grad():
        outputs = network.all_fields(item["image"].float())
    pair = picture_pair(item)
    flows = outputs["flows"][0]
    names = ["true field", "ddf", *(f"flow {k}" for k in range(1, len(flows) + 1))]
    fields = torch.cat([pair.true_ddf, outputs["ddf"], flows]).float()
    errors = endpoint_error(fields[None], pair.true_ddf, pair.fixed)[0][0].tolist()
    field_sheet(pair, dict(zip(titled(errors, names), fields, strict=True)), path)


def _variants(folder: Path, reduction: int) -> dict[str, torch.nn.Module]:
    """Networks of the ablation that were trained."""
    networks = {}
    for name, overlay in VARIANTS.items():
        own = folder / name.replace(" ", "_")
        found = [path for path in (own / "fusion/model.pt", own / "model.pt") if path.is_file()]
        if found:
            config = ConfigParser()
            overlays = [overlay] if overlay else []
            config.read_config([ROOT / "configs" / f"{one}.json" for one in ["train", *overlays]])
            config["reduction"] = reduction
            network = config.get_parsed_content("network_def")
            networks[name] = load_weights(network, found[0])
    return networks


if __name__ == "__main__":
    main()
